"""What the store keeps of coupons, whichever engine it stands on."""

import asyncio
import json
from collections import Counter
from typing import Any

import msgspec

from adapters.storage.coupon_reader import CouponReader
from adapters.storage.schema.coupons import coupon_platform as platform_table
from adapters.storage.schema.coupons import coupon_tickets as tickets_table
from adapters.storage.store import SqlStore
from gateway.domain.coupons.coupon import Coupon, Lottery
from gateway.domain.coupons.platform import Held, text_of
from gateway.domain.coupons.tickets import Ticket
from gateway.domain.values import EVERYBODY, SECOND, Counted, Scope
from gateway.errors import Refusal, Refused
from gateway.usecases import coupon_platform, coupons
from gateway.usecases.coupon_chores import expire
from gateway.usecases.coupons import Correction, PinStamp, StaffStamp
from tests.support.coupons import DAY, PIN, SALON, ask, asking, coupon, token_in
from tests.support.line import NOON
from tests.support.stores import PATIENT, Engine, Recorder, dialect_of, on_a_loop

_replace = msgspec.structs.replace

ACME = Scope(frozenset({"acme"}))
OTHER = Scope(frozenset({"other"}))


def opened(engine: Engine, *held: Coupon, **options: Any) -> SqlStore:
    """A store with a shop and its coupons, yet to be opened."""
    engine.provision(SALON, *held)
    return engine.store(limits=PATIENT, public_url="https://gw.example.jp", **options)


async def tried(store: SqlStore, **wish: Any) -> list[dict[str, Any]]:
    """What a friend is sent who wishes for a coupon."""
    return await store.run(ask, asking(**wish))


async def handed_out(store: SqlStore, **wish: Any) -> str:
    """The token of the ticket that a friend gets."""
    return token_in(await tried(store, **wish))


async def ticket_of(store: SqlStore, engine: Engine, token: str) -> Ticket:
    """A ticket as it is kept."""
    found = await store.read(CouponReader(dialect_of(engine.name)).ticket, EVERYBODY, token)
    assert found is not None
    return found


def counted(observer: Recorder) -> Counter[str]:
    """How often each action was counted."""
    counts: Counter[str] = Counter()
    for fact in observer.facts:
        if isinstance(fact, Counted) and fact.metric == "coupons_total":
            counts[fact.labels[0]] += fact.amount
    return counts


# --- handing out ---


@on_a_loop
async def test_a_friend_gets_a_button_to_a_page(engine: Engine) -> None:
    """The first wish makes a ticket, the second one shows it again; each action counts once."""
    observer = Recorder()
    async with opened(engine, coupon(), observer=observer) as store:
        token = await handed_out(store)
        assert await handed_out(store) == token
        held = await ticket_of(store, engine, token)
    assert (held.state, held.advertiser, held.channel) == ("issued", "acme", SALON.id)
    assert held.expires_at == coupon().ends
    assert counted(observer) == {"issued": 1}


@on_a_loop
async def test_who_may_not_have_it_gets_none(engine: Engine) -> None:
    """An unknown coupon, another advertiser's, and a group's wish: nothing is sent, all counted."""
    observer = Recorder()
    theirs = coupon(id="theirs", advertiser="other")
    async with opened(engine, coupon(), theirs, observer=observer) as store:
        for wish in (
            asking("unknown"),
            asking("theirs"),
            asking("autumn", "C1", more={"is_group": True}),
        ):
            assert await store.run(ask, wish) == []
    assert counted(observer) == {"refused": 3}
    assert engine.rows("SELECT count(*) FROM coupon_tickets") == [(0,)]


@on_a_loop
async def test_who_gets_it_is_tagged(engine: Engine) -> None:
    """With the coupon's tags, once; whoever draws a blank is not."""
    lots = coupon(id="lots", tags=("lots",), lottery=Lottery(0))  # set-up allows 1 at least
    async with opened(engine, coupon(tags=("autumn", "sale")), lots) as store:
        for _ in range(2):
            await tried(store)
        await tried(store, coupon_id="lots")
    rows = engine.rows("SELECT tag, source FROM friend_tags ORDER BY tag")
    assert rows == [("autumn", "coupon:autumn"), ("sale", "coupon:autumn")]


@on_a_loop
async def test_the_total_holds_however_many_ask_at_once(engine: Engine) -> None:
    """Sixty friends ask two processes at once for twenty tickets: twenty get one."""
    made = [opened(engine, coupon(total=20))]
    if engine.name == "postgres":
        made.append(engine.store(limits=PATIENT))
    async with made[0], made[-1] if len(made) > 1 else asyncio.timeout(60):
        answers = await asyncio.gather(
            *(made[user % len(made)].run(ask, asking(user=user)) for user in range(60))
        )
    kinds = Counter(messages[0]["type"] for messages in answers)
    assert kinds == {"template": 20, "text": 40}
    assert engine.rows("SELECT count(*) FROM coupon_tickets") == [(20,)]
    assert engine.rows("SELECT issued FROM coupon_counts") == [(20,)]


@on_a_loop
async def test_a_friend_s_limit_holds_however_often_they_ask_at_once(engine: Engine) -> None:
    """Forty wishes of one friend in two processes make one ticket, which all of them show."""
    made = [opened(engine, coupon())]
    if engine.name == "postgres":
        made.append(engine.store(limits=PATIENT))
    async with made[0], made[-1] if len(made) > 1 else asyncio.timeout(60):
        await made[0].run(ask, asking("unknown"))  # so that the friend is known, and locked
        answers = await asyncio.gather(
            *(made[turn % len(made)].run(ask, asking()) for turn in range(40))
        )
    assert len({token_in(messages) for messages in answers}) == 1
    assert engine.rows("SELECT count(*) FROM coupon_tickets") == [(1,)]


@on_a_loop
async def test_a_ticket_taken_back_frees_its_place(engine: Engine) -> None:
    """A void ticket counts neither for the friend nor for the total."""
    async with opened(engine, coupon(total=1)) as store:
        token = await handed_out(store)
        held = await ticket_of(store, engine, token)
        await store.run(coupons.void, Correction(ACME, held.id, "token:1", NOON))
        again = await handed_out(store)
        assert again != token
        (message,) = await tried(store, user=2)
    assert message["type"] == "text"


@on_a_loop
async def test_a_lottery_is_kept_with_its_draws(engine: Engine) -> None:
    """Wins and blanks are as the numbers drawn say, each friend draws once, prizes end."""
    observer = Recorder()
    lots = coupon(lottery=Lottery(50, lost="{shop}、またどうぞ"), total=5)
    async with opened(engine, lots, observer=observer) as store:
        answers = [(await tried(store, user=user))[0] for user in range(60)]
        again = (await tried(store, user=0))[0]
    rows = engine.rows("SELECT luck, state FROM coupon_tickets ORDER BY id")
    assert all((luck < 50) == (state == "issued") for luck, state in rows)
    states = Counter(state for _, state in rows)
    assert states["issued"] == 5
    texts = Counter(message.get("text") for message in answers if message["type"] == "text")
    assert texts.pop("Acme、またどうぞ", 0) == states["lost"]
    assert list(texts.values()) == [60 - len(rows)]
    assert again["type"] == answers[0]["type"]
    assert counted(observer)["lost"] == states["lost"]
    assert counted(observer)["issued"] == 5


@on_a_loop
async def test_a_campaign_s_limit_spans_its_coupons(engine: Engine) -> None:
    """Whoever wins the first prize of a campaign cannot win the second one."""
    sure = Lottery(100)  # set-up allows 99 at most; here everybody wins
    first, second = (coupon(id=name, campaign="spring", lottery=sure) for name in ("a", "b"))
    async with opened(engine, first, second) as store:
        assert (await tried(store, coupon_id="a"))[0]["type"] == "template"
        assert (await tried(store, coupon_id="b"))[0]["type"] == "text"
        assert (await tried(store, coupon_id="b", user=2))[0]["type"] == "template"


# --- the stamp ---


@on_a_loop
async def test_a_hundred_stamps_at_once_are_one(engine: Engine) -> None:
    """By PIN and by staff, in two processes: one stamp, ninety-nine refusals, all counted."""
    observer = Recorder()
    made = [opened(engine, coupon(), observer=observer)]
    if engine.name == "postgres":
        made.append(engine.store(observer, limits=PATIENT))
    async with made[0], made[-1] if len(made) > 1 else asyncio.timeout(60):
        token = await handed_out(made[0])

        async def stamp(turn: int) -> Any:
            store = made[turn % len(made)]
            if turn % 4 < 2:
                return await store.run(coupons.stamp_by_pin, PinStamp(token, PIN, NOON))
            try:
                await store.run(
                    coupons.stamp_by_staff, StaffStamp(ACME, token, f"token:{turn}", NOON)
                )
            except Refused as refused:
                return refused.reason
            return None

        outcomes = Counter(await asyncio.gather(*map(stamp, range(100))))
        held = await ticket_of(made[0], engine, token)
    assert outcomes == {None: 1, Refusal.COUPON_USED: 99}
    assert (held.state, held.uses) == ("used", 1)
    assert counted(observer)["used"] == 1


@on_a_loop
async def test_a_stamp_after_the_end_is_refused(engine: Engine) -> None:
    """Also before the sweep has looked; and after it, by the same name."""
    observer = Recorder()
    async with opened(engine, coupon(), observer=observer) as store:
        token = await handed_out(store)
        late = coupon().ends + 1
        assert await store.run(coupons.stamp_by_pin, PinStamp(token, PIN, late)) is (
            Refusal.COUPON_EXPIRED
        )
        assert await store.run(expire, late) == 1
        assert await store.run(expire, late) == 0
        assert await store.run(coupons.stamp_by_pin, PinStamp(token, PIN, late)) is (
            Refusal.COUPON_EXPIRED
        )
        assert (await ticket_of(store, engine, token)).state == "expired"
    assert counted(observer) == {"issued": 1, "refused": 2, "expired": 1}


@on_a_loop
async def test_wrong_pins_lock_the_ticket_for_a_while(engine: Engine) -> None:
    """The sixth try is not looked at, right or wrong; after ten minutes the right one counts."""
    async with opened(engine, coupon()) as store:
        token = await handed_out(store)

        async def stamp(pin: str, at: int) -> Refusal | None:
            return await store.run(coupons.stamp_by_pin, PinStamp(token, pin, at))

        assert [await stamp("0000", NOON) for _ in range(5)] == [Refusal.COUPON_PIN_WRONG] * 5
        assert await stamp(PIN, NOON) is Refusal.COUPON_PIN_LOCKED
        assert await stamp(PIN, NOON + 599 * SECOND) is Refusal.COUPON_PIN_LOCKED
        assert await stamp("４６４９", NOON + 600 * SECOND) is None


@on_a_loop
async def test_many_tickets_do_not_search_for_the_pin(engine: Engine) -> None:
    """After a hundred wrong ones on all tickets of a shop together, none is taken that day."""
    async with opened(engine, coupon()) as store:
        held = [await handed_out(store, user=user) for user in range(21)]

        async def stamp(token: str, pin: str, at: int = NOON) -> Refusal | None:
            return await store.run(coupons.stamp_by_pin, PinStamp(token, pin, at))

        for token in held[:20]:
            for number in range(5):
                assert await stamp(token, f"000{number}") is Refusal.COUPON_PIN_WRONG
        assert await stamp(held[20], PIN) is Refusal.COUPON_PIN_LOCKED
        by_staff = await store.run(
            coupons.stamp_by_staff, StaffStamp(ACME, held[19], "token:1", NOON)
        )
        assert by_staff.state == "used"
        assert await stamp(held[20], PIN, NOON + DAY) is None


@on_a_loop
async def test_a_pin_opens_only_what_it_is_for(engine: Engine) -> None:
    """A coupon for staff's devices takes no PIN, one for the PIN no device, a code no PIN."""
    by_staff, by_pin = coupon(id="s", stamp="staff"), coupon(id="p", stamp="pin")
    async with opened(engine, by_staff, by_pin, coupon()) as store:
        token = await handed_out(store, coupon_id="s")
        why = await store.run(coupons.stamp_by_pin, PinStamp(token, PIN, NOON))
        assert why is Refusal.COUPON_STAMPED_OTHERWISE
        token = await handed_out(store, coupon_id="p")
        assert await refused(store, StaffStamp(ACME, token, "token:1", NOON)) is (
            Refusal.COUPON_STAMPED_OTHERWISE
        )
        held = await ticket_of(store, engine, token)
        for key in (held.code, "no-token"):
            try:
                await store.run(coupons.stamp_by_pin, PinStamp(key, PIN, NOON))
            except Refused as error:
                assert error.reason is Refusal.NOT_FOUND  # noqa: PT017 - a loop over keys
            else:
                raise AssertionError("a code was taken for a token")
        code = await store.run(
            coupons.stamp_by_staff,
            StaffStamp(ACME, (await ticket_of(store, engine, await handed_out(store))).code, "", 1),
        )
    assert code.state == "used"


async def refused(store: SqlStore, asked: StaffStamp) -> Refusal | None:
    """Why staff could not stamp."""
    try:
        await store.run(coupons.stamp_by_staff, asked)
    except Refused as error:
        return error.reason
    return None


@on_a_loop
async def test_a_shop_without_a_pin_takes_none(engine: Engine) -> None:
    """An empty PIN is not the PIN of a shop that has none."""
    engine.provision(coupon(), _replace(SALON, staff_secret=""))
    async with engine.store(limits=PATIENT) as store:
        token = await handed_out(store)
        why = await store.run(coupons.stamp_by_pin, PinStamp(token, "", NOON))
    assert why is Refusal.COUPON_PIN_WRONG


@on_a_loop
async def test_an_undo_is_audited(engine: Engine) -> None:
    """The stamp goes, the ticket can be used again, and the audit tells who did it."""
    observer = Recorder()
    async with opened(engine, coupon(), observer=observer) as store:
        token = await handed_out(store)
        await store.run(coupons.stamp_by_pin, PinStamp(token, PIN, NOON))
        held = await ticket_of(store, engine, token)
        undone = await store.run(coupons.undo, Correction(ACME, held.id, "token:9", NOON + 1))
        assert (undone.state, undone.uses, undone.used_by) == ("issued", 0, "")
        assert await store.run(coupons.stamp_by_pin, PinStamp(token, PIN, NOON + 2)) is None
    audited = engine.rows("SELECT at, actor, advertiser, action, subject, detail FROM audit")
    at, actor, advertiser, action, subject, detail = audited[0]
    assert (at, actor, advertiser) == (NOON + 1, "token:9", "acme")
    assert (action, subject) == ("coupon.undone", str(held.id))
    assert json.loads(detail) == {"coupon": "autumn"}
    assert counted(observer) == {"issued": 1, "used": 2, "undone": 1}


@on_a_loop
async def test_tickets_of_others_do_not_exist(engine: Engine) -> None:
    """Outside of the scope a ticket is neither stamped, nor undone, nor read."""
    reader = CouponReader(dialect_of(engine.name))
    async with opened(engine, coupon()) as store:
        token = await handed_out(store)
        held = await ticket_of(store, engine, token)
        assert await refused(store, StaffStamp(OTHER, token, "", NOON)) is Refusal.NOT_FOUND
        for use_case in (coupons.undo, coupons.void):
            try:
                await store.run(use_case, Correction(OTHER, held.id, "", NOON))
            except Refused as error:
                assert error.reason is Refusal.NOT_FOUND  # noqa: PT017 - a loop over verbs
            else:
                raise AssertionError("another advertiser's ticket was corrected")
        assert await store.read(reader.ticket, OTHER, token) is None
        assert await store.read(reader.coupon, OTHER, "autumn") is None
        assert await store.read(reader.coupons, OTHER, after="", limit=9) == []
        assert (await store.read(reader.tickets, OTHER, coupon="autumn", after=-1, limit=9)) == []
        assert not await store.read(reader.has_friend, OTHER, held.friend)


# --- reading ---


@on_a_loop
async def test_a_coupon_is_shown_with_its_figures(engine: Engine) -> None:
    """Tickets by state and stamps; pages of tickets by coupon, friend and state."""
    reader = CouponReader(dialect_of(engine.name))
    async with opened(engine, coupon(), coupon(id="pass", uses_per_ticket=0)) as store:
        tokens = [await handed_out(store, user=user) for user in range(3)]
        await store.run(coupons.stamp_by_pin, PinStamp(tokens[0], PIN, NOON))
        token = await handed_out(store, coupon_id="pass", user=0)
        for _ in range(3):
            await store.run(coupons.stamp_by_pin, PinStamp(token, PIN, NOON))
        found = await store.read(reader.coupons, ACME, after="", limit=9)
        assert [(r.coupon.id, dict(r.tickets), r.uses) for r in found] == [
            ("autumn", {"issued": 2, "used": 1}, 1),
            ("pass", {"issued": 1}, 3),
        ]
        assert [
            r.coupon.id for r in await store.read(reader.coupons, ACME, after="autumn", limit=9)
        ] == ["pass"]
        friend = (await ticket_of(store, engine, token)).friend
        assert await store.read(reader.has_friend, ACME, friend)
        theirs = await store.read(reader.tickets, EVERYBODY, friend=friend, after=-1, limit=9)
        assert [held.coupon for held in theirs] == ["autumn", "pass"]
        used = await store.read(
            reader.tickets, ACME, coupon="autumn", state="used", after=-1, limit=9
        )
        assert [held.token for held in used] == [tokens[0]]
        page = await store.read(reader.tickets, ACME, coupon="autumn", after=used[0].id, limit=1)
        assert [held.token for held in page] == [tokens[1]]


# --- LINE's own ---


@on_a_loop
async def test_line_s_own_coupon_is_sent_once_it_is_made(engine: Engine) -> None:
    """Before that nothing is sent; afterwards its id, again and again, on one ticket."""
    observer = Recorder()
    own = coupon(kind="line")
    async with opened(engine, own, observer=observer) as store:
        assert await tried(store) == []
        (work,) = await store.run(coupon_platform.claim, NOON)
        made = _replace(work.held, state="running", platform_id="01ABC")
        await store.run(coupon_platform.settle, made)
        assert await store.run(coupon_platform.claim, NOON) == []
        for _ in range(2):
            assert await tried(store) == [{"type": "coupon", "couponId": "01ABC"}]
    assert engine.rows("SELECT state, token <> '' FROM coupon_tickets")[0][0] == "sent"
    assert counted(observer) == {"refused": 1, "issued": 1}


@on_a_loop
async def test_two_processes_do_not_make_a_coupon_twice(engine: Engine) -> None:
    """Whoever claims it first has it; the other one finds it taken until the lease is over."""
    made = [opened(engine, coupon(kind="line"), coupon(id="two", kind="line"))]
    if engine.name == "postgres":
        made.append(engine.store(limits=PATIENT))
    async with made[0], made[-1] if len(made) > 1 else asyncio.timeout(60):
        claims = await asyncio.gather(
            *(made[turn % len(made)].run(coupon_platform.claim, NOON) for turn in range(8))
        )
        later = NOON + coupon_platform.LEASE_SECONDS * SECOND
        again = await made[0].run(coupon_platform.claim, later)
    assert Counter(work.held.coupon for works in claims for work in works) == {
        "autumn": 1,
        "two": 1,
    }
    assert all(work.again and work.what == "create" for work in again)
    assert len(again) == 2


@on_a_loop
async def test_what_changed_or_went_is_closed(engine: Engine) -> None:
    """A changed coupon is closed and made anew, one that was removed closed; an old one stays."""
    first, gone, over = (coupon(id=name, kind="line") for name in ("first", "gone", "over"))
    async with opened(engine, first, gone, over) as store:
        for work in await store.run(coupon_platform.claim, NOON):
            running = _replace(work.held, state="running", platform_id=work.held.coupon.upper())
            await store.run(coupon_platform.settle, running)
        changed = _replace(first, title="冬の10%OFF")
        engine.provision(changed, removed=[gone])
        later = NOON + 3600 * SECOND
        works = {w.held.coupon: w for w in await store.run(coupon_platform.claim, later)}
        assert {name: work.what for name, work in works.items()} == {
            "first": "close",
            "gone": "close",
        }
        assert works["first"].held.platform_id == "FIRST"
        for work in works.values():
            await store.run(coupon_platform.settle, _replace(work.held, state="closed"))
        (anew,) = await store.run(coupon_platform.claim, later)
        assert (anew.what, anew.held.request) == ("create", text_of(changed))
        assert await store.run(coupon_platform.claim, later) == []
        past = over.ends + 3600 * SECOND
        assert [w.held.coupon for w in await store.run(coupon_platform.claim, past)] == ["first"]


@on_a_loop
async def test_a_refused_coupon_rests(engine: Engine) -> None:
    """It is asked for again when it changes, or when its rest is over."""
    own = coupon(kind="line")
    async with opened(engine, own) as store:
        (work,) = await store.run(coupon_platform.claim, NOON)
        rests = _replace(work.held, state="failed", error="no", busy_until=NOON + DAY)
        await store.run(coupon_platform.settle, rests)
        assert await store.run(coupon_platform.claim, NOON) == []
        assert len(await store.run(coupon_platform.claim, NOON + DAY)) == 1


def test_rows_become_values_by_position() -> None:
    """The columns are the fields of ticket and coupon of LINE, in their order."""
    assert [column.name for column in platform_table.c] == list(Held.__struct_fields__)
    assert [column.name for column in tickets_table.c] == list(Ticket.__struct_fields__)
