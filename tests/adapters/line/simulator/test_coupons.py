"""The Coupon API: what a coupon must be, and what becomes of it."""

from typing import Any

import pytest

from tests.adapters.line.simulator.given import COUPON, START
from tests.adapters.line.simulator.world import World, in_world

LOTTERY = {"type": "lottery", "lotteryProbability": 50, "maxAcquireCount": -1}


def price(kind: str, **fields: Any) -> dict[str, Any]:
    return {"reward": {"type": kind, "priceInfo": fields}}


async def made(world: World, **fields: Any) -> str:
    told = await world.post("/v2/bot/coupon", COUPON | fields)
    assert told.status == 200
    return str(told.json["couponId"])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"acquisitionCondition": LOTTERY},
        {"acquisitionCondition": LOTTERY | {"maxAcquireCount": 999_999}},
        {"maxUseCountPerTicket": -1, "visibility": "PUBLIC"},
        {"description": "あ" * 1000, "usageCondition": "あ" * 100, "couponCode": "A" * 16},
        {"imageUrl": "https://example.jp/a.png", "barcodeImageUrl": "https://example.jp/b.png"},
        {"reward": {"type": "free"}},
        {"reward": {"type": "gift"}},
        {"reward": {"type": "others"}},
        price("discount", type="fixed", fixedAmount=500),
        price("discount", type="explicit", originalPrice=1000, priceAfterDiscount=800),
        price("cashBack", type="fixed", fixedAmount=500),
        price("cashBack", type="percentage", percentage=99),
    ],
)
@in_world()
async def test_a_coupon_is_made_and_shown_as_it_was_asked_for(
    world: World, fields: dict[str, Any]
) -> None:
    """All its fields come back, with its state and its id."""
    coupon_id = await made(world, **fields)
    told = (await world.get(f"/v2/bot/coupon/{coupon_id}")).json
    asked = COUPON | fields
    for name in set(asked) - {"reward"}:
        assert told[name] == asked[name]
    assert told["reward"]["type"] == asked["reward"]["type"]
    assert (told["couponId"], told["status"]) == (coupon_id, "RUNNING")
    assert told["createdTimestamp"] == START


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"title": ""}, "title"),
        ({"title": "あ" * 61}, "title"),
        ({"description": "あ" * 1001}, "description"),
        ({"usageCondition": "あ" * 101}, "usageCondition"),
        ({"couponCode": "A" * 17}, "couponCode"),
        ({"imageUrl": "http://example.jp/a.png"}, "imageUrl"),
        ({"maxUseCountPerTicket": 2}, "maxUseCountPerTicket"),
        ({"maxUseCountPerTicket": None}, "maxUseCountPerTicket"),
        ({"visibility": "SECRET"}, "visibility"),
        ({"timezone": "Asia/Tokyo"}, "timezone"),
        ({"startTimestamp": "now"}, "startTimestamp"),
        ({"endTimestamp": START}, "endTimestamp"),
        ({"acquisitionCondition": None}, "acquisitionCondition"),
        ({"acquisitionCondition": {"type": "referral"}}, "acquisitionCondition.type"),
        (
            {"acquisitionCondition": LOTTERY | {"lotteryProbability": 100}},
            "acquisitionCondition.lotteryProbability",
        ),
        (
            {"acquisitionCondition": LOTTERY | {"maxAcquireCount": 0}},
            "acquisitionCondition.maxAcquireCount",
        ),
        ({"reward": None}, "reward"),
        ({"reward": {"type": "discount"}}, "reward.priceInfo"),
        (price("discount", type="percentage", percentage=0), "reward.priceInfo.percentage"),
        (price("cashBack", type="explicit"), "reward.priceInfo.type"),
        (
            price("discount", type="explicit", originalPrice=1, priceAfterDiscount=1),
            "reward.priceInfo.priceAfterDiscount",
        ),
    ],
)
@in_world()
async def test_a_coupon_against_the_rules_is_refused(
    world: World, fields: dict[str, Any], place: str
) -> None:
    """The fault names the property, and nothing is made."""
    told = await world.post("/v2/bot/coupon", COUPON | fields)
    assert (told.status, list(told.faults)) == (400, [place])
    assert world.channel.coupons == {}


@in_world()
async def test_a_coupon_is_closed_once(world: World) -> None:
    """The second time it is gone; an unknown one is not found."""
    coupon_id = await made(world)
    statuses = [
        (await world.ask("PUT", f"/v2/bot/coupon/{one}/close")).status
        for one in (coupon_id, coupon_id, "unknown")
    ]
    assert statuses == [200, 410, 404]
    assert (await world.get(f"/v2/bot/coupon/{coupon_id}")).json["status"] == "CLOSED"
    assert (await world.get("/v2/bot/coupon/unknown")).status == 404


@in_world()
async def test_coupons_are_listed_by_state_and_in_pages(world: World) -> None:
    """Newest first, as many as were asked for."""
    first, second, third = [await made(world, title=title) for title in ("一", "二", "三")]
    await world.ask("PUT", f"/v2/bot/coupon/{first}/close")
    page = (await world.get("/v2/bot/coupon?limit=2")).json
    assert [item["couponId"] for item in page["items"]] == [third, second]
    rest = (await world.get(f"/v2/bot/coupon?limit=2&start={page['next']}")).json
    assert rest == {"items": [{"couponId": first, "title": "一"}]}
    running = (await world.get("/v2/bot/coupon?status=RUNNING&status=DRAFT")).json["items"]
    assert [item["couponId"] for item in running] == [third, second]
    for wrong in ("status=OPEN", "limit=0", "limit=101", "start=x"):
        assert (await world.get(f"/v2/bot/coupon?{wrong}")).status == 400


@in_world()
async def test_a_coupon_is_sent_as_a_message(world: World) -> None:
    """With the id that the platform gave."""
    message = {"type": "coupon", "couponId": await made(world), "deliveryTag": "autumn"}
    assert (await world.push(message)).status == 200
    assert world.hana.inbox[0].message == message
