"""Single mails: trials are bounded and halted, and what waits is looked at again before it goes."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adapters.smtp.sending import singles as module
from adapters.smtp.simulator.sink import Sink
from gateway.domain.effects import NEVER, Effect
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.recipients import Source, Suppression
from gateway.domain.mail.tokens import Keys, hash_of
from gateway.domain.values import EVERYBODY, SECOND
from gateway.errors import Refusal, Refused
from gateway.main.daemon import clock
from gateway.main.mail.sending import Outgoing
from gateway.ports.mail.lists import Signup
from gateway.ports.outbox import Claimed
from gateway.usecases import outbox
from gateway.usecases.mail.drafts import NewCampaign, Plan, create
from gateway.usecases.mail.lists import mail_keys
from gateway.usecases.mail.trials import MOST, MOST_A_DAY, Trial, try_out
from tests.support.campaigns import CampaignDesk
from tests.support.mail_lists import CLUB, HOUR, KEYS, NEWS, NOON
from tests.support.mailing import outgoing
from tests.support.stores import PATIENCE, Engine, eventually, on_a_loop

PLAIN = Content("s", "t")
ADDRESS = "a@example.com"


@pytest.fixture
def desk(engine: Engine) -> CampaignDesk:
    """A list of which nothing was confirmed or checked."""
    return CampaignDesk(engine)


def tried(desk: CampaignDesk, campaign: Campaign, *addresses: str, keys: Keys = KEYS) -> int:
    """A person sends a message to some addresses."""
    wish = Trial(EVERYBODY, "me", campaign.id, addresses, {}, desk.now, desk.seed(MOST), keys)
    count: int = desk.run(try_out, wish)
    return count


def refusal(of: Callable[[], object]) -> Refusal:
    """Why something is refused."""
    with pytest.raises(Refused) as caught:
        of()
    return caught.value.reason


def some(first: int, count: int = MOST) -> list[str]:
    """Addresses that nothing is known of."""
    return [f"stranger{number}@example.com" for number in range(first, first + count)]


def test_trials_of_a_list_are_bounded_by_the_day(desk: CampaignDesk) -> None:
    """However many calls and campaigns they are; each list has its own, and anew from midnight in
    Tokyo on.
    """
    campaigns = [desk.create(), desk.create()]
    desk.now = NOON // (24 * HOUR) * 24 * HOUR + 15 * HOUR - SECOND  # a second before midnight
    for number in range(0, MOST_A_DAY - 2, MOST):
        assert tried(desk, campaigns[number // MOST % 2], *some(number)) == MOST
    more = partial(tried, desk, campaigns[0])
    assert refusal(lambda: more("one@example.com")) is Refusal.TOO_MANY_TRIALS
    new = NewCampaign(EVERYBODY, "me", CLUB.id, Plan("x", PLAIN), desk.now, desk.seed(1))
    assert tried(desk, desk.run(create, new), "one@example.com") == 1
    desk.now += SECOND
    assert more("one@example.com") == 1


def test_what_is_refused_of_trials_counts_nothing(desk: CampaignDesk) -> None:
    """One that is too large by one leaves room for a smaller one; one of a stop, for all."""
    campaign = desk.create()
    desk.stop(address="stop@example.com", list=NEWS.id)
    for number in range(0, MOST_A_DAY - MOST, MOST):
        tried(desk, campaign, *some(number))
    tried(desk, campaign, *some(100, 3))
    stopped = partial(tried, desk, campaign, "stop@example.com", "b@example.com")
    assert refusal(stopped) is Refusal.RECIPIENT_STOPPED
    assert refusal(lambda: tried(desk, campaign, *some(200, 3))) is Refusal.TOO_MANY_TRIALS
    assert tried(desk, campaign, *some(300, 2)) == 2


def test_whoever_stopped_a_topic_gets_no_trial_of_it(desk: CampaignDesk) -> None:
    """Of other topics they do."""
    topic = NEWS.topics[0]
    desk.stop(address=ADDRESS, list=NEWS.id, topic=topic)
    about = desk.create(topic=topic)
    assert refusal(lambda: tried(desk, about, ADDRESS)) is Refusal.RECIPIENT_STOPPED
    assert tried(desk, desk.create(), ADDRESS) == 1


@pytest.mark.parametrize("whose", ["acme", "*"])
def test_halted_sends_halt_trials(desk: CampaignDesk, whose: str) -> None:
    """None begins, and those that wait are not handed out, as confirmations are."""
    campaign = desk.create()
    tried(desk, campaign, ADDRESS)
    single(desk, "signup:5")
    desk.run(outbox.stop, outbox.Stop(whose, desk.now, "me"))
    assert refusal(lambda: tried(desk, campaign, ADDRESS)) is Refusal.SENDS_HALTED
    kinds = ("mail.single", "mail.test")

    def claimed() -> list[str]:
        with desk.transaction() as tx:
            return [each.kind for each in tx.outbox.claim(EVERYBODY, desk.now, kinds, 10, 5)]

    assert claimed() == ["mail.single"]
    desk.run(outbox.stop, outbox.Stop(whose, desk.now, "me", resume=True))
    desk.now += 60 * SECOND
    assert "mail.test" in claimed()
    assert tried(desk, campaign, ADDRESS) == 1


# --- on the wire ---


def single(desk: CampaignDesk, key: str, asked_at: int | None = None) -> None:
    """A confirmation is asked for."""
    now = desk.now if asked_at is None else asked_at
    said = {"list": NEWS.id, "subject": "確認", "text": "x", "address": ADDRESS}
    id_ = desk.ids.next(now)
    effect = Effect(id_, "acme", "mail.single", key, json.dumps(said), now, order_at=now)
    with desk.transaction() as tx:
        tx.outbox.add(EVERYBODY, effect)


def keys_of(desk: CampaignDesk) -> Keys:
    """The keys that the process will have."""
    with desk.transaction() as tx:
        keys, _ = mail_keys(tx, b"a secret of tests, of 32 letters")
    return keys


def stop_of(desk: CampaignDesk, at: int, source: Source = "page") -> Suppression:
    """Somebody's wish for no more mail."""
    hash_ = hash_of(ADDRESS, keys_of(desk))
    return Suppression("acme", NEWS.id, hash_, "", desk.ids.next(at), at, NEVER, source)


def stop(desk: CampaignDesk, at: int, source: Source = "page") -> None:
    """The same, in the store."""
    row = stop_of(desk, at, source)
    with desk.transaction() as tx:
        tx.mail.suppressions.add(EVERYBODY, [row])


def ended(desk: CampaignDesk) -> list[tuple[Any, ...]]:
    """What became of single mails."""
    return desk.engine.rows("SELECT state, last_error, attempts FROM outbox ORDER BY id")


@on_a_loop
async def test_r102_who_stops_while_a_trial_waits_does_not_get_it(
    desk: CampaignDesk, tmp_path: Path
) -> None:
    """It may wait for hours behind a relay that is away."""
    desk.now = clock()
    tried(desk, desk.create(), ADDRESS, keys=keys_of(desk))
    stop(desk, desk.now)

    async with Sink() as sink, outgoing(desk, sink, tmp_path):
        await eventually(lambda: ended(desk) == [("dead", "stopped", 0)])
        assert sink.mailbox.total == 0


@on_a_loop
async def test_r102_who_stops_while_a_single_mail_is_made_does_not_get_it(
    desk: CampaignDesk, tmp_path: Path
) -> None:
    """The store was asked already; the recall knows, right before MAIL FROM."""
    desk.now = clock()
    campaign = desk.create()

    async with Sink() as sink, outgoing(desk, sink, tmp_path) as out:
        out.recall.note([stop_of(desk, desk.now)])
        tried(desk, campaign, ADDRESS, keys=keys_of(desk))
        await eventually(lambda: ended(desk) == [("dead", "stopped", 0)])
        assert sink.mailbox.total == 0


@on_a_loop
async def test_r102_a_confirmation_goes_unless_they_stopped_after_asking(
    desk: CampaignDesk, tmp_path: Path
) -> None:
    """Whoever stopped long ago and asks again is asked to confirm; a stop or a complaint after
    that counts, and one by which their sign-up was dropped.
    """
    desk.now = clock()
    hash_ = hash_of(ADDRESS, keys_of(desk))

    def sign_up(at: int, state: Any = "waiting") -> None:
        id_ = desk.ids.next(at)
        with desk.transaction() as tx:
            signup = Signup(id_, "acme", NEWS.id, "", hash_, "n", "form", "{}", "", "", at, state)
            tx.mail.entrance.signups.add(EVERYBODY, signup)
        single(desk, f"signup:{id_}", at)

    stop(desk, desk.now - HOUR)
    async with Sink() as sink, outgoing(desk, sink, tmp_path):
        sign_up(desk.now)
        await eventually(lambda: ended(desk) == [("done", None, 1)])
        assert sink.mailbox.total == 1
        sign_up(desk.now, "dropped")
        await eventually(lambda: ended(desk)[1:] == [("dead", "stopped", 0)])
        before = stop_of(desk, 0)
        with desk.transaction() as tx:
            tx.mail.suppressions.lift(EVERYBODY, before, desk.now)
        stop(desk, desk.now, "complaint")
        sign_up(desk.now - SECOND)
        await eventually(lambda: ended(desk)[2:] == [("dead", "stopped", 0)])
        assert sink.mailbox.total == 1


def claimed(desk: CampaignDesk, campaign: Campaign, **fields: Any) -> Claimed:
    """A trial as it is handed out."""
    said = json.dumps({"campaign": campaign.id, "address": ADDRESS})
    now = clock()
    known: dict[str, Any] = {
        "id": desk.ids.next(now),
        "advertiser": "acme",
        "kind": "mail.test",
        "key": "trial:1",
        "payload": said,
        "stream": "",
        "order_at": now,
        "give_up_at": NEVER,
        "origin": "",
        "attempts": 1,
        "unclear": 0,
        "tried_at": now,
    }
    return Claimed(**(known | fields))


def away(out: Outgoing, monkeypatch: pytest.MonkeyPatch) -> None:
    """No relay takes anything."""
    monkeypatch.setattr(out.singles, "next", lambda: None)


@on_a_loop
async def test_whoever_gives_a_single_mail_up_leaves_none_behind(
    sqlite: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would go once the relay is back, and the next attempt's, too."""
    desk = CampaignDesk(sqlite)
    campaign = desk.create()

    async with Sink() as sink, outgoing(desk, sink, tmp_path) as out:
        away(out, monkeypatch)
        handler = out.singles.handlers["mail.test"]
        task = asyncio.ensure_future(handler(claimed(desk, campaign)))
        await eventually(lambda: len(out.singles) == 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert len(out.singles) == 0
        monkeypatch.setattr(module, "_SEND_SECONDS", 0.5)
        outcome = await handler(claimed(desk, campaign))
        assert (outcome.state, outcome.tried, len(out.singles)) == ("waiting", False, 0)


@on_a_loop
async def test_a_single_mail_that_cannot_be_made_is_tried_no_more(
    sqlite: Engine, tmp_path: Path
) -> None:
    """Its values stay what they are, and so does the reason."""
    desk = CampaignDesk(sqlite)
    campaign = desk.create(content=Content(subject="{{ name }} 様", text="お知らせ"))

    async with Sink() as sink, outgoing(desk, sink, tmp_path) as out:
        outcome = await out.singles.handlers["mail.test"](claimed(desk, campaign))
        assert (outcome.state, outcome.error) == ("dead", "value_missing")
        assert sink.mailbox.total == 0


@on_a_loop
async def test_making_a_single_mail_takes_of_the_time_that_it_has(
    sqlite: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One deadline holds for both: the outbox gives up a moment after it."""
    desk = CampaignDesk(sqlite)
    campaign = desk.create()

    async with Sink() as sink, outgoing(desk, sink, tmp_path) as out:
        monkeypatch.setattr(module, "_SEND_SECONDS", 0.5)

        async def too_slow(*_: Any) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(out.singles, "_made", too_slow)
        outcome = await out.singles.handlers["mail.test"](claimed(desk, campaign))
        assert (outcome.state, outcome.tried) == ("waiting", False)
        assert sink.mailbox.total == 0


@on_a_loop
async def test_a_trial_in_our_hands_waits_while_sends_are_halted(
    sqlite: Engine, tmp_path: Path
) -> None:
    """Also one that was handed out before; and it ends where it has waited too long."""
    desk = CampaignDesk(sqlite)
    campaign = desk.create()

    async with Sink() as sink, outgoing(desk, sink, tmp_path) as out:
        handler = out.singles.handlers["mail.test"]
        desk.run(outbox.stop, outbox.Stop("acme", clock(), "me"))
        guard = out.sender._guard
        await eventually(lambda: guard.is_halted("acme"))
        outcome = await handler(claimed(desk, campaign))
        # Beside a busy machine's "not just now", which is over in a second.
        async with asyncio.timeout(PATIENCE):
            while outcome.state == "waiting" and outcome.due_at - clock() < 5 * SECOND:
                outcome = await handler(claimed(desk, campaign))
        assert (outcome.state, outcome.tried) == ("waiting", False)
        late = await handler(claimed(desk, campaign, give_up_at=clock() - 1))
        assert (late.state, late.error) == ("dead", "too_late")
        assert sink.mailbox.total == 0
