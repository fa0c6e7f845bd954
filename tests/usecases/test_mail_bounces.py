"""What comes back is counted once, held against addresses by the rule, and pauses campaigns."""

from contextlib import closing

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain.mail.campaigns import SETTLE_SECONDS, Campaign
from gateway.domain.mail.recipients import Recipient
from gateway.domain.mail.returns.bounces import COUNTS, HARD, Reading
from gateway.domain.mail.returns.strikes import struck
from gateway.domain.mail.tokens import Named
from gateway.domain.values import EVERYBODY, SECOND, Counted
from gateway.usecases.mail.bounces import NOTHING, Came, came
from gateway.usecases.mail.campaigns import resume
from gateway.usecases.mail.sending import Given, Round, exchange
from gateway.usecases.mail.watching import UNWRITABLE
from tests.support.campaigns import OWNER, CampaignDesk, recipients, result
from tests.support.mail_lists import KEYS
from tests.support.stores import Engine

HARD_BOUNCE = Reading("r1@example.com", "user_unknown", hard=True, status="5.1.1", reply=550)
FULL = Reading("r1@example.com", "mailbox_full", status="5.2.2", reply=552)
COMPLAINT = Reading("", "complaint", action="", feedback_type="abuse")


@pytest.fixture
def desk(engine: Engine) -> CampaignDesk:
    """A list that may send, with ten recipients."""
    desk = CampaignDesk(engine)
    desk.allow()
    desk.enlist(*recipients(10))
    return desk


def sent(desk: CampaignDesk) -> Campaign:
    """A campaign that all its recipients got."""
    campaign = desk.begin(pause_percent=100)
    desk.send(desk.claim(campaign))
    desk.now += 2 * SECOND
    desk.advance_all()
    return campaign


def settle(desk: CampaignDesk) -> None:
    """The window for bounces passes."""
    desk.now += (SETTLE_SECONDS + 1) * SECOND
    desk.allow()
    desk.advance_all()


def test_a_bounce_counts_once(desk: CampaignDesk) -> None:
    """The same report again changes nothing."""
    campaign = sent(desk)
    assert desk.bounce(campaign, 1, HARD_BOUNCE).counted
    assert not desk.bounce(campaign, 1, HARD_BOUNCE).counted
    assert not desk.bounce(campaign, 1, FULL).counted
    assert desk.figures(campaign)["bounced:user_unknown"] == 1
    assert desk.recipient(1).strikes == 1
    assert len(desk.engine.rows("SELECT id FROM mail_bounces")) == 1


def test_what_a_report_says_is_kept_without_its_recipient(desk: CampaignDesk) -> None:
    """Neither the address that it names, nor the one that we wrote to, nor their mailboxes."""
    campaign = sent(desk)
    address = desk.recipient(1).address
    local = address.partition("@")[0]
    said = f"<{address}> via fwd.taro: {local} unknown, FWD.TARO is full"
    reading = msgspec.structs.replace(FULL, address="fwd.taro@else.example.com", text=said)
    assert desk.bounce(campaign, 1, reading).counted
    ((text,),) = desk.engine.rows("SELECT text FROM mail_bounces")
    assert local not in text
    assert "taro" not in text.lower()
    assert text.endswith("is full")


def test_a_bounce_of_nobody_counts_nothing(desk: CampaignDesk) -> None:
    """A recipient whom the campaign did not go to is not struck."""
    campaign = sent(desk)
    assert not desk.bounce(campaign, 999, HARD_BOUNCE).counted


def test_r075_three_campaigns_in_a_row_suppress(desk: CampaignDesk) -> None:
    """After the third final failure the address is removed, suppressed, and gets no more."""
    for ordinal in range(1, 4):
        took = desk.bounce(sent(desk), 1, FULL)
        assert [each.source for each in took.suppressions] == ["strikes"] * (ordinal == 3)
    assert desk.recipient(1).state == "removed"
    assert 1 not in desk.states(sent(desk))


def test_r075_a_mail_that_arrives_breaks_the_row(desk: CampaignDesk) -> None:
    """Strikes are forgotten once a later campaign's mail has arrived and its window is over."""
    desk.bounce(sent(desk), 1, FULL)
    desk.now += SECOND
    sent(desk)
    assert desk.recipient(1).strikes == 1
    settle(desk)
    assert desk.recipient(1).strikes == 0


@pytest.mark.parametrize("class_", ["blocked", "throttled", "policy", "spam", "too_big", "system"])
def test_r075_what_is_not_the_addresss_fault_does_not_strike(sqlite: Engine, class_: str) -> None:
    """Refusals of the sender or of the message are counted, and held against nobody."""
    desk = CampaignDesk(sqlite)
    desk.allow()
    desk.enlist(*recipients(3))
    campaign = sent(desk)
    assert desk.bounce(campaign, 1, Reading("x@y", class_)).counted  # type: ignore[arg-type]
    assert desk.recipient(1).strikes == 0
    assert desk.figures(campaign)[f"bounced:{class_}"] == 1


def test_a_hard_bounce_pauses_until_it_is_settled(desk: CampaignDesk) -> None:
    """Until then the address gets nothing; after it, it may be tried again, its strike kept."""
    campaign = sent(desk)
    desk.bounce(campaign, 1, HARD_BOUNCE)
    assert desk.recipient(1).state == "paused"
    second = sent(desk)
    assert desk.states(second)[1] == "suppressed"
    settle(desk)
    assert (desk.recipient(1).state, desk.recipient(1).strikes) == ("active", 1)


def test_a_complaint_stops_at_once(desk: CampaignDesk) -> None:
    """Whoever complains gets no more, and is counted once."""
    campaign = sent(desk)
    took = desk.bounce(campaign, 2, COMPLAINT, source="complaint")
    assert [each.source for each in took.suppressions] == ["complaint"]
    assert not desk.bounce(campaign, 2, COMPLAINT, source="complaint").counted
    assert desk.figures(campaign)["complaint"] == 1
    assert desk.states(sent(desk))[2] == "suppressed"


@pytest.mark.parametrize("is_known", [True, False])
def test_a_complaint_stops_after_the_mails_retention(desk: CampaignDesk, is_known: bool) -> None:
    """Neither its row need be there any more nor its campaign: the tag tells whose it was."""
    campaign = sent(desk)
    with closing(desk.engine.raw()) as raw:
        for table in ("mail_sends", "mail_responses") if is_known else ("mail_campaigns",):
            raw.execute(f"DELETE FROM {table}")
    took = desk.bounce(campaign, 2, COMPLAINT, source="complaint")
    assert took.counted
    assert [each.source for each in took.suppressions] == ["complaint"]
    assert len(desk.engine.rows("SELECT 1 FROM mail_bounces")) == is_known
    again = desk.bounce(campaign, 2, COMPLAINT, source="complaint")
    assert (again.counted, again.suppressions) == (False, took.suppressions)
    assert desk.bounce(campaign, 3, FULL) == NOTHING


@pytest.mark.parametrize(
    "reading",
    [
        Reading("x@y", "not_a_bounce", action=""),
        Reading("x@y", "other", action="delivered"),
        Reading("x@y", "expired", action="delayed"),
    ],
)
def test_what_is_no_failure_is_held_against_nobody(desk: CampaignDesk, reading: Reading) -> None:
    """Vacation notes, receipts and delays change no figure of bounces."""
    campaign = sent(desk)
    desk.bounce(campaign, 1, reading)
    assert not any(name.startswith("bounced") for name in desk.figures(campaign))
    assert desk.recipient(1).strikes == 0


def test_what_bounces_was_sent(desk: CampaignDesk) -> None:
    """A mail in doubt whose bounce comes is in doubt no more, and is not sent again."""
    campaign = desk.begin(doubt="hold", pause_percent=100)
    letters = desk.claim(campaign)
    desk.exchange(result(letters[0], "held", desk.now))
    assert desk.bounce(campaign, letters[0].recipient, FULL).counted
    assert desk.states(campaign)[letters[0].recipient] == "sent"


@pytest.mark.parametrize("doubt", [True, False])
def test_what_bounces_is_counted_as_sent_once(desk: CampaignDesk, doubt: bool) -> None:
    """A report may come before the sender has told that the mail was taken, or of one in doubt:
    it counts the mail as sent, and the sender's own word then counts nothing.
    """
    campaign = desk.begin(doubt="hold", pause_percent=100)
    letter = desk.claim(campaign)[0]
    if doubt:
        desk.exchange(result(letter, "held", desk.now))
    named = Named(campaign.id, letter.recipient)
    with desk.transaction() as tx:
        _, facts = came(tx, Came(named, FULL, desk.now, "report", desk.seed(), KEYS))
    assert list(facts) == [
        Counted("acme", "mail_messages_total", ("sent",)),
        Counted("acme", "mail_bounces_total", ("mailbox_full",)),
    ]
    late = Round(OWNER, desk.now, desk.seed(), (result(letter, "sent", desk.now),))
    with desk.transaction() as tx:
        assert list(exchange(tx, late)[1]) == []
    assert desk.figures(campaign)["sent"] == 1
    assert desk.figures(campaign)["tries"] == 1


def test_a_share_of_bounces_pauses_a_campaign(sqlite: Engine) -> None:
    """Of at least fifty mails more than the campaign allows: it pauses, and an alarm is counted."""
    desk = CampaignDesk(sqlite)
    desk.allow()
    desk.enlist(*recipients(100))
    campaign = desk.begin(pause_percent=10)
    desk.send(desk.claim(campaign, limit=60))
    ids = [id_ for id_, state in desk.states(campaign).items() if state == "sent"]
    took = [desk.bounce(campaign, id_, FULL) for id_ in ids[:7]]
    assert [each.paused for each in took] == [0] * 6 + [campaign.id]
    paused = desk.campaign(campaign)
    assert (paused.state, paused.reason) == ("paused", "bounces")
    assert desk.claim(campaign) or paused.state == "paused"


def unwritten(desk: CampaignDesk, campaign: Campaign, count: int) -> Given:
    """So many mails of a campaign cannot be made."""
    letters = desk.claim(campaign, limit=count)
    assert len(letters) == count
    return desk.exchange(
        *(
            result(each, "failed", desk.now, tried=False, bounce_class=UNWRITABLE)
            for each in letters
        )
    )


def test_what_cannot_be_made_is_no_bounce(sqlite: Engine) -> None:
    """It does not bring a campaign nearer to the pause for its bounces, nor away from it."""
    desk = CampaignDesk(sqlite)
    desk.allow()
    desk.enlist(*recipients(100))
    campaign = desk.begin(pause_percent=10)
    desk.send(desk.claim(campaign, limit=60))
    assert unwritten(desk, campaign, 6).paused == ()
    ids = [id_ for id_, state in desk.states(campaign).items() if state == "sent"]
    took = [desk.bounce(campaign, id_, FULL) for id_ in ids[:7]]
    assert [each.paused for each in took] == [0] * 6 + [campaign.id]


def test_a_campaign_of_which_too_much_cannot_be_made_pauses(sqlite: Engine) -> None:
    """For a reason of its own. Whoever resumes accepts those, and only more of them pause again;
    what it allows of bounces stays as it was.
    """
    desk = CampaignDesk(sqlite)
    desk.allow()
    desk.enlist(*recipients(200))
    campaign = desk.begin(pause_percent=10)
    desk.send(desk.claim(campaign, limit=44))
    assert unwritten(desk, campaign, 5).paused == ()  # too few to say anything
    (letter,) = desk.claim(campaign, limit=1)
    with desk.transaction() as tx:
        failed = result(letter, "failed", desk.now, tried=False, bounce_class=UNWRITABLE)
        given, facts = exchange(tx, Round(OWNER, desk.now, desk.seed(), (failed,)))
    (paused,) = given.paused
    assert (paused.state, paused.reason) == ("paused", "unwritable")
    assert Counted("acme", "mail_campaigns_total", ("paused_for_unwritable",)) in facts
    resumed = desk.ask(resume, campaign)
    assert (resumed.state, resumed.pause_percent) == ("fixing", 10)
    desk.advance_all()
    assert unwritten(desk, campaign, 5).paused == ()
    (again,) = unwritten(desk, campaign, 2).paused
    assert again.reason == "unwritable"


def test_a_live_refusal_strikes_as_a_bounce_does(desk: CampaignDesk) -> None:
    """What a server refuses for good at once is logged, and held against the address."""
    campaign = desk.begin(pause_percent=100)
    letters = desk.claim(campaign)
    refused = result(
        letters[0], "failed", desk.now, code=550, bounce_class="user_unknown", text="5.1.1 unknown"
    )
    desk.exchange(refused)
    desk.exchange(refused)
    assert desk.figures(campaign)["failed:user_unknown"] == 1
    assert desk.recipient(letters[0].recipient).state == "paused"
    assert desk.engine.rows("SELECT status, source FROM mail_bounces") == [("5.1.1", "smtp")]


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(st.integers(1, 6), st.sampled_from(sorted(COUNTS)), st.booleans()), max_size=30
    )
)
def test_r075_strikes_are_the_number_of_campaigns_in_a_row(
    failures: list[tuple[int, str, bool]],
) -> None:
    """However often each campaign's failure is told, it strikes once; three remove."""
    recipient = Recipient(1, "acme", "news", "a@b.example", b"", "other", "{}")
    told = []
    for campaign, class_, _ in sorted(failures):
        recipient = struck(recipient, campaign, 0, is_hard=class_ in HARD)
        told.append(campaign)
    assert recipient.strikes == min(3, len(set(told)))
    assert (recipient.state == "removed") == (len(set(told)) >= 3)
    assert EVERYBODY.covers("acme")
