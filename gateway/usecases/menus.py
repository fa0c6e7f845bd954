"""Rich menus: which channels are due, and what is known of their menus on the platform."""

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from gateway.domain.line.channel import Channel
from gateway.domain.menus import RichMenu, Showing, showing
from gateway.domain.values import EVERYBODY, SECOND, Counted, Scope
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.menus import Linked, Placed, Tended

AT_ONCE = 8
"""So many channels are looked after at once."""

LEASE_SECONDS = 180
"""After so long another process may look after a channel whose own one died."""

_LOOK_AGAIN = 3600
_LOOK_AGAIN_AT_SEGMENTS = 300
_FIRST_RETRY = 60
_BUSY_RETRY = 900
_LAST_RETRY = 3600

METRIC = "line_menus_total"


class Look(msgspec.Struct, frozen=True):
    """The wish to know what is due."""

    now: int


class Job(msgspec.Struct, frozen=True):
    """A channel whose menus are to be brought to what they shall be."""

    channel: Channel
    showing: Showing
    digest: str
    placed: tuple[Placed, ...]
    """What is known of its menus."""


def claim(tx: Transaction, look: Look) -> tuple[tuple[Job, ...], Sequence[Fact]]:
    """Take some channels that are due: those whose menus changed, also by the calendar, those whose
    last look is long ago, and those where it failed. Nobody else takes them meanwhile.
    """
    menus: defaultdict[str, list[RichMenu]] = defaultdict(list)
    for menu in tx.entities.all(EVERYBODY, RichMenu):
        menus[menu.channel].append(menu)
    held = tx.menus.tended(EVERYBODY)
    jobs: list[Job] = []
    for name in sorted(menus.keys() | held.keys()):
        channel = tx.entities.find(EVERYBODY, Channel, name)
        if channel is None:  # gone, and its credentials with it
            if name in held:
                tx.menus.leave(EVERYBODY, name)
            continue
        before = held.get(name) or Tended(name, channel.advertiser)
        shown = showing(menus.get(name, ()), look.now)
        digest = shown.digest
        if before.leased_until > look.now:
            continue
        if before.digest == digest and before.due_at > look.now:
            continue
        until = look.now + LEASE_SECONDS * SECOND
        tx.menus.tend(EVERYBODY, msgspec.structs.replace(before, leased_until=until))
        placed = tuple(tx.menus.placed(EVERYBODY, name))
        jobs.append(Job(channel, shown, digest, placed))
        if len(jobs) == AT_ONCE:
            break
    return tuple(jobs), ()


class Ended(msgspec.Struct, frozen=True):
    """What came of looking after a channel."""

    job: Job
    at: int
    deleted: int = 0
    """Menus that nothing needed any more."""
    error: str = ""
    """Why it was not finished: a word, and what the platform said."""
    is_busy: bool = False
    """Whether the platform asked us to slow down."""


def settle(tx: Transaction, ended: Ended) -> tuple[None, Sequence[Fact]]:
    """Give a channel back, and say when to look again: the later, the more often it failed."""
    channel, shown = ended.job.channel, ended.job.showing
    facts: list[Fact] = []
    if ended.deleted:
        facts.append(Counted(channel.advertiser, METRIC, ("deleted",), ended.deleted))
    if not ended.error and not shown.prepared:
        tx.menus.leave(EVERYBODY, channel.id)
        return None, facts
    before = tx.menus.tended(EVERYBODY).get(channel.id) or Tended(channel.id, channel.advertiser)
    failures = before.failures + 1 if ended.error else 0
    if ended.error:
        facts.append(Counted(channel.advertiser, METRIC, ("put_off",)))
        pause = min(_FIRST_RETRY << min(failures - 1, 10), _LAST_RETRY)
        pause = max(pause, _BUSY_RETRY) if ended.is_busy else pause
    else:
        pause = _LOOK_AGAIN_AT_SEGMENTS if shown.segments else _LOOK_AGAIN
    after = Tended(
        channel=channel.id,
        advertiser=channel.advertiser,
        digest=ended.job.digest,
        due_at=ended.at + pause * SECOND,
        leased_until=0,
        synced_at=before.synced_at if ended.error else ended.at,
        failures=failures,
        error=ended.error,
    )
    tx.menus.tend(EVERYBODY, after)
    return None, facts


def place(tx: Transaction, placed: Placed) -> tuple[None, Sequence[Fact]]:
    """Keep how a menu is on the platform."""
    tx.menus.place(EVERYBODY, placed)
    action = {"made": "created", "failed": "refused"}.get(placed.state)
    return None, [Counted(placed.advertiser, METRIC, (action,))] if action else []


def link(tx: Transaction, linked: Linked) -> tuple[None, Sequence[Fact]]:
    """Keep which menu friends see now."""
    tx.menus.link(EVERYBODY, linked)
    return None, ()


class Wish(msgspec.Struct, frozen=True):
    """A person's wish that the menus of a channel be looked after now."""

    scope: Scope
    channel: str
    now: int


def hurry(tx: Transaction, wish: Wish) -> tuple[None, Sequence[Fact]]:
    """Make a channel due.

    Raises:
        Refused: it is unknown.
    """
    if tx.entities.find(wish.scope, Channel, wish.channel) is None:
        raise Refused(Refusal.NOT_FOUND)
    tended = tx.menus.tended(wish.scope).get(wish.channel)
    if tended is not None:  # else it is due, or has no menus
        tx.menus.tend(wish.scope, msgspec.structs.replace(tended, due_at=wish.now))
    return None, ()
