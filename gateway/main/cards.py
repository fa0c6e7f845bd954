"""Shop cards: their pages, their part of the API, and what is done about them by the clock. And
where LINE comes in to all pages that open inside it.
"""

from adapters.http.api.cards import endpoints
from adapters.http.pages.base import Pages
from adapters.http.pages.cards import CardPages
from adapters.http.pages.landing import Find, Landing
from adapters.http.pages.screen import screen_routes
from adapters.storage.card_reader import CardReader
from gateway.domain.line.channel import Channel
from gateway.domain.surveys import Survey
from gateway.errors import Refusal, Refused
from gateway.main.audience import link_pages
from gateway.main.parts import Deps, Part, in_rounds, repeating
from gateway.ports import Store
from gateway.usecases.card_chores import AT_ONCE, Noticing, expire, forget, notice

_LOOK_SECONDS = 60
_HOUR = 3600


def part(deps: Deps) -> Part:
    """All of shop cards; without a log-in to ask, codes are made but cannot be scanned."""
    reader = CardReader(deps.database.dialect)
    pages = Pages(deps.observer, deps.log)
    public = []
    if deps.logins is not None:
        cards = CardPages(
            deps.store, reader, pages, deps.observer, deps.ids, deps.logins, deps.platform
        )
        found = {
            "/p": cards.channel,
            "/q": _survey_channel(deps.store),
            "/r": link_pages(deps).channel,
        }
        landing = Landing(pages, found)
        public = [*cards.routes(), *landing.routes()]
    return Part(
        public=public,
        admin=screen_routes(pages),
        endpoints=endpoints(reader),
        chores={
            "cards-expire": repeating(deps, _LOOK_SECONDS, expire),
            "cards-notice": in_rounds(deps, _LOOK_SECONDS, notice, Noticing, AT_ONCE),
            "cards-forget": repeating(deps, _HOUR, forget),
        },
    )


def _survey_channel(store: Store) -> Find:
    async def find(survey_id: str) -> Channel:
        survey = store.entity(Survey, survey_id)
        channel = store.entity(Channel, survey.channel) if survey else None
        if channel is None:
            raise Refused(Refusal.NOT_FOUND)
        return channel

    return find
