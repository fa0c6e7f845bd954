"""Bulk mail: what sends it, what counts it, and what clears it away."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from adapters.smtp.sending.recall import Recall
from adapters.storage.mail.reader import MailReader
from gateway.config import Smtp
from gateway.domain.hours import month_of
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.signups import KEPT_SECONDS
from gateway.domain.values import EVERYBODY, SECOND
from gateway.main.chores import Pace, clean_up
from gateway.main.mail.keys import MailKeys
from gateway.main.mail.sending import Outgoing, sending
from gateway.main.parts import Chore, Deps, Part
from gateway.usecases.mail import retention
from metrics.observer import Metrics

_DAY = 86_400 * SECOND
_SIZES_SECONDS = 15
_IMPORT_DAYS = 90


@dataclass(frozen=True, kw_only=True)
class Mail:
    """Bulk mail, while it is open."""

    part: Part
    keys: MailKeys
    recall: Recall
    """Whoever stops somebody notes it here before they are answered."""
    changed: Callable[[Campaign], object]
    """Whoever pauses, resumes or cancels a campaign tells it here before they are answered."""


@asynccontextmanager
async def mail(deps: Deps, config: Smtp, metrics: Metrics) -> AsyncIterator[Mail]:
    """Bulk mail, open for as long as the daemon runs."""
    keys = MailKeys(deps.store)
    async with sending(deps, config, keys) as out:
        _gauges(metrics, out)
        chores = {
            **out.chores,
            "mail-sizes": _counting(deps, metrics),
            "mail-retention": _forgetting(deps),
        }
        part = Part(chores=chores, handlers=out.singles.handlers)
        yield Mail(part=part, keys=keys, recall=out.recall, changed=out.sender.changed)


def _gauges(metrics: Metrics, out: Outgoing) -> None:
    metrics.gauge("mail_in_hand", lambda: out.sender.in_hand)
    metrics.gauge(
        "mail_relay_failures",
        lambda: {name: relay.failures for name, relay in out.relays.items()},
    )


def _counting(deps: Deps, metrics: Metrics) -> Chore:
    """How many addresses each advertiser may mail."""
    reader = MailReader(deps.database.dialect)
    shown: dict[str, int] = {}

    async def chore() -> None:
        month = month_of(deps.clock())
        sizes = await deps.store.read(reader.sizes, EVERYBODY, month)
        counts: Counter[str] = Counter()
        for (advertiser, _), (now, _) in sizes.items():
            counts[advertiser] += now
        for advertiser in shown.keys() | counts.keys():  # whose last list was removed has 0
            if shown.get(advertiser) != counts[advertiser]:
                shown[advertiser] = counts[advertiser]
                metrics.advertisers.put(advertiser, counts[advertiser], "mail_recipients")
        await asyncio.sleep(_SIZES_SECONDS)

    return chore


def overdue(now: int, consent_days: int) -> list[retention.Forget]:
    """What has passed its time at ``now``, of what people said and asked for."""
    return [
        retention.Forget("consents", now - consent_days * _DAY),
        retention.Forget("suppressions", now),
        retention.Forget("signups", now - KEPT_SECONDS * SECOND),
        retention.Forget("imports", now - _IMPORT_DAYS * _DAY),
    ]


def _forgetting(deps: Deps) -> Chore:
    pace = Pace(deps.clock)
    days = deps.config.retention

    async def chore() -> None:
        await asyncio.sleep(60)
        if not pace.is_even:
            return
        now = deps.clock()
        mails = now - days.mail_days * _DAY
        await clean_up(
            deps.store,
            [
                (retention.forget, retention.Forget("sends", mails)),
                (retention.forget, retention.Forget("bounces", mails)),
                *((retention.forget, job) for job in overdue(now, days.mail_consent_days)),
            ],
        )

    return chore
