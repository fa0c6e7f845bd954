"""One schema for two engines; a file a room."""

from adapters.storage.schema import (
    access,
    audience,
    calls,
    campaigns,
    cards,
    coupons,
    effects,
    inbox,
    insight,
    line,
    mail,
    menus,
    postings,
    provisioning,
    surveys,
)
from adapters.storage.schema.base import metadata

__all__ = ["WITHOUT_ADVERTISER", "metadata"]

_ROOMS = (
    provisioning,
    calls,
    effects,
    inbox,
    line,
    access,
    coupons,
    audience,
    cards,
    menus,
    surveys,
    insight,
    postings,
    mail,
    campaigns,
)

WITHOUT_ADVERTISER: dict[str, str] = {
    table: reason for room in _ROOMS for table, reason in room.WITHOUT_ADVERTISER.items()
}
"""Tables without a column ``advertiser``, each with its reason; a test holds the list complete."""
