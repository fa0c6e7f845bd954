"""Who somebody is, as LINE Login says; no one is believed by their own word."""

from typing import Protocol


class Logins(Protocol):
    """Asks the platform about ID tokens."""

    async def verify(self, id_token: str, login_channel_id: str) -> str:
        """The userId of whom the platform gave ``id_token`` for a LINE Login channel.

        Raises:
            Refused: the platform did not give it, gave it for another channel, or it has expired.
            Transient: the platform cannot be asked.
        """
