"""What provisioning files ask for."""

import msgspec

from gateway.domain.routing import TrackedNumber
from gateway.domain.tenancy import Advertiser


class Plan(msgspec.Struct, frozen=True):
    """The entities that the files describe in full; all others stay as they are."""

    advertisers: tuple[Advertiser, ...] = ()
    numbers: tuple[TrackedNumber, ...] = ()
    removed_advertisers: tuple[str, ...] = ()
    """Ids that shall not exist; naming one that does not is no error."""
    removed_numbers: tuple[str, ...] = ()
    """Numbers (E.164) that shall not exist; the same holds."""
