"""A mail list of ``acme``, its recipients and campaigns, for tests of the API."""

import asyncio
from itertools import count
from typing import Any

import msgspec

from gateway.domain.effects import NEVER
from gateway.domain.mail.campaigns import Campaign, Result, State
from gateway.domain.mail.consent import Stated
from gateway.domain.mail.importing.imports import Import
from gateway.domain.mail.message.content import Content
from gateway.domain.mail.recipients import Recipient, Suppression
from gateway.domain.mail.segments import MailSegment
from gateway.domain.values import EVERYBODY, Seed
from gateway.main.mail.files import ImportFiles
from gateway.main.mail.keys import MailKeys
from gateway.ports import Transaction
from gateway.ports.mail.campaigns import Bounce
from gateway.ports.mail.lists import Signup
from gateway.usecases.mail.drafts import NewCampaign, Plan, create
from gateway.usecases.mail.imports import Begin, begin
from gateway.usecases.mail.lists import Add, add
from gateway.usecases.mail.standing import Checked, Confirm, confirm, keep_check
from tests.adapters.http.api.world import World
from tests.support.mail_lists import NEWS

PREPAID = msgspec.structs.replace(NEWS, contract="prepaid")
POSTPAID = msgspec.structs.replace(NEWS, id="acme-we", contract="postpaid")
SEGMENT = MailSegment("acme-tokyo", "acme", PREPAID.id, ())

CONSENT = {
    "at": "2026-10-01T09:00:00+09:00",
    "how": "店頭の申込書",
    "evidence": "No. 12",
    "notice": "3",
}

PLAN: dict[str, Any] = {
    "name": "秋のお知らせ",
    "subject": "{{ name | default('お客') }}様へ",
    "text": "秋の新作です。\nhttps://acme.example/autumn\n",
    "html": "<p>{{ name | default('お客') }}様、<a href='https://acme.example/autumn'>秋</a></p>",
    "footer": "ja",
}

_numbers = count(1)


def given_lists(world: World) -> None:
    """A list of each contract; they may send."""
    world.engine.provision(PREPAID, POSTPAID, SEGMENT)
    for mail_list in (PREPAID, POSTPAID):
        world.run(confirm, Confirm(EVERYBODY, "clerk", mail_list.id, world.now))
        found = Checked(EVERYBODY, mail_list.id, True, ("SPF: it passes",), world.now)
        world.run(keep_check, found)


def given_recipient(
    world: World, list_: str = PREPAID.id, address: str = "", **further: Any
) -> Recipient:
    """Somebody on a list."""
    given_lists(world)
    wish = Add(
        scope=EVERYBODY,
        list=list_,
        address=address or f"taro{next(_numbers)}@docomo.ne.jp",
        consent=Stated(world.now - 1, "form", "No. 12", "3"),
        actor="clerk",
        now=world.now,
        seed=_seed(world, 2),
        keys=world.wait(MailKeys(world.store).get()),
        **further,
    )
    return world.run(add, wish).recipient


def given_campaign(
    world: World, state: State = "draft", list_: str = PREPAID.id, **content: Any
) -> Campaign:
    """A campaign in a state, of which nothing was sent."""
    given_lists(world)
    said = {name: PLAN[name] for name in ("subject", "text", "html", "footer")} | content
    plan = Plan(name="秋", content=Content(**said))
    new = NewCampaign(EVERYBODY, "clerk", list_, plan, world.now, _seed(world, 1))
    campaign = world.run(create, new)
    if state == "draft":
        return campaign
    due_at = world.now + 10**12 if state == "scheduled" else None
    started_at = 0 if state == "scheduled" else world.now
    changed = msgspec.structs.replace(campaign, state=state, due_at=due_at, started_at=started_at)

    def keep(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
        tx.campaigns.save(EVERYBODY, changed)
        return None, ()

    world.run(keep, None)
    return changed


def given_traces(world: World, recipient: Recipient, campaign: int) -> None:
    """One of each thing that is kept of somebody beside their entry on the list."""
    whose, list_, now = recipient.advertiser, recipient.list, world.now
    sent = Campaign(campaign, whose, list_, "n", "", "{}", now, "me", 0, state="sending")
    went = Result(campaign, recipient.id, "sent", now)
    stop = Suppression(whose, list_, recipient.hash, "", world.id(), now, NEVER, "page")
    which, said = (campaign, recipient.id, now), (550, "5.7.1", "no")
    bounce = Bounce(world.id(), whose, list_, *which, "report", "filtered", "failed", *said)
    asked = ("", recipient.hash, "network", "form", "{}", "", "3")
    signup = Signup(world.id(), whose, list_, *asked, now, "dropped")

    def keep(tx: Transaction, _: object) -> tuple[None, tuple[()]]:
        tx.campaigns.add(EVERYBODY, sent, b"{}", ())
        tx.campaigns.sends.fix(EVERYBODY, sent, [(recipient.id, "other", now)])
        tx.campaigns.sends.claim(EVERYBODY, campaign, "other", now, 1, 1)
        tx.campaigns.sends.settle(EVERYBODY, [went])
        tx.campaigns.figures.responded(EVERYBODY, campaign, recipient.id, "click", now)
        tx.campaigns.bounces.add(EVERYBODY, [bounce])
        tx.mail.suppressions.add(EVERYBODY, [stop])
        tx.mail.entrance.signups.add(EVERYBODY, signup)
        return None, ()

    world.run(keep, None)


def given_import(world: World) -> Import:
    """An import that has begun."""
    given_lists(world)
    wish = Begin(EVERYBODY, PREPAID.id, "a.csv", "clerk", world.now, _seed(world, 1), True)
    return world.run(begin, wish)


def files(world: World) -> ImportFiles:
    """Where files of imports lie."""
    return ImportFiles(world.state / "imports")


async def until_idle(chore: Any, waiting: ImportFiles) -> None:
    """Run a chore until no file is left."""
    async with asyncio.timeout(60):
        while waiting.waiting():
            await chore()


def _seed(world: World, ids: int) -> Seed:
    first = world.id()
    for _ in range(ids - 1):
        world.id()
    return Seed(first, ids, first.to_bytes(16))
