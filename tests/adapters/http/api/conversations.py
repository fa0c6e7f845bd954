"""Surveys, friends and conversations of a shop of ``acme`` for tests of the API."""

from gateway.domain.surveys import Survey
from gateway.usecases.surveys import submit
from tests.adapters.http.api.world import World
from tests.support.surveys import DAY, LIFF_SHOP, do, submission, survey, token_in, wish


def given_survey(world: World, *answers: dict[str, list[str]], **changed: object) -> Survey:
    """A survey that is open now, and answered by a friend for each of ``answers``."""
    asked = survey(starts=world.now - DAY, ends=world.now + DAY, **changed)
    world.engine.provision(LIFF_SHOP, asked)
    for number, given in enumerate(answers):
        token = token_in(world.run(do, wish(asked.id, number, at=world.now)))
        world.run(submit, submission(token, given, at=world.now))
    return asked
