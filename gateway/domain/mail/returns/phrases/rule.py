"""A line of the table."""

from typing import NamedTuple

from gateway.domain.mail.returns.bounces import BounceClass

WHO = (
    r"(?:user(?:name|id)?|recipients?|mail ?box|account|address|addressee|alias|subscriber|customer"
    r"|local[- ]?part|destination|person|rcpt|mailbox name|user name|inbox)"
)
"""A pattern: what servers call a recipient."""


class Rule(NamedTuple):
    """Phrases of one meaning."""

    bounce_class: BounceClass
    source: str
    """Who says so; short names are those of the package's docstring."""
    phrases: tuple[str, ...]
    """Patterns of a lower-case text, any of which will do. Each repetition is bounded, so that a
    hostile text of the length that is looked at costs a bounded time.
    """
