"""What a new friend is called."""

import asyncio

import msgspec

from gateway.domain.line.channel import Channel
from gateway.domain.values import SECOND
from gateway.errors import Permanent, Transient
from gateway.ports import Clock, Lane, Store
from gateway.ports.line_platform import Profiles
from gateway.ports.outbox import Claimed, Handler, Outcome
from gateway.usecases.line import Profile, keep_profile

_SECONDS = 4.0
_MOST_ATTEMPTS = 2
"""The greeting waits behind it, and its token does not: rather a greeting without a name."""


class _Wanted(msgspec.Struct):
    channel: str
    user: str


def profiles(store: Store, platform: Profiles, clock: Clock) -> Handler:
    """Carries out ``line.profile``: asks the platform for a friend's name, and keeps it."""

    async def carry_out(effect: Claimed) -> Outcome:
        wanted = msgspec.json.decode(effect.payload, type=_Wanted)
        channel = store.entity(Channel, wanted.channel)
        if channel is None:
            return Outcome("dead", error="no_channel")
        try:
            async with asyncio.timeout(_SECONDS):
                person = await platform.profile(channel, wanted.user)
        except Permanent as error:
            return Outcome("dead", error=str(error.reason))
        except (Transient, TimeoutError) as error:
            reason = str(getattr(error, "reason", "late"))
            if effect.attempts >= _MOST_ATTEMPTS:
                return Outcome("dead", error=reason)
            return Outcome("waiting", clock() + SECOND, error=reason)
        told = Profile(channel.id, person.user, person.name, person.picture_url, person.language)
        try:
            await store.run(keep_profile, told, Lane.BACKGROUND)
        except Transient:
            return Outcome("waiting", clock() + SECOND, error="store")
        return Outcome("done")

    return carry_out
