"""Campaigns go out to a simulated server: each letter once, none after a stop, none forgotten."""

import asyncio
import email
import email.policy
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from adapters.smtp.simulator.habits import Habits, Rule
from adapters.smtp.simulator.sink import Sink
from gateway.domain.effects import NEVER, Effect
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.recipients import Suppression
from gateway.domain.mail.tokens import TRIAL, Named, opened, unstop
from gateway.domain.values import EVERYBODY
from gateway.main.daemon import clock
from gateway.usecases import outbox
from gateway.usecases.mail import campaigns
from gateway.usecases.mail.lists import mail_keys
from tests.support.campaigns import CampaignDesk, recipients
from tests.support.mail_lists import NEWS
from tests.support.mailing import outgoing
from tests.support.stores import Engine, eventually, on_a_loop

MANY = 300


@pytest.fixture
def desk(engine: Engine) -> CampaignDesk:
    """A list that may send, with some recipients, by the true clock."""
    desk = CampaignDesk(engine)
    desk.now = clock()
    desk.allow()
    desk.enlist(*recipients(MANY))
    return desk


def scheduled(desk: CampaignDesk, **plan: object) -> Campaign:
    """A campaign that begins at once."""
    return desk.ask(campaigns.schedule, desk.create(**plan))


async def until(desk: CampaignDesk, campaign: Campaign, **figures: int) -> None:
    """Wait until the counts of a campaign are these."""
    await eventually(lambda: figures.items() <= desk.figures(campaign).items())


def slow(*rules: Rule, delay: float = 0.01) -> Sink:
    """A server that takes its time."""
    return Sink(Habits(delay=delay, rules=rules))


async def reach(sink: Sink, total: int) -> None:
    """Wait until so many letters have come."""
    await eventually(lambda: sink.mailbox.total >= total)


def got(sink: Sink) -> list[int]:
    """How many letters each recipient got."""
    return [sink.mailbox.count(f"r{n}@example.com") for n in range(1, MANY + 1)]


def test_each_recipient_gets_one_letter(desk: CampaignDesk, tmp_path: Path) -> None:
    """Every recipient of a campaign gets it, once, and is settled as sent."""

    @on_a_loop
    async def story() -> None:
        campaign = scheduled(desk)
        async with Sink() as sink:
            async with outgoing(desk, sink, tmp_path):
                await until(desk, campaign, sent=MANY)
            assert got(sink) == [1] * MANY

    story()


def test_a_process_that_ends_leaves_nothing_in_doubt(desk: CampaignDesk, tmp_path: Path) -> None:
    """What was on the wire is answered, the rest goes back; the next process sends it, once."""

    @on_a_loop
    async def story() -> None:
        campaign = scheduled(desk)
        async with slow() as sink:
            for _ in range(3):
                enough = min(MANY, sink.mailbox.total + 40)
                async with outgoing(desk, sink, tmp_path):
                    await reach(sink, enough)
                assert "attempting" not in desk.states(campaign).values()
                assert "held" not in desk.states(campaign).values()
            async with outgoing(desk, sink, tmp_path):
                await until(desk, campaign, sent=MANY)
            assert got(sink) == [1] * MANY

    story()


def test_r102_a_stop_counts_for_what_is_in_our_hands(desk: CampaignDesk, tmp_path: Path) -> None:
    """Whoever stops while a campaign runs gets nothing from then on."""

    @on_a_loop
    async def story() -> None:
        campaign = scheduled(desk)
        async with slow() as sink, outgoing(desk, sink, tmp_path, connections=1) as out:
            await eventually(lambda: sink.mailbox.total >= 20)
            waiting = [each for each in recipients(MANY) if not sink.mailbox.count(each.address)]
            now = clock()
            stops = [
                Suppression("acme", NEWS.id, each.hash, "", n, now, NEVER, "one_click")
                for n, each in enumerate(waiting[50:], 1)
            ]
            with desk.transaction() as tx:
                tx.mail.suppressions.add(EVERYBODY, stops)
            out.recall.note(stops)
            # Of those whose stop was answered a letter may be on the wire at this very moment.
            on_wire = 2
            stopped = {each.address for each in waiting[50:]}
            await eventually(
                lambda: not set(desk.states(campaign).values()) & {"queued", "attempting"}
            )
            came = sum(sink.mailbox.count(address) for address in stopped)
            assert came <= on_wire
            assert desk.figures(campaign)["suppressed"] == len(stopped) - came

    story()


def test_a_cancelled_campaign_ends_at_once(desk: CampaignDesk, tmp_path: Path) -> None:
    """After a cancel nothing more goes on the wire, and what waited is canceled."""

    @on_a_loop
    async def story() -> None:
        campaign = scheduled(desk)
        async with slow() as sink, outgoing(desk, sink, tmp_path, connections=2) as out:
            await eventually(lambda: sink.mailbox.total >= 20)
            desk.now = clock()
            out.sender.changed(desk.ask(campaigns.cancel, campaign))
            at_cancel = sink.mailbox.total
            await eventually(lambda: desk.campaign(campaign).ended_at)
            assert sink.mailbox.total <= at_cancel + 2 * 2  # two connections, two letters each
            states = set(desk.states(campaign).values())
            assert states == {"sent", "canceled"}

    story()


def test_halted_sends_wait(desk: CampaignDesk, tmp_path: Path) -> None:
    """An advertiser's sends stop soon after they are halted, and go on when they may."""

    @on_a_loop
    async def story() -> None:
        campaign = scheduled(desk)
        async with slow() as sink, outgoing(desk, sink, tmp_path, connections=1):
            await eventually(lambda: sink.mailbox.total >= 20)
            desk.run(outbox.stop, outbox.Stop("acme", clock(), "test"))
            await asyncio.sleep(1)  # the promise: within a second
            then = sink.mailbox.total
            assert then < MANY
            await asyncio.sleep(0.3)
            assert sink.mailbox.total == then
            desk.run(outbox.stop, outbox.Stop("acme", clock(), "test", resume=True))
            await until(desk, campaign, sent=MANY)
        assert got(sink) == [1] * MANY

    story()


def test_answers_become_states(desk: CampaignDesk, tmp_path: Path) -> None:
    """Refused for good is failed, for now is deferred; the rest is sent."""

    @on_a_loop
    async def story() -> None:
        campaign = scheduled(desk, pause_percent=100)
        rules = (
            Rule("rcpt", reply="550 5.1.1 User unknown", recipient="r1?@example.com"),
            Rule("rcpt", reply="451 4.7.1 Greylisted", recipient="r2?@example.com"),
        )
        async with Sink(Habits(rules=rules)) as sink, outgoing(desk, sink, tmp_path):
            await until(desk, campaign, sent=MANY - 20, failed=10, deferred=10)
        assert desk.figures(campaign)["failed:user_unknown"] == 10
        assert desk.recipient(15).state == "paused"
        assert desk.recipient(15).strikes == 1

    story()


def test_an_answer_that_is_lost_is_held(desk: CampaignDesk, tmp_path: Path) -> None:
    """Where the connection goes away after the last byte, nobody knows: it is not sent again."""

    @on_a_loop
    async def story() -> None:
        campaign = scheduled(desk)
        rules = (Rule("end", cut="after", recipient="r7@example.com", first=1),)
        async with Sink(Habits(rules=rules)) as sink, outgoing(desk, sink, tmp_path):
            await eventually(lambda: desk.states(campaign).get(7) == "held")
            await eventually(lambda: "queued" not in desk.states(campaign).values())
            await until(desk, campaign, sent=MANY - desk.figures(campaign).get("held", 0))
        assert max(got(sink)) == 1

    story()


def test_too_many_bounces_pause_a_campaign(desk: CampaignDesk, tmp_path: Path) -> None:
    """Where more than its share is refused, a campaign pauses before all of it has gone."""

    @on_a_loop
    async def story() -> None:
        campaign = scheduled(desk, pause_percent=20)
        rules = (Rule("rcpt", reply="550 5.1.1 User unknown", recipient="*"),)
        habits = Habits(delay=0.01, rules=rules)
        async with Sink(habits) as sink, outgoing(desk, sink, tmp_path, connections=1):
            await eventually(lambda: desk.campaign(campaign).state == "paused")
            await eventually(lambda: "attempting" not in desk.states(campaign).values())
            assert desk.campaign(campaign).reason == "bounces"
            assert desk.figures(campaign)["failed"] < MANY

    story()


def test_what_a_dead_process_attempted_is_held(desk: CampaignDesk, tmp_path: Path) -> None:
    """Letters that a process had in its hands when it died are held, and shown as such."""

    @on_a_loop
    async def story() -> None:
        campaign = desk.begin()
        lost = {each.recipient for each in desk.claim(campaign, limit=5, owner=900)}
        desk.now -= 3600 * 1_000_000  # it has been silent for an hour
        async with Sink() as sink, outgoing(desk, sink, tmp_path):
            await until(desk, campaign, sent=MANY - 5, held=5)
            held = {id_ for id_, state in desk.states(campaign).items() if state == "held"}
            assert held == lost
            assert sink.mailbox.total == MANY - 5

    story()


def test_a_relay_that_is_away_loses_nothing(desk: CampaignDesk, tmp_path: Path) -> None:
    """While a relay does not answer everything waits; when it is back, all goes."""

    @on_a_loop
    async def story() -> None:
        campaign = scheduled(desk)
        rules = (Rule("greeting", reply="421 not now", times=3),)
        async with Sink(Habits(rules=rules)) as sink, outgoing(desk, sink, tmp_path):
            await until(desk, campaign, sent=MANY)
            assert got(sink) == [1] * MANY

    story()


def test_several_relays_share_the_mails(desk: CampaignDesk, tmp_path: Path) -> None:
    """Each of those that are configured gets some; together they send each letter once."""

    @on_a_loop
    async def story() -> None:
        campaign = scheduled(desk)
        async with slow() as first, slow() as second, slow() as third:
            async with outgoing(desk, first, tmp_path, 2, others=[second, third]):
                await until(desk, campaign, sent=MANY)
            sinks = (first, second, third)
            assert all(sink.mailbox.total for sink in sinks)
            assert [sum(each) for each in zip(*map(got, sinks), strict=True)] == [1] * MANY

    story()


def test_another_relay_takes_over(desk: CampaignDesk, tmp_path: Path) -> None:
    """While the first one answers nobody, all goes through the other."""

    @on_a_loop
    async def story() -> None:
        campaign = scheduled(desk)
        rules = (Rule("greeting", reply="421 not now"),)
        async with Sink(Habits(rules=rules)) as away, Sink() as there:
            async with outgoing(desk, away, tmp_path, others=[there]):
                await until(desk, campaign, sent=MANY)
            assert got(there) == [1] * MANY

    story()


def asked(desk: CampaignDesk, kind: str, key: str, payload: Mapping[str, object]) -> None:
    """Something asks for a single mail."""
    now = clock()
    effect = Effect(desk.ids.next(now), "acme", kind, key, json.dumps(payload), now)
    with desk.transaction() as tx:
        tx.outbox.add(EVERYBODY, effect)


def outcomes(desk: CampaignDesk) -> dict[str, str]:
    """The states of effects by their keys."""
    return dict(desk.engine.rows("SELECT idempotency_key, state FROM outbox"))


def test_single_mails_go_out_as_they_are(desk: CampaignDesk, tmp_path: Path) -> None:
    """A confirmation says what it says, braces and all; one that is refused is dead."""

    @on_a_loop
    async def story() -> None:
        text = "確認 {{ name }} {% if %} {brace}\nhttps://gw.example.jp/s/acme-news?t=x"
        mail = {"list": NEWS.id, "subject": "登録の確認 {{x}}", "text": text}
        asked(desk, "mail.single", "signup:5", mail | {"address": "a@example.com"})
        asked(desk, "mail.single", "signup:6", mail | {"address": "b@example.com"})
        asked(desk, "mail.single", "x", {**mail, "list": "gone", "address": "a@example.com"})
        rules = (Rule("rcpt", reply="550 5.1.1 unknown", recipient="b@example.com"),)
        async with Sink(Habits(rules=rules)) as sink, outgoing(desk, sink, tmp_path):
            wanted = {"signup:5": "done", "signup:6": "dead", "x": "dead"}
            await eventually(lambda: outcomes(desk) == wanted)
        (letter,) = sink.mailbox.of("a@example.com")
        read = email.message_from_bytes(letter.raw, policy=email.policy.default)
        assert read["subject"] == mail["subject"]
        body = read.get_body()
        assert body is not None
        assert body.get_content().strip().replace("\r\n", "\n") == text
        assert letter.sender.startswith("b+")
        token = read["message-id"].strip("<> ").partition("@")[0]
        with desk.transaction() as tx:
            keys, _ = mail_keys(tx, b"")
        assert opened(token, keys.verp) == Named(0, 5)

    story()


def test_a_single_mail_that_was_cleared_ends(desk: CampaignDesk, tmp_path: Path) -> None:
    """Whose it was asked to be deleted while it waited for another attempt."""

    @on_a_loop
    async def story() -> None:
        for kind in ("mail.single", "mail.test"):
            effect = Effect(desk.ids.next(clock()), "acme", kind, kind, "", clock())
            with desk.transaction() as tx:
                tx.outbox.add(EVERYBODY, effect)
        async with Sink() as sink, outgoing(desk, sink, tmp_path):
            wanted = {"mail.single": "dead", "mail.test": "dead"}
            await eventually(lambda: outcomes(desk) == wanted)
        rows = desk.engine.rows("SELECT DISTINCT last_error, attempts FROM outbox")
        assert rows == [("withdrawn", 0)]

    story()


def test_a_test_mail_shows_a_campaign_to_one_address(desk: CampaignDesk, tmp_path: Path) -> None:
    """A draft goes to whom a person named, with the values that they gave."""

    @on_a_loop
    async def story() -> None:
        draft = desk.create()
        mail = {"campaign": draft.id, "address": "me@example.com", "values": {"name": "花子"}}
        asked(desk, "mail.test", "test", mail)
        async with Sink() as sink, outgoing(desk, sink, tmp_path):
            await eventually(lambda: outcomes(desk) == {"test": "done"})
        (letter,) = sink.mailbox.of("me@example.com")
        read = email.message_from_bytes(letter.raw, policy=email.policy.default)
        assert read["subject"] == "花子様へ"
        ways = re.findall("<([^>]+)>", read["list-unsubscribe"])
        (token,) = [way.rpartition("/")[2] for way in ways if way.startswith("https:")]
        (local,) = [way[7:].partition("@")[0] for way in ways if way.startswith("mailto:")]
        with desk.transaction() as tx:
            keys, _ = mail_keys(tx, b"")
        assert opened(token, keys.stop) == unstop(local, keys.stop) == TRIAL

    story()
