"""Final failures held against addresses: after three in a row they are mailed no more (rule R75).

How many are in a row is counted of the mails themselves: a mail that arrived ends the row, and
that it did is only known once no bounce of it is to come any more.
"""

from collections.abc import Sequence

import msgspec

from gateway.domain.effects import NEVER
from gateway.domain.mail.campaigns import SETTLE_SECONDS, Campaign
from gateway.domain.mail.recipients import Recipient, Suppression
from gateway.domain.mail.returns.bounces import COUNTS
from gateway.domain.mail.returns.strikes import MOST, struck
from gateway.domain.values import EVERYBODY, SECOND, Draw, first_id, nth_id
from gateway.ports import Transaction
from gateway.ports.mail.campaigns import Send

_SETTLE = SETTLE_SECONDS * SECOND

_replace = msgspec.structs.replace


def strike(
    tx: Transaction,
    campaign: Campaign,
    whom: Sequence[int],
    hard: frozenset[int],
    at: int,
    draw: Draw,
) -> Sequence[Suppression]:
    """Hold a final failure against recipients; those who are struck out are suppressed, too. Takes
    an id for each of these.
    """
    if not whom:
        return ()
    known = sorted(tx.mail.recipients.get(EVERYBODY, whom).items())
    after = {id_: struck(one, campaign.id, at, is_hard=id_ in hard) for id_, one in known}
    third = [id_ for id_, one in known if after[id_].state == "removed" != one.state]
    last = tx.campaigns.bounces.last(EVERYBODY, campaign.list, third)
    for id_, before in known:
        if id_ in third:
            row = _row(last.get(id_, ()), at)
            after[id_] = _judged(row, before, after[id_], is_hard=id_ in hard)
    changed = [after[id_] for id_, before in known if after[id_] != before]
    if changed:
        tx.mail.recipients.save(EVERYBODY, changed, at)
    out = [each for each in changed if each.state == "removed"]
    suppressions = [_struck_out(each, at, draw.id()) for each in out]
    if suppressions:
        tx.mail.suppressions.add(EVERYBODY, suppressions)
    return suppressions


def let_go(tx: Transaction, campaign: Campaign, now: int, limit: int) -> int:
    """Let recipients of a campaign's list be mailed again who were paused for as long as bounces
    come, at most ``limit``; of whom it was open whether their strikes are in a row, it is decided.
    How many.

    Each by their own time: a report may come long after its campaign is settled, and a campaign
    may hang for a single mail in doubt.
    """
    tx.mail.sizes.lock(EVERYBODY, (campaign.advertiser,))  # as all do, before any recipient
    some = tx.campaigns.standing.paused(EVERYBODY, campaign.list, now - _SETTLE, limit)
    third = [each.id for each in some if each.strikes >= MOST]
    last = tx.campaigns.bounces.last(EVERYBODY, campaign.list, third)
    after = [_let_go(each, last.get(each.id, ()), now) for each in some]
    if after:
        tx.mail.recipients.save(EVERYBODY, after, now)
    # These ids only tell the time: they need not differ from others'.
    ids = (nth_id(first_id(now), number) for number in range(len(after)))
    suppressions = [
        _struck_out(each, now, id_)
        for each, id_ in zip(after, ids, strict=True)
        if each.state == "removed"
    ]
    if suppressions:
        tx.mail.suppressions.add(EVERYBODY, suppressions)
    return len(after)


def _let_go(recipient: Recipient, last: Sequence[Send], now: int) -> Recipient:
    if recipient.strikes < MOST:
        return _replace(recipient, state="active")
    row, _ = _row(last, now)
    if row >= MOST:
        return _replace(recipient, state="removed")
    return _replace(recipient, state="active", strikes=max(1, row))


def _judged(
    row: tuple[int, bool], before: Recipient, after: Recipient, *, is_hard: bool
) -> Recipient:
    """What becomes of a recipient with the third strike, who has :func:`_row`."""
    length, is_open = row
    if length < MOST:
        state = "paused" if is_hard else before.state
        return _replace(after, state=state, strikes=max(1, length))
    return _replace(after, state="paused") if is_open else after


def _row(last: Sequence[Send], at: int) -> tuple[int, bool]:
    """How many of a recipient's last mails failed in a row, at most :data:`MOST`; and whether it
    is open yet that one between them arrived.
    """
    row, is_open = 0, False
    for send in sorted(last, key=lambda each: each.at, reverse=True):
        if send.bounce_class in COUNTS:
            row += 1
            if row == MOST:
                return row, is_open
        elif send.state == "sent" and not send.bounce_class:
            if send.at + _SETTLE <= at:
                return row, False
            is_open = is_open or row > 0
    return MOST, is_open  # the first one lies too far back: it was counted when it came


def _struck_out(recipient: Recipient, at: int, id_: int) -> Suppression:
    return Suppression(
        recipient.advertiser, recipient.list, recipient.hash, "", id_, at, NEVER, "strikes"
    )
