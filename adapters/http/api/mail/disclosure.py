"""What is kept of a person, as it is disclosed to whoever may be told of it (rules R83, R104)."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.mail.base import Mail, instant
from adapters.http.api.mail.recipients import ConsentView, StopView, consent_view, stop_view
from gateway.domain.mail.lists import MailList
from gateway.domain.mail.profiles import attributes_of
from gateway.domain.mail.recipients import State
from gateway.ports.mail.campaigns import Bounce
from gateway.ports.mail.lists import Signup
from gateway.ports.mail.traces import Sent
from gateway.usecases.mail.rights import Disclosure, Entry
from gateway.usecases.views import Instant, written


class EntryView(msgspec.Struct, frozen=True):
    """Somebody on one list."""

    list: str
    recipient: str
    address: str
    state: State
    attributes: dict[str, str]
    tags: tuple[str, ...]
    strikes: int
    added_at: Instant


class ConsentOfList(msgspec.Struct, frozen=True):
    """A consent, and for which list it was given."""

    list: str
    consent: ConsentView


class SignupView(msgspec.Struct, frozen=True):
    """A sign-up: one that waits, or what a consent came of."""

    list: str
    at: Instant
    state: str
    how: str
    address: str
    attributes: dict[str, str]
    evidence: str
    notice: str


class MailedView(msgspec.Struct, frozen=True):
    """A mail that was sent, or was to be."""

    list: str
    campaign: str
    state: str
    at: Instant | None
    code: int
    bounce_class: str
    text: Annotated[str, Meta(description="What the server said, where it refused.")]


class ResponseView(msgspec.Struct, frozen=True):
    """What somebody did with a mail, or what came of it, for the first time."""

    list: str
    campaign: str
    what: Annotated[str, Meta(description="open, click, stop, complaint or delayed.")]
    at: Instant


class BouncedView(msgspec.Struct, frozen=True):
    """What came back of a mail."""

    list: str
    campaign: str
    at: Instant
    source: str
    bounce_class: str
    action: str
    code: int
    status: str
    text: str


class DisclosureView(msgspec.Struct, frozen=True):
    """What is kept of somebody. What `withheld` names, another has to disclose."""

    advertiser: str
    address: str
    at: Instant
    entries: list[EntryView]
    consents: list[ConsentOfList]
    signups: list[SignupView]
    stops: list[StopView]
    mails: list[MailedView]
    responses: list[ResponseView]
    bounces: list[BouncedView]
    more: Annotated[
        bool,
        Meta(description="Whether something has more than 1,000 rows: here are the latest ones."),
    ]
    withheld: Annotated[
        list[str],
        Meta(
            description="Lists of which this role may not be told: prepaid ones are disclosed by "
            "the contractor (R104), postpaid ones by the operator (R83). Stops of all lists are "
            "told to whom may be told of all."
        ),
    ]


def disclosure_view(ask: Ask[Any, Any], mail: Mail, found: Disclosure) -> DisclosureView:
    """What is kept of somebody, as far as who asks may be told."""
    zone, is_operator = ask.wiring.zone, ask.access.role == "operator"
    theirs = {
        list_.id: list_
        for list_ in mail.held(MailList).values()
        if isinstance(list_, MailList) and list_.advertiser == found.advertiser
    }

    def may_see(list_: str) -> bool:
        # Of a list that is gone, the strictest contract is assumed.
        return (list_ in theirs and theirs[list_].may_export) != is_operator

    kept = (found.consents, found.signups, found.stops, found.mails, found.responses, found.bounces)
    lists = {each.recipient.list for each in found.entries}
    lists |= {each.list for some in kept for each in some}
    if "" in lists:  # a stop of all of them
        lists = lists - {""} | theirs.keys()
    withheld = sorted(list_ for list_ in lists if not may_see(list_))
    sees_all = not withheld
    return DisclosureView(
        advertiser=found.advertiser,
        address=found.address,
        at=written(found.at, zone),
        entries=[_entry(ask, each) for each in found.entries if may_see(each.recipient.list)],
        consents=[
            ConsentOfList(each.list, consent_view(ask, each, masked=False))
            for each in found.consents
            if may_see(each.list)
        ],
        signups=[_signup(ask, each) for each in found.signups if may_see(each.list)],
        stops=[
            stop_view(ask, each)
            for each in found.stops
            if (may_see(each.list) if each.list else sees_all)
        ],
        mails=[_mailed(ask, each) for each in found.mails if may_see(each.list)],
        responses=[
            ResponseView(each.list, str(each.campaign), each.what, written(each.at, zone))
            for each in found.responses
            if may_see(each.list)
        ],
        bounces=[_bounced(ask, each) for each in found.bounces if may_see(each.list)],
        more=found.more,
        withheld=withheld,
    )


def _entry(ask: Ask[Any, Any], entry: Entry) -> EntryView:
    recipient = entry.recipient
    return EntryView(
        recipient.list,
        str(recipient.id),
        recipient.address,
        recipient.state,
        attributes_of(recipient.attributes),
        entry.tags,
        recipient.strikes,
        written(recipient.added_at, ask.wiring.zone),
    )


def _signup(ask: Ask[Any, Any], signup: Signup) -> SignupView:
    return SignupView(
        signup.list,
        written(signup.at, ask.wiring.zone),
        signup.state,
        signup.how,
        signup.address,
        attributes_of(signup.attributes),
        signup.evidence,
        signup.notice,
    )


def _mailed(ask: Ask[Any, Any], sent: Sent) -> MailedView:
    send = sent.send
    return MailedView(
        sent.list,
        str(send.campaign),
        send.state,
        instant(ask, send.at),
        send.code,
        send.bounce_class,
        send.text,
    )


def _bounced(ask: Ask[Any, Any], bounce: Bounce) -> BouncedView:
    return BouncedView(
        bounce.list,
        str(bounce.campaign),
        written(bounce.at, ask.wiring.zone),
        bounce.source,
        bounce.bounce_class,
        bounce.action,
        bounce.code,
        bounce.status,
        bounce.text,
    )
