"""Letters are handed out once, settled once, and held where their process died."""

from functools import partial

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.domain.mail.campaigns import Letter
from gateway.domain.values import EVERYBODY, SECOND, Counted
from gateway.usecases.mail import sending as mail_sending
from gateway.usecases.mail.sending import Beat, Fault, Links, Lost, Round
from tests.support.campaigns import OWNER, CampaignDesk, recipients, result
from tests.support.stores import Engine, sqlite_engine


@pytest.fixture
def desk(engine: Engine) -> CampaignDesk:
    """A list that may send, with ten recipients."""
    desk = CampaignDesk(engine)
    desk.allow()
    desk.enlist(*recipients(10))
    return desk


def test_settling_and_claiming_are_one_transaction(desk: CampaignDesk) -> None:
    """One exchange keeps what came of letters and hands out others."""
    campaign = desk.begin()
    first = desk.claim(campaign, limit=4)
    given = desk.exchange(
        *(result(each, "sent", desk.now) for each in first), campaign=campaign, limit=3
    )
    assert len(given.letters) == 3
    assert desk.figures(campaign) == {"sent": 4, "tries": 4, "attempting": 3, "queued": 3}
    rest = desk.exchange(campaign=campaign)
    assert len(rest.letters) == 3
    assert rest.dry == ((campaign.id, "other"),)


def test_what_came_of_letters_is_counted(desk: CampaignDesk) -> None:
    """A fact for each kind of result; what was given back is none."""
    campaign = desk.begin(pause_percent=100)
    a, b, c, d = desk.claim(campaign, limit=4)
    results = (
        result(a, "sent", desk.now),
        result(b, "deferred", desk.now, due_at=desk.now + 300 * SECOND),
        result(c, "failed", desk.now, bounce_class="mailbox_full"),
        result(d, "queued", desk.now, due_at=desk.now, tried=False),
    )
    with desk.transaction() as tx:
        _, facts = mail_sending.exchange(tx, Round(OWNER, desk.now, desk.seed(), results))
    assert set(facts) == {
        Counted("acme", "mail_messages_total", ("sent",)),
        Counted("acme", "mail_messages_total", ("deferred",)),
        Counted("acme", "mail_messages_total", ("failed",)),
        Counted("acme", "mail_bounces_total", ("mailbox_full",)),
    }


def test_what_the_store_does_not_take_is_not_counted(desk: CampaignDesk) -> None:
    """A process tells late of two letters, one of which another attempts by now: of that one
    nothing is counted, logged or held against anybody.
    """
    campaign = desk.begin(doubt="send", pause_percent=100)
    one, other = desk.claim(campaign, limit=2, owner=1)
    desk.run(mail_sending.lost, Lost(1, desk.now))
    with desk.transaction() as tx:
        release = tx.campaigns.sends.release
        assert release(EVERYBODY, campaign.id, "queued", desk.now, 1) == 1
    desk.now += SECOND
    assert one.recipient in {each.recipient for each in desk.claim(campaign, owner=2)}
    late = [
        result(each, "failed", desk.now, code=550, bounce_class="user_unknown")
        for each in (one, other)
    ]
    with desk.transaction() as tx:
        _, facts = mail_sending.exchange(tx, Round(1, desk.now, desk.seed(), tuple(late)))
    assert set(facts) == {
        Counted("acme", "mail_messages_total", ("failed",)),
        Counted("acme", "mail_bounces_total", ("user_unknown",)),
    }
    figures = desk.figures(campaign)
    assert (figures["failed"], figures["failed:user_unknown"], figures["tries"]) == (1, 1, 1)
    log = desk.engine.rows("SELECT recipient FROM mail_bounces")
    assert log == [(other.recipient,)]
    assert (desk.recipient(one.recipient).strikes, desk.recipient(other.recipient).strikes) == (
        0,
        1,
    )


def test_what_a_silent_process_attempted_is_held(desk: CampaignDesk) -> None:
    """Fifteen seconds after its last word was heard, and not before; what lives goes on."""
    campaign = desk.begin()
    desk.run(mail_sending.beat, Beat(8, desk.now))
    desk.run(mail_sending.beat, Beat(OWNER, desk.now))
    desk.claim(campaign, limit=4, owner=8)
    desk.claim(campaign, limit=2)
    desk.now += 14 * SECOND
    assert desk.run(mail_sending.beat, Beat(OWNER, desk.now)) == 0
    desk.now += 2 * SECOND
    assert desk.run(mail_sending.beat, Beat(OWNER, desk.now)) == 4
    assert desk.figures(campaign) == {"queued": 4, "attempting": 2, "held": 4}


@pytest.mark.parametrize("seconds", [-2 * 86_400, -20, 20, 2 * 86_400])
def test_clocks_of_two_machines_are_not_compared(desk: CampaignDesk, seconds: int) -> None:
    """Who lives and says so keeps its letters, however far another's clock is from its own."""
    campaign = desk.begin()
    for _ in range(10):
        desk.run(mail_sending.beat, Beat(8, desk.now + seconds * SECOND))
        if not desk.figures(campaign).get("attempting"):
            desk.claim(campaign, limit=4, owner=8)
        desk.now += 3 * SECOND
        assert desk.run(mail_sending.beat, Beat(OWNER, desk.now)) == 0
    for _ in range(5):  # now it says nothing any more
        desk.now += 3 * SECOND
        held = desk.run(mail_sending.beat, Beat(OWNER, desk.now))
    assert held == 4


def test_alone_on_its_store_a_process_waits_for_nobody(desk: CampaignDesk) -> None:
    """Where no other can be there, what others attempted is in doubt at once."""
    campaign = desk.begin()
    desk.run(mail_sending.beat, Beat(8, desk.now))
    desk.claim(campaign, limit=4, owner=8)
    assert desk.run(mail_sending.beat, Beat(OWNER, desk.now, alone=True)) == 4


def test_a_claim_that_was_lost_is_held(desk: CampaignDesk) -> None:
    """What the store has a process attempt, and it does not know of, is in doubt."""
    campaign = desk.begin()
    desk.claim(campaign, limit=4)
    assert desk.run(mail_sending.lost, Lost(OWNER, desk.now)) == 4
    assert desk.figures(campaign)["held"] == 4


def test_what_is_held_is_counted(desk: CampaignDesk) -> None:
    """By whose mails they are, whoever finds out that they are in doubt; nothing else is told."""
    campaign = desk.begin()
    desk.claim(campaign, limit=4, owner=8)
    desk.claim(campaign, limit=2)
    by_beat = partial(mail_sending.beat, job=Beat(OWNER, desk.now, alone=True))
    by_lost = partial(mail_sending.lost, job=Lost(OWNER, desk.now))
    for use_case, count in ((by_beat, 4), (by_lost, 2)):
        with desk.transaction() as tx:
            held, facts = use_case(tx)
        assert held == count
        assert list(facts) == [Counted("acme", "mail_messages_total", ("held",), count)]
        with desk.transaction() as tx:
            assert use_case(tx) == (0, [])


def test_a_held_letter_takes_its_true_result(desk: CampaignDesk) -> None:
    """A process that was thought dead tells what came of its letters after all."""
    campaign = desk.begin()
    letters = desk.claim(campaign, limit=1)
    desk.run(mail_sending.lost, Lost(OWNER, desk.now))
    desk.send(letters)
    assert desk.states(campaign)[letters[0].recipient] == "sent"


def test_links_are_kept_before_they_are_needed(desk: CampaignDesk) -> None:
    """Where counted links lead to is kept with what a campaign says."""
    campaign = desk.begin()
    links = ("https://shop.example/a", "https://shop.example/b")
    for _ in range(2):
        desk.run(mail_sending.keep_links, Links(campaign.id, links))
    said = desk.run(mail_sending.message, campaign.id)
    assert said.links == links
    assert desk.campaign(campaign).state == "sending"


def test_a_campaign_that_cannot_be_made_is_paused(desk: CampaignDesk) -> None:
    """A fault of its content stops it, and says so."""
    campaign = desk.begin()
    desk.run(mail_sending.pause_for_fault, Fault(campaign.id))
    paused = desk.campaign(campaign)
    assert (paused.state, paused.reason) == ("paused", "content")


@pytest.fixture(scope="module")
def _template(sqlite_template: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    Sending.template = sqlite_template
    Sending.folders = tmp_path_factory


class Sending(RuleBasedStateMachine):
    """Two processes send one campaign; either may die at any time."""

    template: object
    folders: pytest.TempPathFactory

    def __init__(self) -> None:
        super().__init__()
        engine = sqlite_engine(self.template, self.folders.mktemp("sending"))  # type: ignore[arg-type]
        self.desk = CampaignDesk(engine)
        self.desk.allow()
        self.desk.enlist(*recipients(12))
        self.campaign = self.desk.begin()
        self.hands: dict[int, list[Letter]] = {1: [], 2: []}
        self.went: list[int] = []
        self.lost: set[int] = set()

    @rule(owner=st.sampled_from([1, 2]), limit=st.integers(1, 4))
    def claim(self, owner: int, limit: int) -> None:
        self.hands[owner] += self.desk.claim(self.campaign, limit, owner)

    @precondition(lambda self: any(self.hands.values()))
    @rule(owner=st.sampled_from([1, 2]), is_sent=st.booleans())
    def settle(self, owner: int, is_sent: bool) -> None:
        if not self.hands[owner]:
            return
        letter = self.hands[owner].pop()
        if is_sent:
            self.went.append(letter.recipient)
            self.desk.send([letter])
        else:
            back = result(letter, "queued", self.desk.now, due_at=self.desk.now, tried=False)
            self.desk.exchange(back, owner=owner)

    @rule(owner=st.sampled_from([1, 2]), had_sent=st.booleans())
    def die(self, owner: int, had_sent: bool) -> None:
        dead = [letter.recipient for letter in self.hands[owner]]
        self.hands[owner] = []
        self.went += dead if had_sent else []
        self.lost |= set(dead)
        self.desk.run(mail_sending.lost, Lost(owner, self.desk.now))

    @invariant()
    def nobody_is_skipped_or_mailed_twice(self) -> None:
        states = self.desk.states(self.campaign)
        assert len(self.went) == len(set(self.went))
        assert len(states) == 12
        held = {id_ for id_, state in states.items() if state == "held"}
        assert held == self.lost
        in_hand = {each.recipient for hand in self.hands.values() for each in hand}
        assert {id_ for id_, state in states.items() if state == "attempting"} == in_hand


Sending.TestCase.settings = settings(max_examples=15, stateful_step_count=20, deadline=None)


@pytest.mark.usefixtures("_template")
class TestSending(Sending.TestCase):  # type: ignore[misc,valid-type]
    """Nobody is skipped, nobody is mailed twice, and what is in doubt is shown."""
