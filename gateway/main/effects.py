"""What is done to the world: one worker of the outbox, with the handlers of all parts."""

import asyncio

from gateway.main.chores import Pace, clean_up
from gateway.main.outbox import Worker
from gateway.main.parts import Chore, Deps, Part
from gateway.ports.outbox import Handlers
from gateway.usecases import outbox

_DAY = 86_400 * 1_000_000


class Effects:
    """Carries out what the outbox holds; hand its :attr:`part` to the daemon."""

    def __init__(self, deps: Deps, handlers: Handlers) -> None:
        """``handlers`` are those of all parts, by kind."""
        self._deps = deps
        self._worker = Worker(store=deps.store, handlers=handlers, clock=deps.clock, log=deps.log)
        self.wake = self._worker.wake

    @property
    def part(self) -> Part:
        """The chores."""
        return Part(chores={"outbox": self._worker.run, "outbox-retention": self._forgetting()})

    def _forgetting(self) -> Chore:
        pace = Pace(self._deps.clock)
        days = self._deps.config.retention

        async def chore() -> None:
            await asyncio.sleep(60)
            if not pace.is_even:
                return
            now = self._deps.clock()
            texts = outbox.Forget("outbox-texts", now - days.line_text_days * _DAY)
            whole = outbox.Forget("outbox", now - days.line_event_days * _DAY)
            await clean_up(self._deps.store, [(outbox.forget, texts), (outbox.forget, whole)])

        return chore
