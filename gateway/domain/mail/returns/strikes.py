"""Strikes: final failures in a row, after which an address is not mailed any more (rule R75)."""

import msgspec

from gateway.domain.mail.recipients import Recipient, State

MOST = 3
"""So many in a row, and the address is removed."""


def struck(recipient: Recipient, campaign: int, at: int, *, is_hard: bool) -> Recipient:
    """A recipient after a final failure of a campaign's mail; the same where it changes nothing.

    A campaign strikes once at most, however often and by whatever ways its failure is told. Of a
    hard class the address is paused until the campaign is settled: nobody mails what is said not
    to exist, and a report that was wrong is not the end of it.
    """
    if recipient.state == "removed":
        return recipient
    state: State = "paused" if is_hard else recipient.state
    if recipient.struck_by == campaign:
        return msgspec.structs.replace(recipient, state=state)
    strikes = recipient.strikes + 1
    if strikes >= MOST:
        state = "removed"
    return msgspec.structs.replace(
        recipient, state=state, strikes=strikes, struck_by=campaign, struck_at=at
    )
