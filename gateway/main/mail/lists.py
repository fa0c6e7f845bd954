"""Mail lists and whether they may send, for commands."""

from operator import attrgetter

from gateway.config import Config
from gateway.domain.mail.lists import MailList
from gateway.errors import Misconfigured
from gateway.main.store import execute, provisioned
from gateway.ports import Fact, Transaction
from gateway.usecases.mail.standing import Stands, stands


def find_list(config: Config, list_: str) -> MailList:
    """A mail list by its id.

    Raises:
        Misconfigured: there is no such list.
    """
    _, held = provisioned(config)
    found = held[MailList.table].get(list_)
    if not isinstance(found, MailList):
        raise Misconfigured([f"{list_}: no such mail list; `gateway apply` makes one"])
    return found


def list_mail_lists(config: Config, now: int) -> list[tuple[MailList, Stands]]:
    """All mail lists by id, and whether each may send now."""
    _, held = provisioned(config)
    found = [each for each in held[MailList.table].values() if isinstance(each, MailList)]
    lists = sorted(found, key=attrgetter("id"))

    def look(tx: Transaction, now: int) -> tuple[list[Stands], tuple[Fact, ...]]:
        return [stands(tx, mail_list, now) for mail_list in lists], ()

    return list(zip(lists, execute(config, look, now), strict=True))
