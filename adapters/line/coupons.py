"""LINE's own coupons, made and closed as the provisioning files have them.

The platform has no way to change a coupon, and none to make one only once: what was asked for is
written down first, and where an answer was lost the platform's list is looked through.
"""

from dataclasses import dataclass

import msgspec

from gateway.domain.coupons.platform import Held, State, is_same
from gateway.domain.values import SECOND
from gateway.errors import Permanent, Transient, Trouble
from gateway.ports import Clock, Lane, Store
from gateway.ports.line_platform import CouponApi
from gateway.ports.process import Log
from gateway.usecases.coupon_platform import Work, claim, settle

_LONGEST_ERROR = 300
_AGAIN_SECONDS = 3600  # a refusal may be for the channel's credentials, which somebody mends
_OPEN = ("RUNNING", "DRAFT")
_CLOSED = (Trouble.PLATFORM_MISSING, Trouble.PLATFORM_GONE)

_replace = msgspec.structs.replace


@dataclass(frozen=True, slots=True, kw_only=True)
class CouponSync:
    """Brings the platform to what is provisioned."""

    store: Store
    api: CouponApi
    clock: Clock
    log: Log

    async def once(self) -> int:
        """Do what is to be done now; returns how much it was.

        Raises:
            Transient: the store is away; what was begun is found again.
        """
        works = await self.store.run(claim, self.clock(), Lane.BACKGROUND)
        for work in works:
            where = {"coupon": work.held.coupon, "channel": work.held.channel}
            try:
                held = await self._done(work)
            except Transient as error:
                # It may have arrived or not: when the lease is over, somebody looks.
                self.log.warning("LINE did not answer", reason=error.reason, **where)
            else:
                self.log.info("a coupon of LINE", state=held.state, **where)
                await self.store.run(settle, held, Lane.BACKGROUND)
        return len(works)

    async def _done(self, work: Work) -> Held:
        """What the store is to hold after ``work``.

        Raises:
            Transient: nobody can say whether it was done.
        """
        held = _replace(work.held, busy_until=0)
        try:
            if work.what == "create":
                platform_id = await self._created(work)
                return _replace(held, state="running", platform_id=platform_id, error="")
            await self._close(work)
        except Permanent as error:
            if work.what == "create" or error.reason not in _CLOSED:
                state: State = "failed" if work.what == "create" else "closing"
                later = self.clock() + _AGAIN_SECONDS * SECOND
                said = error.detail[:_LONGEST_ERROR]
                return _replace(held, state=state, error=said, busy_until=later)
        return _replace(held, state="closed", error="")

    async def _created(self, work: Work) -> str:
        found = await self._lost(work) if work.again else ""
        return found or await self.api.create_coupon(work.channel, work.request)

    async def _close(self, work: Work) -> None:
        platform_id = work.held.platform_id or await self._lost(work)
        if platform_id:
            await self.api.close_coupon(work.channel, platform_id)

    async def _lost(self, work: Work) -> str:
        """The platform's id of what was made without our hearing of it; empty where it was not."""
        request = work.request
        for item in await self.api.coupons(work.channel, _OPEN):
            coupon_id = str(item.get("couponId"))
            if item.get("title") != request["title"] or coupon_id in work.known:
                continue
            if is_same(request, await self.api.coupon(work.channel, coupon_id)):
                return coupon_id
        return ""
