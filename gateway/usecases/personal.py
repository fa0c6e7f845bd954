"""Whether messages differ from friend to friend."""

from collections.abc import Sequence

from gateway.domain.line.messages import variables_of
from gateway.domain.pushes import Message
from gateway.usecases.sending import is_ours

_FOR_ALL = frozenset({"shop"})
"""Variables that say the same to everybody."""


def is_personal(messages: Sequence[Message]) -> bool:
    """Whether each friend must get them in a request of their own."""
    return any(is_ours(message) or variables_of(message) - _FOR_ALL for message in messages)
