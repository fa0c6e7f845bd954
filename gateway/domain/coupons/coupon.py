"""A coupon as it is provisioned."""

from typing import Any, ClassVar, Literal

import msgspec

ODDS_OF = 100
"""A lottery's probability is so many of these: a draw is a number below it."""


class Lottery(msgspec.Struct, frozen=True):
    """A coupon that not everybody gets."""

    probability: int
    """Per cent: a draw below it wins."""
    lost: str = ""
    """What a friend is told who drew a blank; without it a text of ours."""


class Coupon(msgspec.Struct, frozen=True):
    """What one shop hands out: ours, with a page that is stamped, or LINE's own."""

    table: ClassVar[str] = "coupon"

    id: str
    advertiser: str
    title: str
    starts: int
    ends: int
    """Instants; a ticket is good up to and including the latter."""
    kind: Literal["own", "line"] = "own"
    description: str = ""
    usage: str = ""
    """The conditions under which it is taken."""
    image_url: str = ""
    per_friend: int = 1
    """Tickets, or draws, that one friend gets."""
    total: int | None = None
    """Tickets that all friends get together; of a lottery the prizes."""
    valid_days: int | None = None
    """A ticket ends with the day so many days after the one on which it was handed out."""
    uses_per_ticket: int = 1
    """1, or 0 where a ticket may be used again and again."""
    stamp: Literal["pin", "staff", "both"] = "both"
    """Who stamps it: the shop's PIN on the friend's page, staff with a device of theirs."""
    reminder_days: int | None = None
    """A friend who has not used it is reminded so many days before it ends."""
    tags: tuple[str, ...] = ()
    """What a friend who gets it is tagged with."""
    lottery: Lottery | None = None
    campaign: str = ""
    """Coupons under one name are prizes of one campaign."""
    campaign_limit: int = 1
    """How many of them one friend may get."""
    prize: int | None = None
    price: int | None = None
    expected_sales: int | None = None
    """Yen: what a prize is worth, the smallest purchase, what the campaign is expected to sell."""
    joint: bool = False
    """Whether the shops of a quarter hold the lottery together (共同懸賞)."""
    visibility: Literal["UNLISTED", "PUBLIC"] = "UNLISTED"
    """LINE's own alone: who sees it on the platform."""
    reward: dict[str, Any] = {}
    """What it grants, as the platform has it; empty: not told."""

    @property
    def key(self) -> str:
        """Its id."""
        return self.id

    @property
    def owner(self) -> str:
        """Its advertiser."""
        return self.advertiser

    @property
    def is_drawn_by_us(self) -> bool:
        """Whether we draw the lot. LINE draws for its own coupons, each by itself: where several
        are prizes of one campaign, only we can keep the campaign's limit.
        """
        return self.lottery is not None and (self.kind == "own" or bool(self.campaign))

    @property
    def is_drawn_by_line(self) -> bool:
        """Whether LINE draws the lot, and keeps the number of its prizes."""
        return self.lottery is not None and not self.is_drawn_by_us

    def is_won_by(self, luck: int) -> bool:
        """Whether a draw, a number below :data:`ODDS_OF`, wins."""
        return self.lottery is None or luck < self.lottery.probability
