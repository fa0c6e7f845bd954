"""What each call of the API needs to be asked: ids that exist, and bodies that are right.

A call with parameters in its path, or one that writes, has a sample here; the walk over all calls
fails for one without. What a sample makes belongs to ``acme``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.domain.mail.campaigns import State as MailState
from tests.adapters.http.api.conversations import (
    given_content,
    given_note,
    given_survey,
    given_template,
    given_writer,
)
from tests.adapters.http.api.friends import given_friend, given_push, given_shop
from tests.adapters.http.api.holders import given_card, given_holder
from tests.adapters.http.api.mailing import (
    CONSENT,
    PLAN,
    PREPAID,
    given_campaign,
    given_import,
    given_lists,
    given_recipient,
)
from tests.adapters.http.api.tickets import given_ticket
from tests.adapters.http.api.world import World
from tests.support.audience import SHOP
from tests.support.coupons import SALON


@dataclass(frozen=True)
class Sample:
    """A request that is answered with success by a token of ``acme``."""

    parameters: dict[str, str] = field(default_factory=dict)
    """The path's, by name."""
    body: Any = None
    query: str = ""
    """Without the question mark: what the call cannot do without."""
    kind: str = ""
    """The media type of a body of bytes."""


def _of_a_call(world: World) -> Sample:
    return Sample({"id": world.call()})


def _judged(world: World) -> Sample:
    return Sample({"id": world.call()}, {"outcome": "rejected", "reason": "a supplier"})


def _of_a_coupon(world: World) -> Sample:
    given_ticket(world)
    return Sample({"id": "autumn"})


def _stamped(world: World) -> Sample:
    return Sample({"token": given_ticket(world).token})


def _unstamped(world: World) -> Sample:
    return Sample({"id": str(given_ticket(world, stamped=True).id)})


def _of_a_writer(world: World, body: Any = None) -> Sample:
    return Sample({"id": str(given_writer(world).id)}, body)


def _of_a_note(world: World) -> Sample:
    note = given_note(world)
    return Sample({"id": str(note.friend), "note": str(note.id)})


def _of_a_content(world: World) -> Sample:
    content = given_content(world)
    return Sample({"id": str(content.friend), "message": content.message_id})


_SAID = [{"type": "text", "text": "{name}さん"}]


def _of_a_template(world: World, body: Any = None) -> Sample:
    return Sample({"id": str(given_template(world).id)}, body)


def _of_a_survey(world: World) -> Sample:
    return Sample({"id": given_survey(world).id})


def _of_texts(world: World) -> Sample:
    return Sample({"id": given_survey(world).id}, query="question=wish")


def _of_a_channel(world: World) -> Sample:
    world.engine.provision(SALON)
    return Sample(body={"channel": SALON.id})


def _of_a_card(world: World) -> Sample:
    given_card(world)
    return Sample({"id": "acme-card"})


def _coded(world: World) -> Sample:
    given_card(world)
    return Sample({"id": "acme-card"}, {"counter": "till-1"})


def _of_a_holder(world: World) -> Sample:
    return Sample({"id": "acme-card", "friend": given_holder(world).friend})


def _rewarded(world: World) -> Sample:
    parameters = {"id": "acme-card", "friend": given_holder(world).friend}
    return Sample(parameters, {"points": 1, "reason": "a paper card"})


def _taken_back(world: World) -> Sample:
    holder = given_holder(world)
    return Sample({"id": "acme-card", "friend": holder.friend, "entry": holder.entry})


def _of_channel(world: World) -> Sample:
    world.engine.provision(SALON)
    return Sample({"id": SALON.id})


def _of_month(world: World) -> Sample:
    return Sample(_of_channel(world).parameters | {"month": "2026-11"})


def _noted(world: World) -> Sample:
    return Sample(_of_month(world).parameters, {"text": "Friends grew."})


def _supported(world: World) -> Sample:
    call = {"who": "Sato", "minutes": 20, "subject": "rich menu", "outcome": "changed"}
    return Sample(_of_channel(world).parameters, call)


def _planned(world: World) -> Sample:
    posting = {"at": "2026-12-01T12:00:00+09:00", "title": "冬のメニュー"}
    return Sample(_of_channel(world).parameters, posting)


def _replanned(world: World) -> Sample:
    sample = _planned(world)
    path, token = f"/channels/{SALON.id}/postings", world.token("operator", "acme")
    made = world.ask("POST", path, token=token, body=sample.body).json
    return Sample(sample.parameters | {"posting": made["id"]}, sample.body | {"state": "done"})


def _of_a_friend(world: World) -> Sample:
    return Sample({"id": given_friend(world, "vip")})


def _of_a_tag(world: World) -> Sample:
    return Sample({"id": given_friend(world), "tag": "vip"})


def _of_a_shop(world: World) -> Sample:
    given_shop(world)
    return Sample({"id": SHOP.id})


def _of_a_segment(world: World) -> Sample:
    given_shop(world)
    return Sample({"id": "vips"})


def _of_a_link(world: World) -> Sample:
    given_shop(world)
    return Sample({"id": "menu"})


def _pushed(world: World) -> Sample:
    given_shop(world)
    messages = [{"type": "text", "text": "{link:menu}"}]
    return Sample(body={"channel": SHOP.id, "segment": "vips", "messages": messages})


def _of_a_push(world: World) -> Sample:
    return Sample({"id": given_push(world)})


def _of_a_list(world: World, body: Any = None, list_: str = PREPAID.id) -> Sample:
    given_lists(world)
    return Sample({"id": list_}, body)


def _of_a_recipient(world: World, body: Any = None) -> Sample:
    recipient = given_recipient(world)
    return Sample({"id": recipient.list, "recipient": str(recipient.id)}, body)


def _of_a_person(world: World) -> Sample:
    address = given_recipient(world).address
    return Sample(body={"advertiser": "acme", "address": address})


def _imported(world: World) -> Sample:
    given_lists(world)
    stated = "consent_at=2026-10-01T09:00:00Z&consent_how=form&consent_evidence=1&notice=3"
    return Sample({"id": PREPAID.id}, b"address\nhanako@docomo.ne.jp\n", stated, "text/csv")


def _of_an_import(world: World) -> Sample:
    imported = given_import(world)
    return Sample({"id": imported.list, "import": str(imported.id)})


def _drafted(world: World) -> Sample:
    given_lists(world)
    return Sample(body={"list": PREPAID.id, "plan": PLAN})


def _of_a_campaign(world: World, body: Any = None, state: MailState = "draft") -> Sample:
    return Sample({"id": str(given_campaign(world, state).id)}, body)


_LAW = {
    "specified_commercial_transactions": True,
    "misleading_representations": True,
    "election_law": True,
}

MAIL_SAMPLES: dict[tuple[str, str], Callable[[World], Sample]] = {
    ("GET", "/mail-lists/{id}"): _of_a_list,
    ("POST", "/mail-lists/{id}/confirmation"): lambda world: _of_a_list(world, _LAW),
    ("POST", "/mail-lists/{id}/check/override"): lambda world: _of_a_list(world, {"by": "Sato"}),
    ("GET", "/mail-lists/{id}/recipients"): _of_a_list,
    ("POST", "/mail-lists/{id}/recipients"): lambda world: _of_a_list(
        world, {"address": "jiro@docomo.ne.jp", "consent": CONSENT}
    ),
    ("GET", "/mail-lists/{id}/recipients.csv"): _of_a_list,
    ("GET", "/mail-lists/{id}/recipients/{recipient}"): _of_a_recipient,
    ("PATCH", "/mail-lists/{id}/recipients/{recipient}"): lambda world: _of_a_recipient(
        world, {"attributes": {"pref": "東京"}, "tags": ["vip"]}
    ),
    ("DELETE", "/mail-lists/{id}/recipients/{recipient}"): _of_a_recipient,
    ("POST", "/mail-lists/{id}/stops"): lambda world: _of_a_list(
        world, {"address": "stopped@docomo.ne.jp"}
    ),
    ("POST", "/mail-disclosures"): _of_a_person,
    ("POST", "/mail-erasures"): _of_a_person,
    ("POST", "/mail-lists/{id}/imports"): _imported,
    ("GET", "/mail-lists/{id}/imports"): _of_a_list,
    ("GET", "/mail-lists/{id}/imports/{import}"): _of_an_import,
    ("GET", "/mail-lists/{id}/imports/{import}/lines"): _of_an_import,
    ("POST", "/mail-campaigns"): _drafted,
    ("GET", "/mail-campaigns/{id}"): _of_a_campaign,
    ("PUT", "/mail-campaigns/{id}"): lambda world: _of_a_campaign(world, PLAN),
    ("POST", "/mail-campaigns/{id}/preview"): lambda world: _of_a_campaign(
        world, {"values": {"name": "太郎"}}
    ),
    ("POST", "/mail-campaigns/{id}/trial"): lambda world: _of_a_campaign(
        world, {"addresses": ["clerk@acme.example"]}
    ),
    ("POST", "/mail-campaigns/{id}/schedule"): _of_a_campaign,
    ("POST", "/mail-campaigns/{id}/unschedule"): lambda world: _of_a_campaign(
        world, state="scheduled"
    ),
    ("POST", "/mail-campaigns/{id}/cancel"): _of_a_campaign,
    ("POST", "/mail-campaigns/{id}/pause"): lambda world: _of_a_campaign(world, state="sending"),
    ("POST", "/mail-campaigns/{id}/resume"): lambda world: _of_a_campaign(world, state="paused"),
    ("POST", "/mail-campaigns/{id}/doubts"): lambda world: _of_a_campaign(world, {"to": "drop"}),
    ("POST", "/mail-campaigns/{id}/resend"): lambda world: _of_a_campaign(
        world, {"name": "もう一度"}, "done"
    ),
    ("GET", "/mail-campaigns/{id}/figures"): _of_a_campaign,
    ("GET", "/mail-campaigns/{id}/sends"): _of_a_campaign,
}


SAMPLES: dict[tuple[str, str], Callable[[World], Sample]] = {
    ("GET", "/calls/{id}"): _of_a_call,
    ("PUT", "/calls/{id}/outcome"): _judged,
    ("GET", "/reports/calls"): lambda world: Sample(query="by=day"),
    ("GET", "/coupons/{id}"): _of_a_coupon,
    ("GET", "/coupons/{id}/tickets"): _of_a_coupon,
    ("GET", "/friends/{id}/coupons"): lambda world: Sample({"id": str(given_ticket(world).friend)}),
    ("POST", "/coupons/tickets/{token}/stamp"): _stamped,
    ("POST", "/coupons/tickets/{id}/undo"): _unstamped,
    ("POST", "/coupons/tickets/{id}/void"): _unstamped,
    ("POST", "/menus/sync"): _of_a_channel,
    ("GET", "/channels/{id}/tags"): _of_a_shop,
    ("GET", "/channels/{id}/push-preview"): _of_a_shop,
    ("GET", "/friends/{id}/tags"): _of_a_friend,
    ("PUT", "/friends/{id}/tags/{tag}"): _of_a_tag,
    ("DELETE", "/friends/{id}/tags/{tag}"): _of_a_tag,
    ("GET", "/friends/{id}/pushes"): _of_a_friend,
    ("PUT", "/friends/{id}/stop"): _of_a_friend,
    ("DELETE", "/friends/{id}/stop"): _of_a_friend,
    ("GET", "/friends/{id}/steps"): _of_a_friend,
    ("GET", "/segments/{id}/size"): _of_a_segment,
    ("POST", "/pushes"): _pushed,
    ("GET", "/pushes/{id}"): _of_a_push,
    ("POST", "/pushes/{id}/cancel"): _of_a_push,
    ("GET", "/links/{id}/days"): _of_a_link,
    ("GET", "/surveys/{id}/results"): _of_a_survey,
    ("GET", "/surveys/{id}/texts"): _of_texts,
    ("GET", "/cards/{id}/holders"): _of_a_card,
    ("GET", "/cards/{id}/printed"): _of_a_card,
    ("POST", "/cards/{id}/codes"): _coded,
    ("GET", "/friends/{id}/cards"): lambda world: Sample({"id": given_holder(world).friend}),
    ("GET", "/cards/{id}/holders/{friend}/points"): _of_a_holder,
    ("POST", "/cards/{id}/holders/{friend}/points"): _rewarded,
    ("POST", "/cards/{id}/holders/{friend}/points/{entry}/undo"): _taken_back,
    ("GET", "/channels/{id}/check"): _of_channel,
    ("GET", "/channels/{id}/insight"): _of_channel,
    ("GET", "/channels/{id}/reports/{month}"): _of_month,
    ("PUT", "/channels/{id}/reports/{month}/notes"): _noted,
    ("GET", "/channels/{id}/support-calls"): _of_channel,
    ("POST", "/channels/{id}/support-calls"): _supported,
    ("GET", "/channels/{id}/postings"): _of_channel,
    ("POST", "/channels/{id}/postings"): _planned,
    ("PUT", "/channels/{id}/postings/{posting}"): _replanned,
    ("GET", "/channels/{id}/calendar.ics"): _of_channel,
    ("GET", "/conversations/{id}"): _of_a_writer,
    ("GET", "/conversations/{id}/messages"): _of_a_writer,
    ("POST", "/conversations/{id}/messages"): lambda world: _of_a_writer(world, {"text": "はい"}),
    ("POST", "/conversations/{id}/read"): _of_a_writer,
    ("PUT", "/conversations/{id}/assignee"): lambda world: _of_a_writer(world, {"assignee": "me"}),
    ("POST", "/conversations/{id}/handover"): lambda world: _of_a_writer(world, {"staff": True}),
    ("GET", "/conversations/{id}/notes"): _of_a_writer,
    ("POST", "/conversations/{id}/notes"): lambda world: _of_a_writer(world, {"text": "甘党"}),
    ("DELETE", "/conversations/{id}/notes/{note}"): _of_a_note,
    ("GET", "/conversations/{id}/contents/{message}"): _of_a_content,
    ("POST", "/templates"): lambda world: Sample(
        body={"advertiser": "acme", "name": "挨拶", "messages": _SAID}
    ),
    ("GET", "/templates/{id}"): _of_a_template,
    ("PUT", "/templates/{id}"): lambda world: _of_a_template(
        world, {"name": "挨拶", "messages": _SAID}
    ),
    ("DELETE", "/templates/{id}"): _of_a_template,
    ("DELETE", "/friends/{id}"): _of_a_writer,
    **MAIL_SAMPLES,
}
