"""Coupons: their pages, their part of the API, and what is done about them by the clock."""

from adapters.http.api.coupons import endpoints
from adapters.http.pages.base import Pages
from adapters.http.pages.coupons import CouponPages
from adapters.line.coupons import CouponSync
from adapters.storage.coupon_reader import CouponReader
from gateway.domain.coupons.tickets import is_day
from gateway.main.parts import Chore, Deps, Part, in_rounds, repeating, syncing
from gateway.usecases.coupon_chores import REMIND_AT_ONCE, Reminding, expire, remind

_LOOK_SECONDS = 30
_SYNC_EVERY = 60
"""Seconds after which the platform is brought in line even if nothing new was provisioned: a lost
answer is looked for, and a coupon that failed for want of a connection tried again."""


def part(deps: Deps) -> Part:
    """All of coupons."""
    reader = CouponReader(deps.database.dialect)
    pages = CouponPages(deps.store, reader, Pages(deps.observer, deps.log), deps.config.public_url)
    chores: dict[str, Chore] = {
        "coupons-expire": repeating(deps, _LOOK_SECONDS, expire),
        "coupons-remind": in_rounds(
            deps, _LOOK_SECONDS, remind, Reminding, REMIND_AT_ONCE, is_time=is_day
        ),
    }
    if deps.platform is not None:
        sync = CouponSync(store=deps.store, api=deps.platform, clock=deps.clock, log=deps.log)
        chores["coupons-sync"] = syncing(deps, sync, _SYNC_EVERY)
    return Part(public=pages.routes(), endpoints=endpoints(reader), chores=chores)
