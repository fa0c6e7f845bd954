"""Surveys: their pages, and their part of the API."""

from adapters.http.api.surveys import endpoints
from adapters.http.pages.base import Pages
from adapters.http.pages.surveys import SurveyPages
from adapters.storage.survey_reader import SurveyReader
from gateway.main.parts import Deps, Part


def part(deps: Deps) -> Part:
    """All of surveys."""
    reader = SurveyReader(deps.database.dialect)
    pages = Pages(deps.observer, deps.log)
    surveys = SurveyPages(deps.store, reader, pages, deps.ids, deps.logins)
    return Part(public=surveys.routes(), endpoints=endpoints(reader))
