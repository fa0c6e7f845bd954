"""Who owns one connection in tests, and hands it the letters of a post."""

import asyncio

from adapters.smtp.delivery.envelopes import Envelope
from adapters.smtp.delivery.wire import Wire
from gateway.domain.mail.answers import Answer
from tests.adapters.smtp.relay_world import Letters


class Owning:
    """Leaves the connection as soon as there is nothing more to take."""

    def __init__(self, post: Letters) -> None:
        self._post = post
        self.gone = asyncio.Event()
        self.ending: Answer | None = None

    def take(self, wire: Wire) -> Envelope | None:
        return self._post.take()

    def settle(self, envelope: Envelope, answer: Answer) -> None:
        self._post.settle(envelope, answer)

    def rest(self, wire: Wire) -> None:
        wire.leave()

    def opened(self, wire: Wire) -> None:
        pass

    def closed(self, wire: Wire, answer: Answer) -> None:
        self.ending = answer
        self.gone.set()
