"""A list with many recipients, its campaigns, and what one of its mails looks like."""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from adapters.smtp.composing.mime import compile_content
from adapters.smtp.sending.jobs import identity_of, mail_of
from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway import main as wiring
from gateway.config import Config
from gateway.domain.mail.campaigns import Campaign, Letter
from gateway.domain.mail.lanes import lane_of
from gateway.domain.mail.lists import Dkim, MailList
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.recipients import Recipient
from gateway.domain.mail.tokens import Keys, hash_of
from gateway.domain.provisioning import Plan as Wanted
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import EVERYBODY, Ids, Seed
from gateway.main.store import connected, execute
from gateway.usecases.mail import campaigns, drafts
from gateway.usecases.mail import standing as mail_standing
from gateway.usecases.mail.campaigns import Wish
from gateway.usecases.mail.drafts import NewCampaign, Plan
from gateway.usecases.mail.lists import mail_keys
from gateway.usecases.mail.standing import Checked, Confirm
from gateway.usecases.provisioning import difference
from tests.bench import servers
from tests.bench.traffic import PUBLIC_URL

CONNECTIONS = 20
FROM = "news@acme.example"

_SECRET = b"a secret of the benchmarks"
_AT_ONCE = 5_000
_WHO = "bench"
_SMTP = """\
[smtp]
relay = "127.0.0.1:{port}"
connections = {connections}
tls = "off"
"""

_LINE = (
    "<tr><td>{{{{ name }}}}様に、{0}のご案内です。<a href='https://shop.example/{0}'>くわしく</a>"
)
CONTENT = Content(
    subject="{{ name }}様へ、秋の新作のお知らせ",
    text="{{ name }}様\n\nいつもありがとうございます。秋の新作がそろいました。\n"
    + "".join(f"{n}. 店頭では先着{n}0名様に限り、試着のご予約を承ります。\n" for n in range(1, 9)),
    html="<html><body><h1>秋の新作</h1><table>"
    + "".join(_LINE.format(f"item{n}") + "</td></tr>" for n in range(1, 7))
    + "</table></body></html>",
    footer="ja",
)
"""Some 4 KB on the wire, both texts personalised, six counted links."""


class World:
    """A gateway's folder with one list of ``count`` recipients, all of one lane without a pace.

    Mails go to ``port``, and are signed with ``pem``, if anything. :meth:`make` comes first.
    """

    def __init__(self, folder: Path, count: int, port: int, *, pem: str = "") -> None:
        self.folder = folder
        self.count = count
        self._port = port
        self._ids = Ids(1022)
        self.list = MailList(
            id="acme-news",
            advertiser="acme",
            sender=FROM,
            sender_display="Acme",
            sender_name="株式会社Acme",
            sender_address="東京都千代田区1-1",
            contact="info@acme.example",
            bounce_domain="bounce.example.jp",
            dkim=Dkim("acme.example", "s1", pem) if pem else None,
            attributes=("name",),
        )
        self._keys: Keys | None = None

    def make(self) -> "World":
        """Make it, with all that a list needs before it may send."""
        servers.prepare(self.folder, 0)
        self.configure()
        plan = Wanted((Advertiser(id="acme", name="株式会社Acme"), self.list))
        wiring.apply(self.config, difference(*wiring.provisioned(self.config), plan))
        self._enlist()
        now = _now()
        self._run(mail_standing.confirm, Confirm(EVERYBODY, _WHO, self.list.id, now))
        self._run(mail_standing.keep_check, Checked(EVERYBODY, self.list.id, True, (), now))
        return self

    def configure(self) -> None:
        """Write where its mails go."""
        file = self.folder / "config.toml"
        plain = file.read_text().partition("[smtp]")[0]
        file.write_text(plain + _SMTP.format(port=self._port, connections=CONNECTIONS))

    @property
    def keys(self) -> Keys:
        """The keys of its mail."""
        if self._keys is None:
            self._keys = execute(self.config, mail_keys, _SECRET)
        return self._keys

    @property
    def config(self) -> Config:
        """What its daemon is configured with."""
        return servers.config_of(self.folder)

    def begin(self) -> Campaign:
        """A campaign to all of them, to begin at once."""
        now = _now()
        plan = Plan("秋", CONTENT)
        seed = Seed(self._ids.next(now), 1, _SECRET)
        made = self._run(drafts.create, NewCampaign(EVERYBODY, _WHO, self.list.id, plan, now, seed))
        begun: Campaign = self._run(campaigns.schedule, Wish(EVERYBODY, _WHO, made.id, now))
        return begun

    def ask(self, sql: str, *given: Any) -> Any:
        """The first row of what a query of the store says, read beside the daemon."""
        with closing(sqlite3.connect(self.folder / "gateway.db")) as database:
            return database.execute(sql, given).fetchone()

    def state(self, campaign: Campaign) -> str:
        """How far a campaign is."""
        return str(self.ask("SELECT state FROM mail_campaigns WHERE id = ?", campaign.id)[0])

    def figure(self, campaign: Campaign, name: str) -> int:
        """A count of a campaign."""
        sql = "SELECT amount FROM mail_figures WHERE campaign = ? AND name = ?"
        row = self.ask(sql, campaign.id, name)
        return int(row[0]) if row else 0

    def sample(self) -> bytes:
        """One of the mails, unsigned, as it goes on the wire."""
        compiled = compile_content(
            CONTENT, identity_of(self.list, PUBLIC_URL), clicks=self.list.click_tracking
        )
        someone, now = self._recipient(1), _now()
        letter = Letter(1, 1, someone.address, someone.hash, someone.lane, someone.attributes, 0, 0)
        return compiled.letter(mail_of(letter, self.list, self.keys, PUBLIC_URL, now))

    def _run(self, use_case: Any, argument: Any) -> Any:
        return execute(self.config, use_case, argument, settings=True)

    def _enlist(self) -> None:
        self._keys = self.keys  # read before the store is held for writing
        with connected(self.config) as (connection, sql):
            for begin in range(1, self.count + 1, _AT_ONCE):
                tx = StoreTransaction(connection, sql, RouteCache())
                some = [*self._recipients(begin, min(begin + _AT_ONCE, self.count + 1))]
                tx.mail.recipients.save(EVERYBODY, some, _now())
                tx.flush()
                connection.commit()

    def _recipients(self, begin: int, end: int) -> Iterator[Recipient]:
        for number in range(begin, end):
            yield self._recipient(number)

    def _recipient(self, number: int) -> Recipient:
        address = f"r{number}@example.com"
        return Recipient(
            id=number,
            advertiser="acme",
            list=self.list.id,
            address=address,
            hash=hash_of(address, self.keys),
            lane=lane_of("example.com"),
            attributes=f'{{"name":"山田{number}"}}',
        )


def _now() -> int:
    return time.time_ns() // 1000
