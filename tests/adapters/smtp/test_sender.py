"""What the sender looks at right before MAIL FROM, and the single mails it sends between."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.smtp.sending.guard import AGE_SECONDS, FRESH_SECONDS, Guard
from adapters.smtp.sending.lanes import Lanes, Ready
from adapters.smtp.sending.recall import KEPT_SECONDS, Recall
from gateway.domain.effects import NEVER
from gateway.domain.mail.answers import Answer
from gateway.domain.mail.campaigns import Campaign, Letter
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.pace import Pacer
from gateway.domain.mail.recipients import Suppression
from gateway.domain.values import SECOND

NOW = 1_795_057_200 * SECOND  # 12:00 in Tokyo
NEWS = MailList(
    "news", "acme", "n@acme.example", "", "Acme", "Tokyo", "c@acme.example", "b.example.jp"
)
CAMPAIGN = Campaign(1, "acme", "news", "n", "sale", "{}", 0, "me", 0, state="sending")


def letter(recipient: int = 2, lane: str = "other") -> Letter:
    """A letter to a recipient, whose hash is made of their number."""
    return Letter(
        1, recipient, f"r{recipient}@example.com", recipient.to_bytes(16), lane, "{}", 0, 0
    )


def stop(recipient: int, at: int = NOW, topic: str = "", list_: str = "news") -> Suppression:
    """A stop of a recipient's."""
    return Suppression(
        "acme", list_, recipient.to_bytes(16), topic, recipient, at, NEVER, "one_click"
    )


class World:
    """A guard with its clocks."""

    def __init__(self, mail_list: MailList | None = NEWS) -> None:
        self.now = NOW
        self.steady = 0.0
        self.recall = Recall()
        self.guard = Guard(self.recall, lambda _: mail_list, self.clock, lambda: self.steady)
        self.claimed_at = (NOW, 0.0)

    def clock(self) -> int:
        return self.now

    def look(self, *campaigns: Campaign, halted: frozenset[str] = frozenset()) -> None:
        self.guard.seen(campaigns or (CAMPAIGN,), halted, self.steady)

    def objection(self) -> str:
        return self.guard.objection(letter(), self.claimed_at, self.now)


def replaced(**changed: object) -> Campaign:
    """The campaign, changed."""
    return Campaign(
        **{name: getattr(CAMPAIGN, name) for name in Campaign.__struct_fields__} | changed
    )


def test_a_letter_goes_while_nothing_speaks_against_it() -> None:
    """Its campaign is being sent, nobody is halted, and it is known to be so."""
    world = World()
    world.look()
    assert world.objection() == ""


def test_who_does_not_know_sends_nothing() -> None:
    """Before the first look, and a while after the last one, no letter goes."""
    world = World()
    assert world.objection() == "later"
    world.look()
    world.steady += FRESH_SECONDS
    assert world.objection() == "later"


def test_a_letter_grows_too_old_by_either_clock() -> None:
    """The one clock may stand still, the other may be set: each is believed that it is late."""
    world = World()
    world.look()
    world.now += (AGE_SECONDS + 1) * SECOND
    assert world.objection() == "later"
    world.now = NOW - 3600 * SECOND
    assert world.objection() == "later"
    world.now = NOW
    world.steady = AGE_SECONDS + 1.0
    world.look()
    assert world.objection() == "later"


def test_a_cancel_counts_at_once_and_is_not_unseen() -> None:
    """What this process cancelled stays so, though the store was asked before."""
    world = World()
    world.look()
    world.steady = 0.5
    world.guard.changed(replaced(state="canceled"))
    assert world.objection() == "canceled"
    world.guard.seen((CAMPAIGN,), frozenset(), 0.4)
    assert world.objection() == "canceled"


def test_pauses_halts_and_nights_put_off() -> None:
    """A pause, a halt of one or of all, quiet hours, and a list that is gone."""
    for campaign, halted in (
        (replaced(state="paused"), frozenset[str]()),
        (CAMPAIGN, frozenset({"acme"})),
        (CAMPAIGN, frozenset({"*"})),
    ):
        world = World()
        world.look(campaign, halted=halted)
        assert world.objection() == "later"
    night = MailList(
        "news", "acme", "n@a.example", "", "A", "T", "c", "b.example.jp", quiet="11:00-13:00"
    )
    for mail_list in (night, None):
        world = World(mail_list)
        world.look()
        assert world.objection() == "later"


def test_a_stop_is_heeded_by_list_and_topic() -> None:
    """A stop of the list, of its topic or of everything counts; one of another topic does not."""
    for given_stop, expected in (
        (stop(2), "stopped"),
        (stop(2, topic="sale"), "stopped"),
        (stop(2, list_=""), "stopped"),
        (stop(2, topic="events"), ""),
        (stop(2, list_="club"), ""),
        (stop(3), ""),
    ):
        world = World()
        world.look()
        world.guard.note([given_stop])
        assert world.objection() == expected


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 300)), max_size=60))
def test_recall_holds_what_is_young_and_nothing_else(stops: list[tuple[int, int]]) -> None:
    """Whatever the order of things, a stop is heeded for its time, and forgotten after it: by the
    reader's clock, as the one that dated the stop may be an hour off.
    """
    steady = 0.0
    recall = Recall(lambda: steady)
    young: dict[int, float] = {}
    for recipient, seconds in stops:
        steady += seconds
        recall.note([stop(recipient, NOW + (recipient - 10) * 3600 * SECOND)])
        recall.forget()
        young = {who: at for who, at in young.items() if at >= steady - KEPT_SECONDS}
        young.setdefault(recipient, steady)
        assert len(recall) == len(young)
        for who in young:
            assert recall.forbids("acme", "news", who.to_bytes(16), "", NOW)


def test_lanes_take_turns_and_keep_their_pace() -> None:
    """A lane at its limit does not keep others waiting, and what cannot go soon is taken out."""
    pacer = Pacer()
    lanes = Lanes(pacer)
    for recipient in range(6):
        lanes.put(Ready(letter(recipient, "yahoo_jp" if recipient < 4 else "other"), (NOW, 0.0)))
    went = []
    while (ready := lanes.next(NOW)) is not None:
        pacer.went(ready.letter.lane, NOW)
        went.append(ready.letter.recipient)
    assert went == [0, 4, 1, 5]
    pacer.heard("yahoo_jp", "yahoo.co.jp", Answer("temporary", "rcpt", 421, "", "[TSS04]"), "", NOW)
    put_off = list(lanes.stale(NOW))
    assert [(each.letter.recipient, until) for each, until in put_off] == [
        (2, NOW + 3600 * SECOND),
        (3, NOW + 3600 * SECOND),
    ]
    assert len(lanes) == 0
