"""Who may do what: roles, the tokens of the API, and how far down the tree they reach."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from gateway.domain.tenancy import Advertiser

Role = Literal["operator", "manager", "staff", "viewer"]
"""``viewer`` reads, with callers' numbers masked; ``staff`` also answers people and stamps cards;
``manager`` does all that concerns its advertisers; ``operator`` does everything, for everybody
unless its token names advertisers."""

OPERATORS: frozenset[Role] = frozenset({"operator"})
MANAGERS: frozenset[Role] = OPERATORS | {"manager"}
STAFF: frozenset[Role] = MANAGERS | {"staff"}
READERS: frozenset[Role] = STAFF | {"viewer"}


class Access(msgspec.Struct, frozen=True):
    """What a token stands for. The token itself is kept nowhere, only its SHA-256."""

    id: int
    role: Role
    name: str
    advertisers: tuple[str, ...]
    """Those it was given for; none where it is for everybody."""
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None

    def is_valid(self, now: int) -> bool:
        """Whether it still opens anything at ``now`` (microseconds)."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    @property
    def actor(self) -> str:
        """How the audit names who used it."""
        return f"token:{self.id}"

    @property
    def sees_callers(self) -> bool:
        """Whether it is shown telephone numbers of callers in full."""
        return self.role != "viewer"


def reach(advertisers: Iterable[str], parties: Iterable[Advertiser]) -> frozenset[str]:
    """``advertisers`` and all ``parties`` that stand below them in the tree."""
    below: dict[str, list[str]] = {}
    for party in parties:
        below.setdefault(party.parent, []).append(party.id)
    reached: set[str] = set()
    ahead = list(advertisers)
    while ahead:
        party_id = ahead.pop()
        if party_id not in reached:
            reached.add(party_id)
            ahead += below.get(party_id, ())
    return frozenset(reached)
