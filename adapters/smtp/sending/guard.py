"""What is looked at once more right before MAIL FROM: may this letter still go?"""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from adapters.smtp.sending.recall import Recall
from gateway.domain.mail.campaigns import Campaign, Letter
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.recipients import Suppression
from gateway.domain.pushes import after_quiet
from gateway.domain.values import SECOND
from gateway.ports import Clock

FRESH_SECONDS = 0.9
"""Whoever has not heard for so long who stopped and what was cancelled sends nothing: sends halt
within a second of the word. It is asked for ten times a second."""

AGE_SECONDS = 10
"""A letter that was handed out longer ago is not sent: others may take its sender for dead."""

EVERYBODYS = "*"
"""Stands for all advertisers, where sends are halted."""

Objection = Literal["", "stopped", "canceled", "later"]
"""Why a letter may not go: its recipient stopped; its campaign was cancelled; or not just now."""


class Guard:
    """What is known of running campaigns, halted advertisers and stops, a moment old at most."""

    def __init__(
        self,
        recall: Recall,
        list_of: Callable[[str], MailList | None],
        clock: Clock,
        steady: Callable[[], float],
    ) -> None:
        """``steady`` is a clock that nobody sets, in seconds."""
        self._recall = recall
        self._list_of = list_of
        self._clock = clock
        self._steady = steady
        self._campaigns: dict[int, Campaign] = {}
        self._changed: dict[int, float] = {}
        self._halted: frozenset[str] = frozenset()
        self._quiet: frozenset[int] = frozenset()
        self._seen_at = float("-inf")

    @property
    def is_fresh(self) -> bool:
        """Whether it is known well enough who stopped, and what was cancelled."""
        return self._steady() - self._seen_at < FRESH_SECONDS

    @property
    def campaigns(self) -> Mapping[int, Campaign]:
        """Campaigns that are being sent, or were a moment ago, by id."""
        return self._campaigns

    def seen(self, campaigns: Iterable[Campaign], halted: frozenset[str], asked_at: float) -> None:
        """What the store said, as of ``asked_at`` (of the steady clock)."""
        held = {campaign.id: campaign for campaign in campaigns}
        for id_, at in tuple(self._changed.items()):
            if at < asked_at:
                del self._changed[id_]
            elif id_ in self._campaigns:  # it was asked before this change was made
                held[id_] = self._campaigns[id_]
        self._campaigns = held
        self._halted = halted
        self._seen_at = asked_at
        now = self._clock()
        self._quiet = frozenset(id_ for id_, each in held.items() if self._is_quiet(each, now))
        self._recall.forget()

    def changed(self, campaign: Campaign) -> None:
        """A campaign was cancelled, paused or resumed by this process just now."""
        self._campaigns[campaign.id] = campaign
        self._changed[campaign.id] = self._steady()

    def sends(self, campaign: Campaign) -> bool:
        """Whether mails of a campaign may go at this moment."""
        return (
            campaign.state == "sending"
            and campaign.id not in self._quiet
            and not self.is_halted(campaign.advertiser)
        )

    def is_halted(self, advertiser: str) -> bool:
        """Whether an advertiser's sends are halted."""
        return advertiser in self._halted or EVERYBODYS in self._halted

    def forbids(
        self, advertiser: str, list_: str, hash_: bytes, topic: str, now: int, *, since: int
    ) -> bool:
        """Whether somebody stopped a moment ago, and after ``since``."""
        return self._recall.forbids(advertiser, list_, hash_, topic, now, since=since)

    def note(self, suppressions: Iterable[Suppression]) -> None:
        """Heed stops that came a moment ago."""
        self._recall.note(suppressions)

    def objection(self, letter: Letter, claimed_at: tuple[int, float], now: int) -> Objection:
        """Why a letter may not go now; ``claimed_at`` by both clocks."""
        campaign = self._campaigns.get(letter.campaign)
        if campaign is not None and campaign.state == "canceled":
            return "canceled"
        if campaign is None or not self.is_fresh or not self.sends(campaign):
            return "later"
        # The one clock stands still while the machine sleeps, and the other one can be set.
        age = abs(now - claimed_at[0])
        if age > AGE_SECONDS * SECOND or self._steady() - claimed_at[1] > AGE_SECONDS:
            return "later"
        if self._recall.forbids(
            campaign.advertiser, campaign.list, letter.hash, campaign.topic, now
        ):
            return "stopped"
        return ""

    def _is_quiet(self, campaign: Campaign, now: int) -> bool:
        mail_list = self._list_of(campaign.list)
        return mail_list is None or after_quiet(mail_list.quiet, now) > now
