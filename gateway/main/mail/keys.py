"""The keys of mail, read from the store once."""

import secrets

from gateway.domain.mail.tokens import Keys
from gateway.ports import Lane, Store
from gateway.usecases.mail.lists import mail_keys


class MailKeys:
    """All parts of mail share one of these."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._keys: Keys | None = None

    async def get(self) -> Keys:
        """The keys; made where there are none yet.

        Raises:
            Transient: the store is away, and they were never read.
        """
        if self._keys is None:
            fresh = secrets.token_bytes(32)
            self._keys = await self._store.run(mail_keys, fresh, Lane.BACKGROUND)
        return self._keys
