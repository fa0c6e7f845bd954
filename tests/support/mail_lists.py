"""A mail list for tests, and a desk at which things happen to it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, get_args

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.access import Access
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.importing.imports import Import
from gateway.domain.mail.importing.lines import Line
from gateway.domain.mail.lists import Contract, MailList
from gateway.domain.mail.recipients import Consent, Recipient, Suppression
from gateway.domain.mail.tokens import hash_of, keys_of
from gateway.domain.values import EVERYBODY, SECOND, Ids, Seed
from gateway.usecases.mail import imports as mail_imports
from gateway.usecases.mail import lists as mail_lists
from gateway.usecases.mail import stops as mail_stops
from tests.support.stores import Engine, statements_of

NOON = 1_793_674_800 * SECOND
"""2026-11-03T12:00:00+09:00."""

HOUR = 3600 * SECOND
DAY = 24 * HOUR
PUBLIC = "https://gw.example.jp"

KEYS = keys_of(b"a secret of tests")

NEWS = MailList(
    id="acme-news",
    advertiser="acme",
    sender="news@acme.example",
    sender_display="Acme",
    sender_name="株式会社Acme",
    sender_address="東京都千代田区1-1",
    contact="info@acme.example",
    bounce_domain="bounce.example.jp",
    attributes=("name", "pref"),
    topics=("sale", "events"),
    notice="Acmeからのお知らせを月2回お送りします。",
    notice_version="3",
    signup=True,
    empty_mail=True,
)
CLUB = MailList(
    id="acme-club",
    advertiser="acme",
    sender="club@acme.example",
    sender_display="",
    sender_name="株式会社Acme",
    sender_address="東京都千代田区1-1",
    contact="info@acme.example",
    bounce_domain="bounce.example.jp",
)
"""A second list of the same advertiser, closed to sign-ups."""

FOREIGN = MailList(
    id="other-news",
    advertiser="other",
    sender="news@other.example",
    sender_display="",
    sender_name="Other",
    sender_address="大阪市",
    contact="info@other.example",
    bounce_domain="bounce.example.jp",
)

STATED = Stated(NOON - 30 * DAY, "店頭の申込書", "No. 12", "2")

MANAGER = Access(7, "manager", "test", ("acme",), NOON)
OPERATOR = Access(1, "operator", "test", (), NOON)

_serial = count(1)
_IDS = Ids(3)


@contextmanager
def transaction(engine: Engine) -> Iterator[StoreTransaction]:
    """A transaction, committed at the end."""
    with closing(engine.database().writer()) as connection:
        tx = StoreTransaction(connection, statements_of(engine.name), RouteCache(), PUBLIC)
        try:
            yield tx
            tx.flush()
            connection.commit()
        finally:
            connection.rollback()


@dataclass
class MailDesk:
    """A store with mail lists in it; each action is a transaction of its own."""

    engine: Engine
    ids: Ids = field(default_factory=lambda: _IDS)
    now: int = NOON

    def __post_init__(self) -> None:
        self.engine.provision(NEWS, CLUB, FOREIGN)

    def seed(self, ids: int = 1_000) -> Seed:
        """A seed that no other unit has."""
        secret = b"a secret of tests" + next(_serial).to_bytes(8)
        return Seed(self.ids.block(self.now, ids), ids, secret)

    @contextmanager
    def transaction(self) -> Iterator[StoreTransaction]:
        """A transaction, committed at the end."""
        with transaction(self.engine) as tx:
            yield tx

    def run(self, use_case: Callable[[Any, Any], Any], argument: Any) -> Any:
        """What a use-case answers, without its facts."""
        with self.transaction() as tx:
            tx.load((argument,))
            return use_case(tx, argument)[0]

    # --- what is done ---

    def add(
        self,
        address: str,
        list_: str = NEWS.id,
        attributes: Mapping[str, str] = {},
        tags: Sequence[str] = (),
        stated: Stated = STATED,
    ) -> mail_lists.Added:
        """Somebody is put on a list."""
        wish = mail_lists.Add(
            EVERYBODY,
            list_,
            address,
            stated,
            MANAGER.actor,
            self.now,
            self.seed(2),
            KEYS,
            attributes,
            tuple(tags),
        )
        added: mail_lists.Added = self.run(mail_lists.add, wish)
        return added

    def stop(self, **given: Any) -> mail_stops.Stopped:
        """Somebody wants no more mail."""
        given.setdefault("source", "page")
        wish = mail_stops.Stop(now=self.now, seed=self.seed(1), keys=KEYS, **given)
        stopped: mail_stops.Stopped = self.run(mail_stops.stop, wish)
        return stopped

    def begin_import(self, list_: str = NEWS.id, **given: Any) -> Import:
        """A file is to be taken in."""
        given.setdefault("consent", STATED)
        wish = mail_imports.Begin(
            EVERYBODY, list_, "friends.csv", MANAGER.actor, self.now, self.seed(1), **given
        )
        begun: Import = self.run(mail_imports.begin, wish)
        return begun

    def take(self, imported: Import, *lines: Line) -> Import:
        """Lines of it are taken in."""
        seed = self.seed(mail_imports.IDS)
        wish = mail_imports.Take(EVERYBODY, imported.id, lines, self.now, seed, KEYS)
        taken: Import = self.run(mail_imports.take, wish)
        return taken

    # --- what stands ---

    def find(self, address: str, list_: str = NEWS.id) -> Recipient | None:
        """Somebody on a list."""
        hash_ = hash_of(address, KEYS)
        with self.transaction() as tx:
            return tx.mail.recipients.find(EVERYBODY, list_, (hash_,)).get(hash_)

    def tags(self, recipient: Recipient) -> frozenset[str]:
        """Somebody's tags."""
        with self.transaction() as tx:
            return tx.mail.tags.of(EVERYBODY, (recipient.id,)).get(recipient.id, frozenset())

    def consents(self, address: str, advertiser: str = "acme") -> list[Consent]:
        """Why somebody may be mailed."""
        with self.transaction() as tx:
            return list(tx.mail.consents.of_hash(EVERYBODY, advertiser, hash_of(address, KEYS)))

    def stops(self, address: str, advertiser: str = "acme") -> list[Suppression]:
        """What somebody stopped."""
        hash_ = hash_of(address, KEYS)
        with self.transaction() as tx:
            return list(tx.mail.suppressions.of(EVERYBODY, advertiser, (hash_,)).get(hash_, ()))

    def report(self, imported: Import) -> list[tuple[int, str, str]]:
        """What is told of an import's lines."""
        return [
            (line, outcome, reason)
            for line, outcome, reason in self.engine.rows(
                "SELECT line, outcome, reason FROM mail_import_lines"
                f" WHERE import = {imported.id} ORDER BY line"
            )
        ]

    @property
    def size(self) -> int:
        """How many addresses Acme may mail, under both contracts."""
        with self.transaction() as tx:
            return sum(tx.mail.sizes.now(EVERYBODY, "acme", name) for name in get_args(Contract))

    @property
    def audited(self) -> list[str]:
        """What was audited, in order."""
        return [action for (action,) in self.engine.rows("SELECT action FROM audit ORDER BY id")]
