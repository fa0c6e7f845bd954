"""What the pages and the door of mail need beside the rooms of a transaction."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from gateway.domain.mail.recipients import Suppression
from gateway.domain.mail.tokens import Keys, Named
from gateway.ports.mail.lists import Signup


class CountedLink(msgspec.Struct, frozen=True):
    """Where one link of a campaign leads to."""

    advertiser: str
    url: str


class MailPageReading(Protocol):
    """Reads beside the writer; ``connection`` is what :class:`gateway.ports.Reads` hands in."""

    def link(self, connection: Any, campaign: int, n: int) -> CountedLink | None:
        """A link of a campaign by its number, whoever asks: it was sent to them."""

    def advertiser(self, connection: Any, campaign: int) -> str | None:
        """Whose a campaign is."""

    def list_of(self, connection: Any, named: Named) -> str | None:
        """The list that a token's recipient is on, or was before they were deleted, or asked to be
        put on.
        """

    def signup(self, connection: Any, id_: int) -> Signup | None:
        """A sign-up that a token names."""


class MailKeys(Protocol):
    """The keys of mail, asked of the store once."""

    async def get(self) -> Keys:
        """The keys.

        Raises:
            Transient: the store has not told them yet, and is away.
        """


class Recalls(Protocol):
    """What the sender asks right before it begins a mail."""

    def note(self, suppressions: Sequence[Suppression]) -> None:
        """Take up suppressions that were just committed."""
