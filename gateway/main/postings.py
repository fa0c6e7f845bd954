"""The posting calendar: its part of the API, and the reminders."""

from adapters.http.api.postings import endpoints
from adapters.storage.insight_reader import ChannelReader
from adapters.storage.postings import PostingReader
from gateway.main.parts import Deps, Part, in_rounds
from gateway.usecases.postings import REMIND_AT_ONCE, Reminding, remind

_LOOK_SECONDS = 30


def part(deps: Deps) -> Part:
    """All of the posting calendar."""
    dialect = deps.database.dialect
    return Part(
        endpoints=endpoints(ChannelReader(dialect), PostingReader(dialect)),
        chores={
            "postings-remind": in_rounds(deps, _LOOK_SECONDS, remind, Reminding, REMIND_AT_ONCE)
        },
    )
