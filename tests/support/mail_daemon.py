"""A daemon that mails: its list, its recipients and its campaigns, set up beside it."""

import base64
import os
import secrets
import time
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.importing.imports import Import
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.tokens import Keys
from gateway.domain.values import EVERYBODY, SECOND, Ids, Seed
from gateway.main.mail.importing import import_file
from gateway.main.store import execute
from gateway.usecases.mail import campaigns, drafts
from gateway.usecases.mail.lists import mail_keys
from gateway.usecases.mail.standing import Checked, Confirm, confirm, keep_check
from tests.support.daemon import PROVISIONING, Daemon

LIST = "acme-news"
SENDER_DOMAIN = "acme.example.jp"
BOUNCES = "bounce.acme.example.jp"

CONTENT = Content(
    subject="{{ name | default('お客') }}様へのお知らせ",
    text="{{ name | default('お客') }}様\n\nセールのお知らせです。\nhttps://acme.example.jp/sale\n",
    footer="ja",
)

_PROVISIONING = f"""
[[mail_list]]
id = "{LIST}"
advertiser = "acme"
from = "Acme <news@{SENDER_DOMAIN}>"
sender_name = "株式会社Acme"
sender_address = "東京都千代田区1-1"
contact = "info@{SENDER_DOMAIN}"
bounce_domain = "{BOUNCES}"
contract = "prepaid"
attributes = ["name"]
pause_percent = 100
dkim = {{ domain = "{SENDER_DOMAIN}", selector = "gw", key_file = "dkim.pem" }}
"""


@dataclass(frozen=True)
class Signer:
    """A key that mail is signed with."""

    private: str
    record: str
    """What the DNS says of it."""


@cache
def signer() -> Signer:
    """The key of all tests of a process: to make one takes a while."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    record = f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"
    return Signer(pem.decode(), record)


class MailDaemon:
    """What a daemon that is not running yet needs to mail, and what is asked of it by its store.

    It sends through the server at the port ``relay`` of loopback, and takes mail at ``inbound``.
    """

    def __init__(self, daemon: Daemon, relay: int, inbound: int, **settings: object) -> None:
        self.daemon = daemon
        given = {
            "smtp_relay": f"127.0.0.1:{relay}",
            "smtp_in_listen": f"127.0.0.1:{inbound}",
            "smtp_in_domain": BOUNCES,
            **settings,
        }
        daemon.environment |= {f"GATEWAY_{k}".upper(): str(v) for k, v in given.items()}
        self._ids = Ids(1023)

    def prepare(self) -> Keys:
        """Schema and list, which may send; the keys of its tokens."""
        self.daemon.migrate()
        key = self.daemon.folder / "dkim.pem"
        key.touch(mode=0o600)
        key.write_text(signer().private)
        self.daemon.apply(PROVISIONING + _PROVISIONING)
        self.ask(confirm, Confirm(EVERYBODY, "somebody", LIST, _now()))
        self.ask(keep_check, Checked(EVERYBODY, LIST, True, ("all is well",), _now()))
        return self.keys()

    def keys(self) -> Keys:
        """What tokens are made with."""
        keys: Keys = execute(self.daemon.settings(), mail_keys, secrets.token_bytes(32))
        return keys

    def enlist(self, *addresses: str) -> Import:
        """Take addresses in, from a file."""
        path = self.daemon.folder / "recipients.csv"
        lines = (f"{address},{number}番" for number, address in enumerate(addresses))
        path.write_text("\n".join(("address,name", *lines)), encoding="utf-8")
        stated = Stated(_now() - SECOND, "店頭", "申込書", "1")
        taken = import_file(self.daemon.settings(), LIST, path, stated, lambda imported, rows: None)
        assert taken.added == len(addresses), taken
        return taken

    def campaign(self, content: Content = CONTENT, **plan: Any) -> Campaign:
        """One to all of the list, which begins once the daemon is there."""
        wish = drafts.NewCampaign(
            EVERYBODY,
            "somebody",
            LIST,
            drafts.Plan(name="秋", content=content, **plan),
            _now(),
            Seed(self._ids.block(_now(), 1), 1, os.urandom(16)),
        )
        made = self.ask(drafts.create, wish)
        scheduled: Campaign = self.ask(
            campaigns.schedule, campaigns.Wish(EVERYBODY, "somebody", made.id, _now())
        )
        return scheduled

    def ask(self, use_case: Any, wish: Any) -> Any:
        """Run a use-case beside the daemon."""
        return execute(self.daemon.settings(), use_case, wish, settings=True)

    def recipients(self) -> dict[int, str]:
        """Addresses by recipients' ids."""
        rows = self.daemon.rows("SELECT id, address FROM mail_recipients ORDER BY id")
        return {row[0]: row[1] for row in rows}

    def under_way(self) -> int:
        """How many mails are neither over nor in doubt, of campaigns that have begun or will."""
        mails = (
            "SELECT count(*) FROM mail_sends WHERE state IN ('queued', 'attempting', 'deferred')"
        )
        begins = "SELECT count(*) FROM mail_campaigns WHERE state IN ('scheduled', 'fixing')"
        return int(self.daemon.rows(f"SELECT ({mails}) + ({begins})")[0][0])

    def hurry(self) -> None:
        """What waits for minutes after an answer is due now."""
        self.daemon.change(
            f"UPDATE mail_sends SET due_at = {_now()} WHERE state IN ('queued', 'deferred')"
            f" AND due_at > {_now()}"
        )


def _now() -> int:
    return time.time_ns() // 1_000
