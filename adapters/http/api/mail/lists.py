"""Mail lists: what they are, what their sends wait for, and how many addresses they have."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from adapters.http.api.ask import Ask
from adapters.http.api.endpoint import AdvertiserId, Body, Endpoint, Listing, Page, Query
from adapters.http.api.mail.base import LIST, TAG, Halted, Mail, instant, list_of
from gateway.domain.access import MANAGERS, OPERATORS
from gateway.domain.hours import month_of
from gateway.domain.mail.lists import Contract, MailList
from gateway.errors import Refusal, Refused
from gateway.ports import Answer
from gateway.ports.mail.standing import Confirmation, MailCheck
from gateway.usecases.mail.standing import Confirm, Override, confirm, override
from gateway.usecases.mail.views import About, standing
from gateway.usecases.views import Instant, written


class MailListQuery(Listing, frozen=True):
    """Which lists are listed."""

    advertiser: AdvertiserId | None = None


class SizesQuery(Query, frozen=True):
    """Of which month."""

    month: (
        Annotated[
            str,
            Meta(
                pattern="^20[0-9]{2}-(0[1-9]|1[0-2])$",
                description="A month of Asia/Tokyo; the present one unless given.",
                examples=["2026-11"],
            ),
        ]
        | None
    ) = None
    advertiser: AdvertiserId | None = None


class LawBody(Body, frozen=True):
    """A person's word that each of these laws is kept (rule R130)."""

    specified_commercial_transactions: Annotated[bool, Meta(description="特定商取引法")]
    misleading_representations: Annotated[bool, Meta(description="景品表示法")]
    election_law: Annotated[bool, Meta(description="公職選挙法")]


class OverrideBody(Body, frozen=True):
    """Who answers for a list's sending although its domains are not aligned."""

    by: Annotated[str, Meta(min_length=1, max_length=100, description="A person's name.")]


class ConfirmationView(msgspec.Struct, frozen=True):
    """Who gave their word that the law is kept, and when."""

    at: Instant
    by: Annotated[str, Meta(description="The API's token.")]


class CheckView(msgspec.Struct, frozen=True):
    """What `gateway mail check` found of a list's domains."""

    at: Instant
    aligned: Annotated[bool, Meta(description="Whether From, DKIM and SPF agree whose mail it is.")]
    findings: list[str]
    overridden_by: Annotated[str | None, Meta(description="Who wants to send all the same.")]
    overridden_at: Instant | None


class MailListView(msgspec.Struct, frozen=True):
    """A mail list as it is provisioned, but for its keys."""

    id: str
    advertiser: str
    sender: str
    sender_display: str
    sender_name: str
    sender_address: str
    contact: str
    reply_to: str
    contract: Contract
    may_export: Annotated[
        bool, Meta(description="Whether addresses are shown in full, and may be taken out.")
    ]
    attributes: list[str]
    topics: list[str]
    notice_version: str
    signup: bool
    empty_mail: bool
    quiet: str
    pause_percent: int
    click_tracking: bool
    open_tracking: bool


class MailListDetail(msgspec.Struct, frozen=True):
    """A mail list, and what its sends wait for."""

    list: MailListView
    confirmation: ConfirmationView | None
    check: CheckView | None
    halted: Halted


class SizeOf(msgspec.Struct, frozen=True):
    """How many addresses of an advertiser may be mailed under a contract; one on two of its lists
    counts once.
    """

    advertiser: str
    contract: Contract
    addresses: Annotated[int, Meta(description="At this moment.")]
    maximum: Annotated[int, Meta(description="The most at any moment of the month (R68).")]


class SizesView(msgspec.Struct, frozen=True):
    """The sizes of a month."""

    month: str
    items: list[SizeOf]


def endpoints(mail: Mail) -> list[Endpoint]:
    """The calls of the API that tell of mail lists."""

    async def listed(ask: Ask[MailListQuery, None]) -> Page[MailListView]:
        scope = ask.narrowed(ask.query.advertiser)
        after = ask.after(str)
        lists = sorted(
            (
                each
                for each in list(mail.held(MailList).values())
                if scope.covers(each.advertiser) and (after is None or each.id > str(after[0]))
            ),
            key=lambda each: str(each.id),
        )
        return ask.page(lists, lambda each: (each.id,), _shown)

    async def shown(ask: Ask[Query, None]) -> MailListDetail:
        mail_list = list_of(ask, mail.held)
        stands = await ask.wiring.store.run(standing, About(ask.scope, mail_list.id))
        confirmation, check = stands.confirmation, stands.check
        return MailListDetail(
            _shown(mail_list),
            None if confirmation is None else _confirmation(ask, confirmation),
            None if check is None else _check(ask, check),
            await ask.read(mail.halted, mail_list.advertiser),
        )

    async def confirmed(ask: Ask[Query, LawBody]) -> Answer:
        if not all(getattr(ask.body, name) for name in LawBody.__struct_fields__):
            raise Refused(Refusal.LAW_UNCONFIRMED, "all of them are to be confirmed")
        wish = Confirm(ask.scope, ask.access.actor, list_of(ask, mail.held).id, ask.now)
        return await ask.write(confirm, wish, lambda said: _confirmation(ask, said))

    async def overridden(ask: Ask[Query, OverrideBody]) -> Answer:
        mail_list = list_of(ask, mail.held)
        wish = Override(ask.scope, mail_list.id, ask.body.by, ask.access.actor, ask.now)
        return await ask.write(override, wish, lambda check: _check(ask, check))

    async def sizes(ask: Ask[SizesQuery, None]) -> SizesView:
        month = ask.query.month or month_of(ask.now)
        scope = ask.narrowed(ask.query.advertiser)
        found = await ask.read(mail.lists.sizes, scope, month)
        items = [SizeOf(*key, *both) for key, both in sorted(found.items()) if any(both)]
        return SizesView(month, items)

    return [
        Endpoint(
            method="GET",
            path="/mail-lists",
            summary="List mail lists",
            tag=TAG,
            handler=listed,
            query=MailListQuery,
            answer=Page[MailListView],
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="By id. What a list is stands in the provisioning files.",
        ),
        Endpoint(
            method="GET",
            path="/mail-lists/{id}",
            summary="Read a mail list, and what its sends wait for",
            tag=TAG,
            handler=shown,
            answer=MailListDetail,
            segments={"id": LIST},
        ),
        Endpoint(
            method="POST",
            path="/mail-lists/{id}/confirmation",
            summary="Confirm that the law is kept",
            tag=TAG,
            handler=confirmed,
            roles=MANAGERS,
            body=LawBody,
            answer=ConfirmationView,
            segments={"id": LIST},
            refusals=(Refusal.LAW_UNCONFIRMED,),
            description="Rule R130: before the first send of a list. The audit keeps who said so.",
        ),
        Endpoint(
            method="POST",
            path="/mail-lists/{id}/check/override",
            summary="Let a list send although its domains are not aligned",
            tag=TAG,
            handler=overridden,
            roles=OPERATORS,
            body=OverrideBody,
            answer=CheckView,
            segments={"id": LIST},
            refusals=(Refusal.MAIL_UNCHECKED,),
            description="Until the next `gateway mail check` of it.",
        ),
        Endpoint(
            method="GET",
            path="/mail-sizes",
            summary="Read how many addresses there are, and the month's maximum",
            tag=TAG,
            handler=sizes,
            query=SizesQuery,
            answer=SizesView,
            refusals=(Refusal.OUT_OF_SCOPE,),
            description="What may be mailed, neither stopped nor removed, under each contract.",
        ),
    ]


def _shown(mail_list: MailList) -> MailListView:
    return MailListView(
        id=mail_list.id,
        advertiser=mail_list.advertiser,
        sender=mail_list.sender,
        sender_display=mail_list.sender_display,
        sender_name=mail_list.sender_name,
        sender_address=mail_list.sender_address,
        contact=mail_list.contact,
        reply_to=mail_list.reply_to,
        contract=mail_list.contract,
        may_export=mail_list.may_export,
        attributes=list(mail_list.attributes),
        topics=list(mail_list.topics),
        notice_version=mail_list.notice_version,
        signup=mail_list.signup,
        empty_mail=mail_list.empty_mail,
        quiet=mail_list.quiet,
        pause_percent=mail_list.pause_percent,
        click_tracking=mail_list.click_tracking,
        open_tracking=mail_list.open_tracking,
    )


def _confirmation(ask: Ask[Any, Any], said: Confirmation) -> ConfirmationView:
    return ConfirmationView(written(said.at, ask.wiring.zone), said.actor)


def _check(ask: Ask[Any, Any], check: MailCheck) -> CheckView:
    return CheckView(
        at=written(check.at, ask.wiring.zone),
        aligned=check.aligned,
        findings=msgspec.json.decode(check.findings, type=list[str]),
        overridden_by=check.overridden_by or None,
        overridden_at=instant(ask, check.overridden_at),
    )
