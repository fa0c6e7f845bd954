"""The platform's official package works against the simulator, unchanged but for the address."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from linebot.v3 import audience, insight, messaging, oauth
from linebot.v3.audience import api as audience_api
from linebot.v3.messaging.exceptions import ApiException

from tests.adapters.line.simulator.given import ASSERTION, MENU, jwt, picture
from tests.adapters.line.simulator.world import KEY, NOW, PUBLIC, SECOND, World, in_world

R = TypeVar("R")

HELLO = messaging.TextMessage(text="こんにちは")


async def with_api(world: World, ask: Callable[[messaging.MessagingApi], R]) -> R:
    """Ask the synchronous client, in a thread as a program of its own would."""

    def run() -> R:
        settings = messaging.Configuration(host=world.platform.url, access_token=world.token)
        with messaging.ApiClient(settings) as client:
            return ask(messaging.MessagingApi(client))

    return await asyncio.to_thread(run)


async def with_data_api(world: World, ask: Callable[[messaging.MessagingApiBlob], R]) -> R:
    """The same for what lies on the data host."""

    def run() -> R:
        settings = messaging.Configuration(host=world.platform.url, access_token=world.token)
        with messaging.ApiClient(settings) as client:
            return ask(messaging.MessagingApiBlob(client))

    return await asyncio.to_thread(run)


@asynccontextmanager
async def async_api(world: World) -> AsyncIterator[messaging.AsyncMessagingApi]:
    settings = messaging.Configuration(host=world.platform.url, access_token=world.token)
    async with messaging.AsyncApiClient(settings) as client:
        yield messaging.AsyncMessagingApi(client)


def a_push(world: World) -> messaging.PushMessageRequest:
    return messaging.PushMessageRequest(to=world.hana.user_id, messages=[HELLO])


@in_world()
async def test_the_asynchronous_client_replies_and_pushes(world: World) -> None:
    """And gets the ids of what the friend received."""
    said = await world.hana.say("やあ")
    token = said.event["replyToken"]
    async with async_api(world) as api:
        request = messaging.ReplyMessageRequest(reply_token=token, messages=[HELLO])
        replied = await api.reply_message(request)
        pushed = await api.push_message(a_push(world), x_line_retry_key=KEY)
    received = [got.message_id for got in world.hana.inbox]
    assert [replied.sent_messages[0].id, pushed.sent_messages[0].id] == received
    assert [(got.kind, got.message["text"]) for got in world.hana.inbox] == [
        ("reply", "こんにちは"),
        ("push", "こんにちは"),
    ]


@in_world()
async def test_the_client_is_told_of_a_repeated_key(world: World) -> None:
    """409, with the header and the messages that were accepted."""
    async with async_api(world) as api:
        first = await api.push_message_with_http_info(a_push(world), x_line_retry_key=KEY)
        with pytest.raises(ApiException) as refused:
            await api.push_message(a_push(world), x_line_retry_key=KEY)
    assert refused.value.status == 409
    accepted = refused.value.headers["x-line-accepted-request-id"]
    assert accepted == first.headers["x-line-request-id"]
    told = messaging.ErrorResponse.from_json(refused.value.body)
    assert told.sent_messages == first.data.sent_messages


@in_world()
async def test_the_client_reads_an_error_with_its_details(world: World) -> None:
    """What is wrong, and where."""
    request = messaging.BroadcastRequest(messages=[messaging.TextMessage(text="")])
    with pytest.raises(ApiException) as refused:
        await with_api(world, lambda api: api.broadcast(request))
    told = messaging.ErrorResponse.from_json(refused.value.body)
    assert [(detail.var_property, detail.message) for detail in told.details] == [
        ("messages[0].text", "May not be empty")
    ]


@in_world()
async def test_the_synchronous_client_sends_to_many(world: World) -> None:
    """Multicast, broadcast and narrowcast, with its progress."""
    many = messaging.MulticastRequest(to=[world.hana.user_id], messages=[HELLO])
    await with_api(world, lambda api: api.multicast(many))
    everybody = messaging.BroadcastRequest(messages=[HELLO])
    await with_api(world, lambda api: api.broadcast(everybody))
    some = messaging.NarrowcastRequest(messages=[HELLO])
    told = await with_api(world, lambda api: api.narrowcast_with_http_info(some))
    request_id = told.headers["x-line-request-id"]
    progress = await with_api(world, lambda api: api.get_narrowcast_progress(request_id))
    assert (told.status_code, progress.phase, progress.success_count) == (202, "succeeded", 1)
    kinds = [got.kind for got in world.hana.inbox]
    assert kinds == ["multicast", "broadcast", "narrowcast"]
    used = await with_api(world, lambda api: api.get_message_quota_consumption())
    assert used.total_usage == 3
    assert (await with_api(world, lambda api: api.get_message_quota())).type == "none"


@in_world()
async def test_the_client_sends_rich_messages_as_they_are(world: World) -> None:
    """Flex, template and quick replies arrive as the package wrote them."""
    bubble = messaging.FlexBubble(
        body=messaging.FlexBox(layout="vertical", contents=[messaging.FlexText(text="肉")])
    )
    tap = messaging.PostbackAction(label="押す", data="a=1")
    confirm = messaging.ConfirmTemplate(text="はい?", actions=[tap, tap])
    item = messaging.QuickReplyItem(action=messaging.MessageAction(label="はい", text="はい"))
    messages = [
        messaging.FlexMessage(alt_text="肉", contents=bubble),
        messaging.TemplateMessage(alt_text="はい?", template=confirm),
        messaging.TextMessage(text="?", quick_reply=messaging.QuickReply(items=[item])),
    ]
    request = messaging.PushMessageRequest(to=world.hana.user_id, messages=messages)
    async with async_api(world) as api:
        await api.push_message(request)
    kinds = [got.message["type"] for got in world.hana.inbox]
    assert kinds == ["flex", "template", "text"]
    assert world.hana.inbox[0].message["contents"]["body"]["contents"][0]["text"] == "肉"


@in_world()
async def test_the_client_makes_and_closes_coupons(world: World) -> None:
    """Create, list by state, look at, close, and the 410 of a second closing."""
    price = messaging.DiscountPercentagePriceInfoRequest(percentage=10)
    request = messaging.CouponCreateRequest(
        title="一割引",
        acquisition_condition=messaging.LotteryAcquisitionConditionRequest(
            lottery_probability=50, max_acquire_count=100
        ),
        max_use_count_per_ticket=1,
        start_timestamp=NOW // SECOND,
        end_timestamp=NOW // SECOND + 86_400,
        timezone="ASIA_TOKYO",
        visibility="UNLISTED",
        reward=messaging.CouponDiscountRewardRequest(price_info=price),
    )
    made = await with_api(world, lambda api: api.create_coupon(request))
    shown = await with_api(world, lambda api: api.get_coupon_detail(made.coupon_id))
    assert (shown.title, shown.status) == ("一割引", "RUNNING")
    assert shown.reward.price_info.percentage == 10
    assert shown.acquisition_condition.lottery_probability == 50
    states = ["RUNNING", "DRAFT"]
    listed = await with_api(world, lambda api: api.list_coupon(status=states, limit=5))
    assert [item.coupon_id for item in listed.items] == [made.coupon_id]
    message = messaging.CouponMessage(coupon_id=made.coupon_id)
    push = messaging.PushMessageRequest(to=world.hana.user_id, messages=[message])
    await with_api(world, lambda api: api.push_message(push))
    await with_api(world, lambda api: api.close_coupon(made.coupon_id))
    with pytest.raises(ApiException) as refused:
        await with_api(world, lambda api: api.close_coupon(made.coupon_id))
    assert refused.value.status == 410


@in_world()
async def test_the_client_makes_paints_and_links_menus(world: World) -> None:
    """With the image on the data host, an alias, the default, and one user's own."""
    menu = messaging.RichMenuRequest.from_dict(MENU)
    made = await with_api(world, lambda api: api.create_rich_menu(menu))
    menu_id = made.rich_menu_id
    await with_data_api(
        world,
        lambda api: api.set_rich_menu_image(
            menu_id, body=bytearray(picture()), _headers={"Content-Type": "image/png"}
        ),
    )
    image = await with_data_api(world, lambda api: api.get_rich_menu_image(menu_id))
    assert bytes(image) == picture()
    await with_api(world, lambda api: api.set_default_rich_menu(menu_id))
    user = world.hana.user_id
    await with_api(world, lambda api: api.link_rich_menu_id_to_user(user, menu_id))
    alias = messaging.CreateRichMenuAliasRequest(rich_menu_alias_id="a", rich_menu_id=menu_id)
    await with_api(world, lambda api: api.create_rich_menu_alias(alias))
    aliases = await with_api(world, lambda api: api.get_rich_menu_alias_list())
    assert [one.rich_menu_id for one in aliases.aliases] == [menu_id]
    linked = await with_api(world, lambda api: api.get_rich_menu_id_of_user(user))
    assert linked.rich_menu_id == menu_id
    menus = await with_api(world, lambda api: api.get_rich_menu_list())
    assert menus.richmenus[0].areas[0].action.data == "a=1"
    await with_api(world, lambda api: api.delete_rich_menu(menu_id))
    assert world.hana.menu is None


@in_world()
async def test_the_client_learns_who_is_there(world: World) -> None:
    """Profile, followers, the bot itself, a group, and a picture that was sent."""
    sent = await world.hana.send_image(b"picture")
    group = world.channel.group("町内会", world.hana)
    await group.join()
    async with async_api(world) as api:
        profile = await api.get_profile(world.hana.user_id)
        followers = await api.get_followers()
        bot = await api.get_bot_info()
        summary = await api.get_group_summary(group.id)
    assert (profile.display_name, followers.user_ids) == ("花子", [world.hana.user_id])
    assert (bot.user_id, summary.group_name) == (world.channel.bot_user_id, "町内会")
    content = await with_data_api(world, lambda api: api.get_message_content(sent.message_id))
    assert bytes(content) == b"picture"


@in_world()
async def test_the_client_sets_and_tests_the_webhook(world: World) -> None:
    """As the onboarding of a shop does."""
    world.platform.reachable[PUBLIC] = world.listener.url.rpartition("/line")[0]
    url = f"{PUBLIC}/line/shop"
    async with async_api(world) as api:
        await api.set_webhook_endpoint(messaging.SetWebhookEndpointRequest(endpoint=url))
        shown = await api.get_webhook_endpoint()
        tested = await api.test_webhook_endpoint(messaging.TestWebhookEndpointRequest())
    assert (shown.endpoint, shown.active) == (url, True)
    assert (tested.success, tested.status_code) == (True, 200)


@in_world()
async def test_the_client_gets_tokens_of_every_kind(world: World) -> None:
    """Stateless, of a chosen life, short-lived; each verified by its own endpoint."""

    def run() -> list[int]:
        settings = oauth.Configuration(host=world.platform.url)
        with oauth.ApiClient(settings) as client:
            api = oauth.ChannelAccessToken(client)
            credentials = (world.channel.id, world.channel.secret)
            stateless = api.issue_stateless_channel_token_by_client_secret(*credentials)
            proof = jwt(
                iss=world.channel.id,
                sub=world.channel.id,
                aud="https://api.line.me/",
                exp=NOW // SECOND + 60,
                token_exp=3600,
            )
            chosen = api.issue_channel_token_by_jwt("client_credentials", ASSERTION, proof)
            known = api.gets_all_valid_channel_access_token_key_ids(ASSERTION, proof)
            assert known.kids == [chosen.key_id]
            verified = api.verify_channel_token_by_jwt(chosen.access_token)
            short = api.issue_channel_token("client_credentials", *credentials)
            api.revoke_channel_token(short.access_token)
            return [stateless.expires_in, verified.expires_in, short.expires_in]

    assert await asyncio.to_thread(run) == [900, 3600, 30 * 86_400]


@in_world()
async def test_the_clients_of_audiences_and_insight_work_too(world: World) -> None:
    """Upload, look at, and the figures of a day."""

    def run() -> tuple[Any, Any]:
        settings = audience.Configuration(host=world.platform.url, access_token=world.token)
        with audience.ApiClient(settings) as client:
            api = audience_api.ManageAudience(client)
            users = [audience.Audience(id=world.hana.user_id)]
            request = audience.CreateAudienceGroupRequest(description="常連", audiences=users)
            made = api.create_audience_group(request)
            shown = api.get_audience_data(made.audience_group_id)
        figures = insight.Configuration(host=world.platform.url, access_token=world.token)
        with insight.ApiClient(figures) as client:
            return shown, insight.Insight(client).get_number_of_followers("20261130")

    world.clock.turn(days=1)
    shown, followers = await asyncio.to_thread(run)
    assert (shown.audience_group.audience_count, shown.audience_group.status) == (1, "READY")
    assert (followers.status, followers.followers, followers.blocks) == ("ready", 1, 0)


@in_world()
async def test_a_hundred_pushes_of_the_client_at_once_all_arrive(world: World) -> None:
    """Each with an id of its own."""
    async with async_api(world) as api:
        await asyncio.gather(*(api.push_message(a_push(world)) for _ in range(100)))
    assert len({got.message_id for got in world.hana.inbox}) == 100
