"""What people write beside a channel's figures: findings of a month, and support calls."""

from collections.abc import Sequence

import msgspec

from gateway.domain.line.channel import Channel
from gateway.domain.values import EVERYBODY, Scope, Seed
from gateway.errors import Refusal, Refused
from gateway.ports import Fact, Transaction
from gateway.ports.insight import Note, SupportCall


class Findings(msgspec.Struct, frozen=True):
    """What the adviser found in a month."""

    scope: Scope
    channel: str
    month: str
    """Well-formed, such as ``2026-11``."""
    text: str
    actor: str
    at: int


def write(tx: Transaction, found: Findings) -> tuple[Note, Sequence[Fact]]:
    """Keep the findings of a month, in the place of earlier ones.

    Raises:
        Refused: there is no such channel.
    """
    channel = _channel(tx, found.scope, found.channel)
    note = Note(channel.id, found.month, channel.advertiser, found.text, found.at, found.actor)
    tx.reports.write(EVERYBODY, note)
    detail = {"month": found.month}
    tx.access.audit(
        EVERYBODY, found.at, found.actor, channel.advertiser, "report.noted", channel.id, detail
    )
    return note, ()


class NewCall(msgspec.Struct, frozen=True):
    """A support call to be logged; the seed has one id."""

    scope: Scope
    channel: str
    began_at: int
    who: str
    minutes: int
    subject: str
    outcome: str
    actor: str
    seed: Seed


def log(tx: Transaction, new: NewCall) -> tuple[SupportCall, Sequence[Fact]]:
    """Log a support call.

    Raises:
        Refused: there is no such channel.
    """
    channel = _channel(tx, new.scope, new.channel)
    call = SupportCall(
        id=new.seed.draw().id(),
        advertiser=channel.advertiser,
        channel=channel.id,
        at=new.began_at,
        who=new.who,
        minutes=new.minutes,
        subject=new.subject,
        outcome=new.outcome,
        logged_by=new.actor,
    )
    tx.reports.log(EVERYBODY, call)
    return call, ()


def _channel(tx: Transaction, scope: Scope, id_: str) -> Channel:
    channel = tx.entities.find(scope, Channel, id_)
    if channel is None:
        raise Refused(Refusal.NOT_FOUND)
    return channel
