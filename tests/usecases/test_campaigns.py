"""A campaign begins when it may, reaches whom it is for, and ends when its bounces are in."""

import json

import msgspec
import pytest

from gateway.domain.mail.campaigns import SETTLE_SECONDS, Audience, Campaign, Condition
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.returns.bounces import Reading
from gateway.domain.mail.segments import MailSegment
from gateway.domain.values import EVERYBODY, SECOND, Counted
from gateway.errors import Refusal, Refused
from gateway.usecases.mail import campaigns, drafts
from gateway.usecases.mail import standing as mail_standing
from gateway.usecases.mail.campaigns import Decision
from gateway.usecases.mail.drafts import Resent
from gateway.usecases.mail.standing import Override
from tests.support.campaigns import CampaignDesk, recipients, result
from tests.support.mail_lists import DAY, HOUR, NEWS
from tests.support.stores import Engine


def again(desk: CampaignDesk, campaign: Campaign) -> Resent:
    """The draft for those whom a campaign did not reach."""
    wish = drafts.Again(EVERYBODY, "me", campaign.id, "もう一度", desk.now, desk.seed(1))
    resent: Resent = desk.run(drafts.again, wish)
    return resent


BARE = Content(subject="セール", text="何もありません。")
"""A message without anything that the law wants shown."""


@pytest.fixture
def desk(engine: Engine) -> CampaignDesk:
    """A list that may send, with ten recipients."""
    desk = CampaignDesk(engine)
    desk.allow()
    desk.enlist(*recipients(10))
    return desk


def refusal(desk: CampaignDesk, use_case: object, campaign: object) -> Refusal:
    """Why a wish about a campaign is refused."""
    with pytest.raises(Refused) as caught:
        desk.ask(use_case, campaign)  # type: ignore[arg-type]
    return caught.value.reason


def test_r130_nobody_sends_before_the_law_is_confirmed(sqlite: Engine) -> None:
    """A list whose sender has not confirmed the three laws schedules nothing."""
    desk = CampaignDesk(sqlite)
    assert refusal(desk, campaigns.schedule, desk.create()) is Refusal.LAW_UNCONFIRMED
    desk.allow()
    assert desk.ask(campaigns.schedule, desk.create()).state == "scheduled"


def test_domains_that_are_not_aligned_do_not_send_unless_somebody_says_so(sqlite: Engine) -> None:
    """A check that is missing, old or unaligned refuses; a person's name overrides the last, and
    stays in the audit when the next one takes its place.
    """
    desk = CampaignDesk(sqlite)
    draft = desk.create()
    desk.run(mail_standing.confirm, mail_standing.Confirm(EVERYBODY, "me", NEWS.id, desk.now))
    assert refusal(desk, campaigns.schedule, draft) is Refusal.MAIL_UNCHECKED
    desk.allow(aligned=False)
    assert refusal(desk, campaigns.schedule, draft) is Refusal.MAIL_UNALIGNED
    check = desk.run(
        mail_standing.override, Override(EVERYBODY, NEWS.id, "山田 太郎", "me", desk.now)
    )
    assert (check.aligned, check.overridden_by) == (False, "山田 太郎")
    desk.allow(aligned=False)
    assert refusal(desk, campaigns.schedule, draft) is Refusal.MAIL_UNALIGNED
    [(actor, said)] = desk.engine.rows(
        "SELECT actor, detail FROM audit WHERE action = 'mail.check_overridden'"
    )
    assert (actor, json.loads(said)) == ("me", {"by": "山田 太郎"})
    desk.run(mail_standing.override, Override(EVERYBODY, NEWS.id, "山田 太郎", "me", desk.now))
    assert desk.ask(campaigns.schedule, draft).state == "scheduled"
    desk.now += 8 * DAY
    assert refusal(desk, campaigns.schedule, desk.create()) is Refusal.MAIL_UNCHECKED


def test_a_message_without_the_laws_items_stays_a_draft(desk: CampaignDesk) -> None:
    """Sender, address, contact and stop link may be missing of a draft, not of what is sent."""
    draft = desk.create(content=BARE)
    assert refusal(desk, campaigns.schedule, draft) is Refusal.DISPLAY_ITEM_MISSING
    assert desk.campaign(draft).state == "draft"


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ({"name": ""}, Refusal.INVALID_FIELD),
        ({"topic": "unknown"}, Refusal.UNKNOWN_REFERENCE),
        ({"parts": 0}, Refusal.INVALID_FIELD),
        ({"at": 1}, Refusal.INVALID_FIELD),
        ({"audience": Audience(segment="none")}, Refusal.UNKNOWN_REFERENCE),
        ({"audience": Audience(failed_of=5)}, Refusal.UNKNOWN_REFERENCE),
        ({"audience": Audience(conditions=(Condition("x", "is", "y"),))}, Refusal.INVALID_FIELD),
        ({"content": Content("{{ unknown }}", "x", footer="ja")}, Refusal.TEMPLATE_INVALID),
    ],
)
def test_an_unfit_plan_is_refused_by_name(
    sqlite: Engine, plan: dict[str, object], reason: Refusal
) -> None:
    """Each mistake of a plan has its own reason."""
    with pytest.raises(Refused) as caught:
        CampaignDesk(sqlite).create(**plan)
    assert caught.value.reason is reason


def test_recipients_are_fixed_and_sent_to_each_once(desk: CampaignDesk) -> None:
    """All of the list are written down; when all are sent, the campaign closes."""
    campaign = desk.begin()
    assert (campaign.state, campaign.expected, campaign.fixed) == ("sending", 10, 10)
    letters = desk.claim(campaign)
    assert sorted(each.recipient for each in letters) == list(range(1, 11))
    assert desk.claim(campaign) == []
    desk.send(letters)
    desk.now += 2 * SECOND
    desk.advance_all()
    assert desk.campaign(campaign).state == "closing"


def test_only_those_of_whom_all_conditions_hold_get_it(desk: CampaignDesk) -> None:
    """A segment's conditions and the campaign's own hold together, of attributes and tags."""
    desk.engine.provision(MailSegment("tokyo", "acme", NEWS.id, (Condition("pref", "is", "東京"),)))
    some = [msgspec.structs.replace(each, attributes='{"pref":"東京"}') for each in recipients(4)]
    desk.enlist(*some)
    with desk.transaction() as tx:
        tx.mail.tags.add(EVERYBODY, some[:2], ("vip",))
    audience = Audience(segment="tokyo", conditions=(Condition("tag", "is", "VIP"),))
    campaign = desk.begin(audience=audience)
    assert sorted(desk.states(campaign)) == [1, 2]
    assert (campaign.expected, campaign.fixed) == (10, 2)


def test_parts_go_one_after_the_other(desk: CampaignDesk) -> None:
    """Of a campaign in two parts one is due at once, the other after its time; nobody is lost."""
    desk.enlist(*recipients(200, first=100))
    campaign = desk.begin(parts=2, part_seconds=3600)
    first = desk.claim(campaign)
    assert 60 < len(first) < 150
    desk.now += HOUR
    second = desk.claim(campaign)
    assert len(first) + len(second) == 210


def test_nothing_begins_in_quiet_hours(desk: CampaignDesk) -> None:
    """A campaign whose time lies in the list's night begins at its end."""
    desk.engine.provision(msgspec.structs.replace(NEWS, quiet="11:00-13:30"))
    campaign = desk.ask(campaigns.schedule, desk.create())
    desk.advance_all()
    waiting = desk.campaign(campaign)
    assert (waiting.state, waiting.due_at) == ("scheduled", desk.now + 90 * 60 * SECOND)
    desk.now += 91 * 60 * SECOND
    desk.advance_all()
    assert desk.campaign(campaign).state == "sending"


def test_cancelling_takes_back_what_waits(desk: CampaignDesk) -> None:
    """What was not handed out is canceled; what is on the wire still gets its answer."""
    campaign = desk.begin()
    letters = desk.claim(campaign, limit=3)
    desk.ask(campaigns.cancel, campaign)
    assert desk.ask(campaigns.cancel, campaign).state == "canceled"
    desk.advance_all()
    assert desk.campaign(campaign).ended_at == 0
    assert desk.claim(campaign) == []
    desk.send(letters[:2])
    desk.exchange(result(letters[2], "queued", desk.now, due_at=desk.now, tried=False))
    desk.now += 2 * SECOND
    desk.advance_all()
    assert desk.figures(campaign) == {"sent": 2, "canceled": 8, "tries": 2}
    assert desk.campaign(campaign).ended_at == desk.now
    desk.now += (SETTLE_SECONDS + 1) * SECOND
    desk.advance_all()
    assert desk.campaign(campaign).settled_at


def test_a_campaign_cancelled_before_it_began_is_counted_at_once(desk: CampaignDesk) -> None:
    """There is nothing of it to settle; one that began is counted when it settles, once."""
    told = [Counted("acme", "mail_campaigns_total", ("canceled",))]
    for campaign, facts in (
        (desk.ask(campaigns.schedule, desk.create(at=desk.now + HOUR)), told),
        (desk.begin(), []),
    ):
        with desk.transaction() as tx:
            wish = campaigns.Wish(EVERYBODY, "me", campaign.id, desk.now)
            after, counted = campaigns.cancel(tx, wish)
            assert (after.state, list(counted)) == ("canceled", facts)
            assert campaigns.cancel(tx, wish)[1] == ()


def test_a_paused_campaign_goes_on_where_it_was(desk: CampaignDesk) -> None:
    """Pause and resume lose nobody, and reach nobody twice."""
    campaign = desk.begin()
    desk.send(desk.claim(campaign, limit=4))
    assert desk.ask(campaigns.pause, campaign).reason == "person"
    desk.now += SECOND
    desk.ask(campaigns.resume, campaign)
    desk.advance_all()
    letters = desk.claim(campaign)
    assert len(letters) == 6
    desk.send(letters)
    assert desk.figures(campaign)["sent"] == 10


def test_a_draft_again_after_it_was_unscheduled(desk: CampaignDesk) -> None:
    """What has not begun can be taken back, written anew, and begin later."""
    campaign = desk.ask(campaigns.schedule, desk.create(at=desk.now + HOUR))
    assert not desk.advance()
    assert desk.ask(campaigns.unschedule, campaign).state == "draft"
    plan = drafts.Plan(name="冬", content=BARE)
    rewritten = desk.run(
        drafts.rewrite, drafts.Rewrite(EVERYBODY, "me", campaign.id, plan, desk.now)
    )
    assert (rewritten.name, rewritten.at) == ("冬", 0)


@pytest.mark.parametrize(("doubt", "after"), [("send", "queued"), ("drop", "failed")])
def test_a_policy_settles_doubts_by_itself(desk: CampaignDesk, doubt: str, after: str) -> None:
    """What is held goes on as its campaign says."""
    campaign = desk.begin(doubt=doubt)
    letter = desk.claim(campaign, limit=1)[0]
    desk.exchange(result(letter, "held", desk.now))
    desk.now += 2 * SECOND
    desk.advance()
    assert desk.states(campaign)[letter.recipient] == after


def test_a_person_settles_doubts(desk: CampaignDesk) -> None:
    """Without a policy what is held keeps its campaign open, until a person decides."""
    campaign = desk.begin()
    letters = desk.claim(campaign)
    desk.send(letters[1:])
    desk.exchange(result(letters[0], "held", desk.now))
    desk.now += 2 * SECOND
    desk.advance_all()
    assert desk.campaign(campaign).state == "sending"
    wish = Decision(EVERYBODY, "me", campaign.id, "drop", desk.now)
    assert [desk.run(campaigns.decide, wish) for _ in range(2)] == [1, 0]
    desk.now += 2 * SECOND
    desk.advance_all()
    assert desk.campaign(campaign).state == "closing"


def test_again_to_those_whom_it_did_not_reach(desk: CampaignDesk) -> None:
    """A second campaign goes to those whose mail failed or bounced, and to nobody else."""
    campaign = desk.begin()
    letters = desk.claim(campaign)
    desk.send(letters[3:])
    failed = [result(each, "failed", desk.now, bounce_class="policy") for each in letters[:3]]
    desk.exchange(*failed)
    desk.now += 2 * SECOND
    desk.advance_all()
    bounced = letters[3].recipient
    desk.bounce(campaign, bounced, Reading("r4@example.com", "mailbox_full"))
    resent = again(desk, campaign)
    second = desk.ask(campaigns.schedule, resent.campaign)
    desk.advance_all()
    assert sorted(desk.states(second)) == sorted(each.recipient for each in letters[:4])
    assert resent.missed == 4


def test_a_mistaken_cancel_can_be_made_good(desk: CampaignDesk) -> None:
    """Whoever's mail was taken back gets it by the second campaign; nobody gets it twice, though it
    begins while a mail of the first is on the wire.
    """
    campaign = desk.begin()
    letters = desk.claim(campaign, limit=6)
    desk.send(letters[:2])
    desk.exchange(result(letters[2], "held", desk.now))
    desk.exchange(result(letters[3], "deferred", desk.now, due_at=desk.now + HOUR))
    desk.exchange(result(letters[4], "suppressed", desk.now))
    desk.ask(campaigns.cancel, campaign)
    resent = again(desk, campaign)
    assert resent.missed == 5
    second = desk.ask(campaigns.schedule, resent.campaign)
    desk.advance_all()
    assert desk.states(second) == {}
    desk.exchange(result(letters[5], "failed", desk.now, bounce_class="policy"))
    desk.now += 2 * SECOND
    desk.advance_all()
    to = {*range(1, 11)} - {each.recipient for each in (*letters[:3], letters[4])}
    assert set(desk.states(second)) == to
    assert desk.campaign(second).state == "sending"


def test_a_settled_campaign_notes_what_went_with_the_consents(desk: CampaignDesk) -> None:
    """At the end of its window a campaign is done, and its state says so once."""
    campaign = desk.begin()
    desk.send(desk.claim(campaign))
    desk.now += 2 * SECOND
    desk.advance_all()
    closing = desk.campaign(campaign)
    assert closing.due_at == closing.settles_at
    desk.now = closing.settles_at
    desk.advance_all()
    done = desk.campaign(campaign)
    assert (done.state, done.due_at, done.settled_at) == ("done", None, desk.now)
