"""All dashboards, in both languages."""

from collections.abc import Callable
from functools import partial
from typing import get_args

from metrics.dashboards import advertiser, calls, mail, operator, platform
from metrics.dashboards.grafana import drawn
from metrics.dashboards.text import Language

BOARDS = (operator.BOARD, advertiser.BOARD, calls.BOARD, mail.BOARD, platform.BOARD)

FILES: dict[str, Callable[[], str]] = {
    f"{board.name}.{language}.json": partial(drawn, board, language)
    for board in BOARDS
    for language in get_args(Language)
}
"""By the name of the file, what makes its content."""
