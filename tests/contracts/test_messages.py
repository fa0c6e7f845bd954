"""What pushes, staff and templates say names only what their channel has."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from gateway.domain.cards import ShopCard
from gateway.domain.coupons.coupon import Coupon
from gateway.domain.links import Link
from gateway.domain.provisioning import Entity
from gateway.domain.values import EVERYBODY, Scope
from gateway.errors import Refusal, Refused
from gateway.usecases.inbox import Draft, Sending, save_template, send
from tests.support.audience import DAY, NOON, SHOP, Desk, friend, text, user_of
from tests.support.inbox import CLERK
from tests.support.stores import Engine
from tests.support.surveys import survey

ACME = Scope(frozenset({"acme"}))
SECOND_SHOP = msgspec.structs.replace(SHOP, id="acme-second", channel_id="2")
OTHER_SHOP = msgspec.structs.replace(SHOP, id="other-shop", channel_id="3", advertiser="other")


def things(advertiser: str, channel: str, mark: str) -> list[Entity]:
    """A coupon, a card, a survey and a link."""
    return [
        Coupon(f"coupon-{mark}", advertiser, "秋", NOON - DAY, NOON + DAY),
        ShopCard(f"card-{mark}", advertiser, channel, "カード"),
        survey(id=f"survey-{mark}", advertiser=advertiser, channel=channel),
        Link(f"link-{mark}", advertiser, "https://shop.example.jp/menu", channel=channel),
    ]


def naming(what: str, mark: str) -> dict[str, Any]:
    """A message that names one of the things."""
    name = f"{what}-{mark}"
    return text(f"{{link:{name}}}") if what == "link" else {"type": what, what: name}


@pytest.fixture
def desk(engine: Engine) -> Desk:
    """Two shops of one advertiser and one of another's, each with what messages may name."""
    engine.provision(
        *(SHOP, SECOND_SHOP, OTHER_SHOP),
        *things("acme", SHOP.id, "own"),
        *things("acme", SECOND_SHOP.id, "second"),
        *things("other", OTHER_SHOP.id, "other"),
    )
    desk = Desk(engine)
    desk.befriend(friend(1), friend(2, user="C" + user_of(2)[1:], is_group=True))
    return desk


def push(desk: Desk, message: dict[str, Any]) -> Any:
    """A push of it."""
    return desk.create(messages=(text("1"), message))


def write(desk: Desk, message: dict[str, Any], to: int = 1) -> Any:
    """An answer of staff."""
    wish = Sending(
        scope=ACME,
        friend=to,
        actor=CLERK,
        at=NOON,
        seed=desk.seed(),
        messages=[text("1"), message],
    )
    return desk.run(send, wish)


def keep(desk: Desk, message: dict[str, Any], channel: str = SHOP.id) -> Any:
    """A template with it."""
    draft = Draft(
        scope=ACME,
        actor=CLERK,
        at=NOON,
        name="t",
        messages=[text("1"), message],
        seed=desk.seed(),
        advertiser="acme",
        channel=channel,
    )
    return desk.run(save_template, draft)[0]


WAYS = pytest.mark.parametrize("way", [push, write, keep])
THINGS = pytest.mark.parametrize("what", ["coupon", "card", "survey", "link"])


@WAYS
@THINGS
def test_what_the_channel_has_is_named(desk: Desk, way: Callable[..., Any], what: str) -> None:
    """Coupons are the advertiser's, on each of its channels."""
    way(desk, naming(what, "own"))
    if what == "coupon":
        way(desk, naming(what, "second"))


STRANGE = [
    (what, mark)
    for what in ("coupon", "card", "survey", "link")
    for mark in ("second", "other", "nowhere")
    if (what, mark) != ("coupon", "second")
]


@WAYS
@pytest.mark.parametrize(("what", "mark"), STRANGE)
def test_what_the_channel_has_not_is_refused_by_its_field(
    desk: Desk, way: Callable[..., Any], what: str, mark: str
) -> None:
    """Another channel's, another advertiser's, and what is mistyped; nothing is kept."""
    sizes = desk.engine.sizes()
    with pytest.raises(Refused) as caught:
        way(desk, naming(what, mark))
    field = "messages[1]" if what == "link" else f"messages[1].{what}"
    assert caught.value.reason is Refusal.UNKNOWN_REFERENCE
    assert caught.value.detail == f"{field}: the channel has no such {what}"
    assert desk.engine.sizes() == sizes


def test_a_template_of_all_channels_is_asked_again_where_it_is_sent(desk: Desk) -> None:
    """It may name what one of the advertiser's channels has, and nobody else's."""
    template = keep(desk, naming("card", "second"), channel="")
    wish = Sending(
        scope=ACME, friend=1, actor=CLERK, at=NOON, seed=desk.seed(), template=template.id
    )
    with pytest.raises(Refused) as caught:
        desk.run(send, wish)
    assert caught.value.reason is Refusal.UNKNOWN_REFERENCE
    with pytest.raises(Refused) as caught:
        keep(desk, naming("card", "other"), channel="")
    assert caught.value.reason is Refusal.UNKNOWN_REFERENCE


def test_what_counts_per_friend_is_not_for_a_group(desk: Desk) -> None:
    """Nobody would get it; other messages reach a group."""
    write(desk, text("2"), to=2)
    with pytest.raises(Refused) as caught:
        write(desk, naming("coupon", "own"), to=2)
    assert caught.value.reason is Refusal.MESSAGE_INVALID


def test_a_text_of_staff_s_names_nothing(desk: Desk) -> None:
    """Braces in it stand for themselves."""
    wish = Sending(
        scope=EVERYBODY, friend=1, actor=CLERK, at=NOON, seed=desk.seed(), text="{link:nowhere}"
    )
    assert desk.run(send, wish)
