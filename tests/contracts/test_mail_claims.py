"""What a claim costs the store, that each campaign gets its turn, and what a lost COMMIT leaves."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.smtp.sending.hands import Hands
from adapters.smtp.simulator.sink import Sink
from adapters.storage.database import Away, Prepared
from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.pace import Pacer
from gateway.domain.values import EVERYBODY, Counted
from gateway.main.daemon import clock
from gateway.usecases.mail import campaigns
from gateway.usecases.mail.sending import AT_ONCE, MOST_CLAIMS, Given, Round, Wish, exchange
from tests.support.campaigns import OWNER, CampaignDesk, recipients
from tests.support.mailing import outgoing
from tests.support.stores import (
    Engine,
    Faulty,
    Recorder,
    eventually,
    on_a_loop,
    statements_of,
)

MANY = 120


class Claims:
    """Claims in a store that counts what it is asked."""

    def __init__(self, engine: Engine) -> None:
        self.desk = CampaignDesk(engine)
        self.desk.allow()
        self.statements = 0
        self.database = Faulty(engine.database())
        self.database.before = dict.fromkeys(("rows", "run", "write"), self._count)
        self.connection = self.database.writer()
        self.sql = statements_of(engine.name)

    def _count(self) -> None:
        self.statements += 1

    def campaigns(self, count: int, whom: Sequence[int], due_at: int) -> list[Campaign]:
        """So many campaigns that are being sent to the same recipients."""
        base, made = self.desk.create(), []
        with self.desk.transaction() as tx:
            for n in range(count):
                one = msgspec.structs.replace(base, id=base.id + 1 + n, state="sending")
                tx.campaigns.add(EVERYBODY, one, b"{}", ())
                due = [(recipient, "other", due_at) for recipient in whom]
                tx.campaigns.sends.fix(EVERYBODY, one, due)
                made.append(one)
        return made

    def ask(self, wishes: Sequence[Wish], limit: int = AT_ONCE, room: int = 0) -> Given:
        """One unit; how many statements it took is counted."""
        self.statements = 0
        tx = StoreTransaction(self.connection, self.sql, RouteCache())
        job = Round(
            OWNER, self.desk.now, self.desk.seed(), wishes=tuple(wishes), limit=limit, bytes=room
        )
        given, _ = exchange(tx, job)
        tx.flush()
        self.connection.commit()
        return given


@pytest.fixture
def claims(engine: Engine) -> Iterator[Claims]:
    """A store whose statements are counted."""
    claims = Claims(engine)
    yield claims
    claims.connection.close()


def wishes(some: Sequence[Campaign], limit: int) -> list[Wish]:
    """A wish for each campaign's mails."""
    return [Wish(each.id, "other", limit) for each in some]


def test_to_ask_for_many_that_wait_costs_one_statement(claims: Claims) -> None:
    """However many campaigns wait for their next attempt: calls wait behind the unit."""
    claims.desk.enlist(*recipients(1))
    claims.ask(())
    least = claims.statements
    waiting = claims.campaigns(MANY, [1], claims.desk.now + 1)
    given = claims.ask(wishes(waiting, 10))
    assert claims.statements <= least + 1
    assert set(given.dry) == {(each.id, "other") for each in waiting}
    claims.desk.now += 1
    assert claims.ask(wishes(waiting, 10)).letters


def test_a_unit_takes_of_few_campaigns_at_a_time(claims: Claims) -> None:
    """However many have something due, the unit's statements are bounded."""
    claims.desk.enlist(*recipients(2))
    due = claims.campaigns(MANY, [1, 2], claims.desk.now)
    given = claims.ask(wishes(due, 1))
    assert [letter.campaign for letter in given.letters] == [each.id for each in due[:MOST_CLAIMS]]
    assert claims.statements <= 6 * MOST_CLAIMS
    assert given.dry == ()


def test_those_who_must_not_get_it_are_put_aside_in_few_looks(claims: Claims) -> None:
    """One letter is asked for, and nobody may have it: not a look for each of them, and no more of
    them than a unit may touch, of however many campaigns.
    """
    count = AT_ONCE
    claims.desk.enlist(
        *(msgspec.structs.replace(each, state="paused") for each in recipients(count))
    )
    some = claims.campaigns(4, range(1, count + 1), claims.desk.now)
    given = claims.ask(wishes(some, 1))
    assert given.letters == ()
    assert claims.statements < 100
    aside = [claims.desk.figures(each).get("suppressed", 0) for each in some]
    assert 0 < sum(aside) <= 2 * AT_ONCE


def test_no_more_letters_are_given_than_were_asked_for(claims: Claims) -> None:
    """Behind those who must not get it more are looked at than are wanted: the rest waits."""
    paused = [msgspec.structs.replace(each, state="paused") for each in recipients(3)]
    claims.desk.enlist(*paused, *recipients(17, first=4))
    (campaign,) = claims.campaigns(1, range(1, 21), claims.desk.now)
    given = claims.ask(wishes([campaign], 3))
    assert [letter.recipient for letter in given.letters] == [4, 5, 6]
    assert claims.desk.figures(campaign) == {"attempting": 3, "suppressed": 3, "queued": 14}


def test_each_of_many_campaigns_gets_its_turn(claims: Claims) -> None:
    """None has a second one before all had their first, though each could take all there is."""
    claims.desk.enlist(*recipients(3))
    due = [each.id for each in claims.campaigns(MANY, [1, 2, 3], claims.desk.now)]
    hands = Hands(Pacer(), lambda _: 1_000, lambda: 0.0, least=40)
    turns: list[int] = []
    for _ in range(2 * MANY):
        asked = hands.wishes(due, claims.desk.now, answers=True)
        assert len(asked) <= AT_ONCE
        given = claims.ask(asked, 1, hands.bytes(asked))
        hands.heard(asked, given)
        turns += [letter.campaign for letter in given.letters]
    assert turns == due * 2


def told(engine: Engine, prepared: Prepared, **parameters: Any) -> str:
    """How an engine runs a statement."""
    explain = "EXPLAIN QUERY PLAN " if engine.name == "sqlite" else "EXPLAIN "
    with closing(engine.database().writer()) as connection:
        return str(connection.rows(prepared._replace(sql=explain + prepared.sql), **parameters))


def test_what_is_due_or_lost_is_found_by_an_index(engine: Engine) -> None:
    """However long a queue is, the first of each lane is all that is read of it."""
    numbers = (
        "generate_series(1, 50000) AS n(i)"
        if engine.name == "postgres"
        else "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)"
        " SELECT i FROM n)"
    )
    with closing(engine.raw()) as raw:
        raw.execute(
            "INSERT INTO mail_sends SELECT 1, i, 'other', 'queued', 1000 + i, 0, 0, 0, 0, 0, '', ''"
            f" FROM {numbers}"
        )
        if engine.name == "postgres":
            raw.execute("ANALYZE mail_sends")
    sql = statements_of(engine.name).campaigns
    lanes = [(n, "other") for n in range(1, 301)]
    due = told(engine, sql.waiting.due, now=999, **sql.waiting.lanes.given(lanes))
    assert "mail_sends_due" in due
    assert "Sort" not in due
    assert "TEMP B-TREE" not in due
    assert "mail_sends_attempting" in told(engine, sql.sends.lost, owners=[OWNER], most=AT_ONCE)


def test_a_claim_of_which_nobody_heard_is_held(engine: Engine, tmp_path: Path) -> None:
    """The store took it, and its answer was lost: those letters are in doubt, they are counted, and
    all others go, once each. Nothing stays behind.
    """
    desk, observer = CampaignDesk(engine), Recorder()
    desk.now = clock()
    desk.allow()
    desk.enlist(*recipients(MANY))
    database = Faulty(engine.database())
    lost: set[int] = set()

    @on_a_loop
    async def story() -> None:
        campaign = desk.ask(campaigns.schedule, desk.create())

        def lose_the_first_claim() -> None:
            states = desk.states(campaign)
            claimed = {id_ for id_, state in states.items() if state == "attempting"}
            if claimed and not lost:
                lost.update(claimed)
                raise Away("connection reset by peer")

        database.after["commit"] = lose_the_first_claim
        async with (
            Sink() as sink,
            outgoing(desk, sink, tmp_path, database=database, observer=observer),
        ):
            await eventually(lambda: set(desk.states(campaign).values()) == {"sent", "held"})
        states = desk.states(campaign)
        assert lost
        assert {id_ for id_, state in states.items() if state == "held"} == lost
        assert desk.figures(campaign)["held"] == len(lost)
        assert desk.figures(campaign)["sent"] == sink.mailbox.total == MANY - len(lost)
        held = Counted("acme", "mail_messages_total", ("held",), len(lost))
        assert observer.facts.count(held) == 1

    story()
