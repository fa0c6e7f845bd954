"""The public pages of mail: stops, sign-ups, and counted links."""

from adapters.http.pages.base import Pages
from adapters.http.pages.mail_links import MailLinkPages
from adapters.http.pages.signups import SignupPages
from adapters.http.pages.stops import StopPages
from adapters.storage.mail.pages import MailPageReader
from gateway.domain.mail.lists import MailList
from gateway.main.parts import Deps, Part
from gateway.ports.mail.pages import MailKeys, Recalls


def pages(deps: Deps, keys: MailKeys, recall: Recalls) -> Part:
    """All of them, where mail is sent or taken in; ``recall`` is the sender's, where this process
    sends.
    """
    if deps.config.smtp is None and deps.config.smtp_in is None:
        return Part()
    reader = MailPageReader(deps.database.dialect)
    shown = Pages(deps.observer, deps.log)
    stops = StopPages(deps.store, reader, shown, keys, recall, deps.seed)
    links = MailLinkPages(deps.store, reader, shown, keys)
    signups = SignupPages(deps.store, reader, shown, keys, deps.config.public_url, deps.seed)
    return Part(public=[*stops.routes(), *signups.routes(), *links.routes()])


def lists(deps: Deps) -> list[MailList]:
    """All mail lists, as they were a moment ago."""
    held = deps.store.cache.held[MailList.table].values()
    return [each for each in held if isinstance(each, MailList)]
