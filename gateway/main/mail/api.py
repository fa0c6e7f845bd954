"""The API of mail: lists, recipients, imports, campaigns; and the imports that it begins."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapters.http.api.mail import campaigns, figures, imports, lists, recipients, rights, steps
from adapters.http.api.mail.base import Mail
from adapters.storage.mail.campaigns.reader import CampaignReader
from adapters.storage.mail.reader import MailReader
from adapters.storage.outbox import OutboxReader
from gateway.domain.mail.campaigns import Campaign
from gateway.domain.mail.recipients import Suppression
from gateway.main.mail.importing import carrying, files_of
from gateway.main.mail.preview import composing
from gateway.main.parts import Deps, Part
from gateway.ports.mail.pages import MailKeys, Recalls


class Nobody:
    """The recall where nothing is sent: whoever sends elsewhere reads of stops in the store."""

    def note(self, suppressions: Sequence[Suppression]) -> None:
        """Nothing is to be told to anybody."""


def part(
    deps: Deps,
    keys: MailKeys,
    *,
    recall: Recalls | None = None,
    changed: Callable[[Campaign], object] = lambda campaign: None,
) -> Part:
    """The calls of mail. Lists and recipients are kept, and campaigns drafted, also where no mail
    is sent; where it is, ``recall`` is told of stops, and ``changed`` of campaigns that a person
    paused or cancelled, before they are answered.
    """
    dialect = deps.database.dialect
    files = files_of(deps.config)

    def held(kind: type[Any]) -> Mapping[str, Any]:
        return deps.store.cache.held[kind.table]

    mail = Mail(
        held=held,
        lists=MailReader(dialect),
        campaigns=CampaignReader(dialect),
        keys=keys,
        recall=recall or Nobody(),
        changed=changed,
        staging=files,
        compose=composing(deps.config.public_url),
        halted=OutboxReader(dialect).is_halted,
    )
    rooms = (
        lists,
        recipients,
        rights,
        imports,
        campaigns,
        steps,
        figures,
    )
    return Part(
        endpoints=[endpoint for room in rooms for endpoint in room.endpoints(mail)],
        # Two, so that a small file need not wait for a large one.
        chores={name: carrying(deps, files, keys) for name in ("mail-imports", "mail-imports-2")},
    )
