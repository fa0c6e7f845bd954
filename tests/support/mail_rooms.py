"""The rooms of mail in a store, a transaction at a time, and what is kept in them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import pytest

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.effects import NEVER
from gateway.domain.mail.campaigns import Campaign, Result, SendState
from gateway.domain.mail.lists import Contract
from gateway.domain.mail.recipients import Consent, Recipient, Suppression
from gateway.domain.values import EVERYBODY, SECOND, first_id
from tests.support.stores import Engine, statements_of

NOON = 1_795_057_200_000_000
"""2026-11-19T12:00:00+09:00."""

DAY = 86_400 * SECOND
FIRST = first_id(NOON)
OWNER = 7


class Rooms:
    """A connection that writes, as one process has it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.connection = engine.database().writer()

    @contextmanager
    def tx(self) -> Iterator[StoreTransaction]:
        """A transaction, committed at its end."""
        tx = StoreTransaction(self.connection, statements_of(self.engine.name), RouteCache())
        try:
            yield tx
            tx.flush()
            self.connection.commit()
        finally:
            self.connection.rollback()

    def recipients(self, *recipients: Recipient, now: int = NOON) -> None:
        """Keep recipients."""
        with self.tx() as tx:
            tx.mail.recipients.save(EVERYBODY, recipients, now)

    def suppress(self, *suppressions: Suppression) -> int:
        """Suppress; how many were new."""
        with self.tx() as tx:
            return tx.mail.suppressions.add(EVERYBODY, suppressions)

    def begin(self, campaign: Campaign, recipients: Sequence[int], **due: Any) -> None:
        """Keep a campaign with its mails, due at noon where nothing else is said."""
        with self.tx() as tx:
            tx.campaigns.add(EVERYBODY, campaign, b"{}", [])
            self.fix(tx, campaign, recipients, **due)

    def fix(
        self,
        tx: StoreTransaction,
        campaign: Campaign,
        recipients: Sequence[int],
        due_at: int = NOON,
        lane: str = "other",
    ) -> None:
        """Write recipients of a campaign down."""
        rows = [(recipient, lane, due_at) for recipient in recipients]
        tx.campaigns.sends.fix(EVERYBODY, campaign, rows)

    def claim(self, campaign: int = FIRST, limit: int = 100, now: int = NOON) -> list[int]:
        """Hand out letters; the recipients."""
        with self.tx() as tx:
            letters = tx.campaigns.sends.claim(EVERYBODY, campaign, "other", now, limit, OWNER)
        return [letter.recipient for letter in letters]

    def settle(self, *results: Result) -> set[tuple[int, int]]:
        """Keep results; of which mails of which campaigns."""
        with self.tx() as tx:
            return set(tx.campaigns.sends.settle(EVERYBODY, results))

    def states(self, campaign: int = FIRST) -> dict[int, str]:
        """The state of each mail, counted by the engine itself."""
        rows = self.engine.rows(
            f"SELECT recipient, state FROM mail_sends WHERE campaign = {campaign}"
        )
        return dict(rows)

    def figures(self, campaign: int = FIRST) -> dict[str, int]:
        """The counts of a campaign that are not nought."""
        with self.tx() as tx:
            figures = tx.campaigns.figures.of(EVERYBODY, campaign)
        return {name: amount for name, amount in figures.items() if amount}

    def size(self, advertiser: str = "acme", contract: Contract = "postpaid") -> int:
        """How many addresses may be mailed under a contract."""
        with self.tx() as tx:
            return tx.mail.sizes.now(EVERYBODY, advertiser, contract)

    def maximum(self, month: str, advertiser: str = "acme", contract: Contract = "postpaid") -> int:
        """The most there were in a month."""
        with self.tx() as tx:
            return tx.mail.sizes.maximum(EVERYBODY, advertiser, contract, month)


@pytest.fixture
def rooms(engine: Engine) -> Iterator[Rooms]:
    """The rooms of a store."""
    rooms = Rooms(engine)
    yield rooms
    rooms.connection.close()


def hash_of(address: int) -> bytes:
    """The hash of the address of a number."""
    return sha256(address.to_bytes(8)).digest()[:16]


def recipient(ordinal: int, list_: str = "news", **changed: Any) -> Recipient:
    """The recipient of an address on a list, with an id of their own in both."""
    id_ = FIRST + ordinal + 100_000 * sum(list_.encode())
    values: dict[str, Any] = {
        "id": id_,
        "advertiser": "acme",
        "list": list_,
        "address": f"user{ordinal}@example.jp",
        "hash": hash_of(ordinal),
        "lane": "other",
        "attributes": "{}",
        "added_at": NOON,
    }
    return Recipient(**values | changed)


def suppression(address: int, list_: str = "", topic: str = "", **changed: Any) -> Suppression:
    """A stop of an address: of all lists, for good, where nothing else is said."""
    values: dict[str, Any] = {
        "advertiser": "acme",
        "list": list_,
        "hash": hash_of(address),
        "topic": topic,
        "id": FIRST + address,
        "at": NOON,
        "until": NEVER,
        "source": "page",
    }
    return Suppression(**values | changed)


def consent(whose: Recipient, ordinal: int = 0, **changed: Any) -> Consent:
    """A recipient's consent."""
    values: dict[str, Any] = {
        "id": whose.id + 1_000_000 * (ordinal + 1),
        "advertiser": whose.advertiser,
        "list": whose.list,
        "recipient": whose.id,
        "hash": whose.hash,
        "at": NOON + ordinal,
        "how": "form",
        "evidence": "https://acme.example/form",
        "notice": "1",
        "recorded_at": NOON,
    }
    return Consent(**values | changed)


def campaign(ordinal: int = 0, **changed: Any) -> Campaign:
    """A campaign that is being sent."""
    values: dict[str, Any] = {
        "id": FIRST + ordinal,
        "advertiser": "acme",
        "list": "news",
        "name": "Autumn",
        "topic": "",
        "audience": "{}",
        "created_at": NOON,
        "created_by": "clerk",
        "at": 0,
        "state": "sending",
        "started_at": NOON,
    }
    return Campaign(**values | changed)


def result(to: int, state: SendState = "sent", of: int = FIRST, **changed: Any) -> Result:
    """What came of a letter."""
    return Result(**{"campaign": of, "recipient": to, "state": state, "at": NOON} | changed)
