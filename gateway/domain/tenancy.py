"""Who is who: the operator, agencies, media and advertisers."""

from typing import ClassVar, Literal

import msgspec

OPERATOR = "operator"
"""The root of the tree; it is not provisioned."""

Kind = Literal["agency", "media", "advertiser"]


class Advertiser(msgspec.Struct, frozen=True):
    """One party of the delegation tree; its ``id`` is also the metric label."""

    table: ClassVar[str] = "advertiser"

    id: str
    name: str
    kind: Kind = "advertiser"
    parent: str = OPERATOR

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """Itself."""
        return self.id
