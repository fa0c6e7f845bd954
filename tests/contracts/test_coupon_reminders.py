"""Friends are reminded of tickets that end soon, whatever another shop has set up."""

import json
from contextlib import closing
from typing import Any

import msgspec

from adapters.storage.coupon_reader import CouponReader
from adapters.storage.store import SqlStore
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.coupons.tickets import Ticket
from gateway.domain.values import EVERYBODY, SECOND, Counted, Seed
from gateway.usecases import coupons
from gateway.usecases.coupon_chores import REMIND_AT_ONCE, Reminding, remind
from gateway.usecases.coupons import PinStamp
from tests.support.coupons import DAY, PIN, SALON, ask, asking, coupon, token_in
from tests.support.line import NOON
from tests.support.stores import PATIENT, Engine, Recorder, dialect_of, on_a_loop

_replace = msgspec.structs.replace


def opened(engine: Engine, *held: Coupon, **options: Any) -> SqlStore:
    """A store with a shop and its coupons, yet to be opened."""
    engine.provision(SALON, *held)
    return engine.store(limits=PATIENT, public_url="https://gw.example.jp", **options)


async def handed_out(store: SqlStore, **wish: Any) -> str:
    """The token of the ticket that a friend gets."""
    return token_in(await store.run(ask, asking(**wish)))


async def ticket_of(store: SqlStore, engine: Engine, token: str) -> Ticket:
    """A ticket as it is kept."""
    found = await store.read(CouponReader(dialect_of(engine.name)).ticket, EVERYBODY, token)
    assert found is not None
    return found


def reminding(now: int) -> Reminding:
    """A round of reminders."""
    return Reminding(now, Seed(900_000, REMIND_AT_ONCE, b"0123456789abcdef"))


def stopping(tx: Any, friend: int) -> tuple[None, tuple[()]]:
    """A friend wants no pushes."""
    tx.pushes.stops.stop(EVERYBODY, friend, "acme", SALON.id, NOON, "test")
    return None, ()


@on_a_loop
async def test_a_friend_is_reminded_once(engine: Engine) -> None:
    """Only of what is open, only once; who blocked the shop or wants no pushes gets none."""
    reminded = coupon(reminder_days=3)
    blocked = {"unfollowed_at": NOON + 1}
    async with opened(engine, reminded) as store:
        token = await handed_out(store)
        used = await handed_out(store, user=2)
        await store.run(coupons.stamp_by_pin, PinStamp(used, PIN, NOON))
        await handed_out(store, user=3, more=blocked)
        silent = await ticket_of(store, engine, await handed_out(store, user=4))
        await store.run(stopping, silent.friend)
        due = (await ticket_of(store, engine, token)).remind_at
        assert await store.run(remind, reminding(due - 1)) == 0
        assert await store.run(remind, reminding(due)) == 3
        assert await store.run(remind, reminding(due)) == 0
    rows = engine.rows("SELECT kind, stream, give_up_at, payload FROM outbox")
    ((kind, stream, give_up_at, payload),) = rows
    assert (kind, give_up_at) == ("line.push", reminded.ends)
    said = json.loads(payload)
    assert stream == f"line/{SALON.id}/{said['to']}"
    assert said["to"] == f"U{1:032}"
    assert said["messages"][0]["template"]["actions"][0]["uri"].endswith(f"/c/{token}")


@on_a_loop
async def test_a_reminder_waits_for_a_shop_s_quiet_hours_to_end(engine: Engine) -> None:
    """In hours that the channel keeps quiet it is put off, and comes after them."""
    engine.provision(_replace(SALON, quiet="09:30-11:00"), coupon(reminder_days=3))
    async with engine.store(limits=PATIENT) as store:
        due = (await ticket_of(store, engine, await handed_out(store))).remind_at
        await store.run(remind, reminding(due))
        assert engine.rows("SELECT count(*) FROM outbox") == [(0,)]
        await store.run(remind, reminding(due + 3600 * SECOND))
    assert engine.rows("SELECT count(*) FROM outbox") == [(1,)]


@on_a_loop
async def test_one_shop_s_mistake_does_not_stop_the_others_reminders(engine: Engine) -> None:
    """Quiet hours of no length are none; a ticket that cannot be reckoned is put off by a day."""
    observer = Recorder()
    other = _replace(SALON, id="other-shop", channel_id="2", quiet="21:00-21:00")
    engine.provision(SALON, other, coupon(reminder_days=3))
    async with engine.store(observer, limits=PATIENT) as store:
        mistaken = await ticket_of(store, engine, await handed_out(store))
        await handed_out(store, user=2, channel=other.id)
        token = await handed_out(store, user=3)
        due = (await ticket_of(store, engine, token)).remind_at
        beyond = 9 * 10**18  # in no calendar
        with closing(engine.raw()) as raw:
            raw.execute(f"UPDATE coupon_tickets SET expires_at = {beyond} WHERE id = {mistaken.id}")
        assert await store.run(remind, reminding(due)) == 3
        later = await ticket_of(store, engine, mistaken.token)
        assert await store.run(remind, reminding(due)) == 0
    users = {json.loads(row[0])["to"] for row in engine.rows("SELECT payload FROM outbox")}
    assert users == {f"U{2:032}", f"U{3:032}"}
    assert later.remind_at == due + DAY
    assert Counted("acme", "coupons_total", ("put_off",)) in observer.facts
