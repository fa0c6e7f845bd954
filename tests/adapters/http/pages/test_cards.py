"""A scan over HTTP: whom LINE names gets the points, once."""

import asyncio
from collections import Counter

import pytest

from gateway.domain.cards import Code, signed
from tests.support.card_pages import opened, state
from tests.support.cards import (
    COFFEE,
    HOUR,
    NOON,
    PIN,
    REWARDING,
    Coming,
    befriend,
    card,
    printed,
    seed,
)
from tests.support.stores import Engine, on_a_loop


@on_a_loop
async def test_whom_line_names_gets_the_points(sqlite: Engine) -> None:
    """The page shows the card, and a program reads the same."""
    async with opened(sqlite, card(bonus=1)) as world:
        hanako = await world.befriended("hanako")
        said = await world.scan(await world.code(points=2), hanako)
    assert said.status == 200
    assert "3ポイント獲得しました" in said.document["html"]
    assert "●●●○○○○○○○" in said.document["html"]
    assert said.document["state"] == "given"
    assert said.document["card"] == {
        "title": "Acme カード",
        "number": 1,
        "points": 3,
        "size": 10,
        "state": "active",
    }
    assert world.counted("card_points_total") == {("bonus",): 1, ("qr",): 2}


@on_a_loop
async def test_rewards_are_shown_at_once(sqlite: Engine) -> None:
    """Words as they are, a coupon with its page; no message is pushed for it."""
    async with opened(sqlite, REWARDING) as world:
        hanako = await world.befriended("hanako")
        said = await world.scan(await world.code(points=3), hanako)
    words, coupon = said.document["prizes"]
    assert (words["text"], coupon["text"]) == ("おまけ", COFFEE.title)
    assert f'href="{coupon["url"]}"' in said.document["html"]
    assert "カードがいっぱいになりました" in said.document["html"]
    assert sqlite.rows("SELECT id FROM outbox") == []


@on_a_loop
async def test_a_reward_that_is_owed_is_told(sqlite: Engine) -> None:
    """Without a button, since there is nothing to be opened yet; programs read the same."""
    async with opened(sqlite, REWARDING) as world:
        sqlite.provision(removed=(COFFEE,))
        hanako = await world.befriended("hanako")
        said = await world.scan(await world.code(points=3), hanako)
    assert said.document["prizes"] == [
        {"text": "おまけ", "url": "", "owed": False},
        {"text": "", "url": "", "owed": True},
    ]
    assert "クーポンはただいまご用意できません" in said.document["html"]


@on_a_loop
async def test_a_hundred_posts_of_one_code_give_one_point(engine: Engine) -> None:
    """From a hundred telephones at once, over HTTP."""
    async with opened(engine, card()) as world:
        friends = [await world.befriended(f"friend {number}") for number in range(100)]
        path = await world.code()
        answers = await asyncio.gather(*(world.scan(path, friend) for friend in friends))
        assert Counter(answer.status for answer in answers) == {200: 1, 409: 99}
        assert {answer.reason for answer in answers} == {None, "code_used"}
        assert world.counted("card_points_total") == {("qr",): 1}
        assert world.counted("card_refusals_total") == {("code_used",): 99}
        refusals = Counter(world.site.observer.refusals)
    assert refusals == {("pages", "card_scan", "code_used"): 99}
    assert engine.rows("SELECT sum(points) FROM card_points") == [(1,)]


@on_a_loop
async def test_a_replayed_code_shows_the_card_of_whom_it_was(sqlite: Engine) -> None:
    """Refused and counted; who lost the first answer still learns of the point."""
    async with opened(sqlite, card()) as world:
        hanako, taro = await world.befriended("hanako"), await world.befriended("taro")
        path = await world.code()
        await world.scan(path, hanako)
        mine, other = await world.scan(path, hanako), await world.scan(path, taro)
    assert (mine.status, mine.reason) == (other.status, other.reason) == (409, "code_used")
    assert mine.document["card"]["points"] == 1
    assert "card" not in other.document


@pytest.mark.parametrize("claim", ["userId", "user_id", "USERID", "sub", "user"])
@on_a_loop
async def test_a_userid_that_the_client_sent_is_refused(sqlite: Engine, claim: str) -> None:
    """Also beside a token that is right; nothing is given, and it is counted."""
    async with opened(sqlite, card()) as world:
        hanako, path = await world.befriended("hanako"), await world.code()
        before = state(sqlite)
        alone = await world.post(path, {claim: hanako.user_id})
        beside = await world.scan(path, hanako, **{claim: hanako.user_id})
        assert state(sqlite) == before
        assert world.counted("card_refusals_total") == {("client_claimed_user",): 2}
    for said in (alone, beside):
        assert (said.status, said.reason) == (400, "client_claimed_user")


@on_a_loop
async def test_a_token_that_line_does_not_vouch_for_gives_nothing(sqlite: Engine) -> None:
    """Forged, expired, or of nobody."""
    async with opened(sqlite, card()) as world:
        hanako, path = await world.befriended("hanako"), await world.code()
        before = state(sqlite)
        for forged in ({"secret": "x"}, {"expires_in": -1}, {"issuer": "x"}):
            token = world.line.liff_id_token(hanako, world.login.id, **forged)
            said = await world.post(path, {"id_token": token})
            assert (said.status, said.reason) == (403, "id_token_invalid")
            assert "もう一度開いてください" in said.document["html"]
        assert state(sqlite) == before
        assert world.counted("card_refusals_total") == {("id_token_invalid",): 3}


@on_a_loop
async def test_a_code_of_another_shop_is_named_so(sqlite: Engine) -> None:
    """Opened in the app of one shop, it is refused by the other; it stays good where it belongs."""
    async with opened(sqlite, card()) as world:
        other = world.line.login_channel()
        hanako, path = await world.befriended("hanako"), await world.code()
        token = world.line.liff_id_token(hanako, other.id)
        said = await world.post(path, {"id_token": token})
        assert (said.status, said.reason) == (403, "code_other_shop")
        assert "別のお店" in said.document["html"]
        assert world.counted("card_refusals_total") == {("code_other_shop",): 1}
        assert (await world.scan(path, hanako)).status == 200


@on_a_loop
async def test_expired_and_forged_codes_give_nothing(sqlite: Engine) -> None:
    """A picture of the screen, and one that somebody drew."""
    async with opened(sqlite, card()) as world:
        hanako, path = await world.befriended("hanako"), await world.code()
        forged = signed(Code("screen", "acme-card", expires_at=NOON + HOUR, nonce="n"), b"x")
        said = await world.scan(f"/p/{forged}", hanako)
        assert (said.status, said.reason) == (403, "code_forged")
        world.site.now += 60 * 10**6
        late = await world.scan(path, hanako)
        assert (late.status, late.reason) == (410, "code_expired")
        assert world.counted("card_points_total") == {}
        assert world.counted("card_refusals_total") == {("code_expired",): 1}
        refusals = [refused[2] for refused in world.site.observer.refusals]
    assert refusals == ["code_forged", "code_expired"]


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b"", {}, 400, "not_json"),
        (b"{", {}, 400, "not_json"),
        (b"[" * 10_000, {}, 400, "not_json"),
        (b'["id_token"]', {}, 400, "not_json"),
        (b'{"id_token":"\xff"}', {}, 400, "not_json"),
        (b'{"id_token":"\\ud800"}', {}, 400, "not_json"),
        (b"{}", {}, 400, "invalid_field"),
        (b'{"id_token":7}', {}, 400, "invalid_field"),
        (b'{"id_token":"a.b.c","pin":1234}', {}, 400, "invalid_field"),
        (b'{"id_token":"a.b.c"}', {"Content_Type": "text/plain"}, 415, "media_type"),
        (b'{"id_token":"a.b.c"}', {}, 403, "id_token_invalid"),
        (b'{"id_token":"' + b"a" * 20_000 + b'"}', {}, 413, "body_too_large"),
    ],
)
@on_a_loop
async def test_what_is_no_scan_is_refused_by_its_name(
    sqlite: Engine, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    """Whatever is posted, nothing is given and nothing is half done."""
    async with opened(sqlite, card()) as world:
        path = await world.code()
        before = state(sqlite)
        said = await world.post(path, body, **headers)
        assert (said.status, said.reason) == (status, reason)
        assert state(sqlite) == before


@on_a_loop
async def test_points_wait_while_line_cannot_say_who_it_is(sqlite: Engine) -> None:
    """503, to be tried again; the code is unspent."""
    async with opened(sqlite, card()) as world:
        hanako, path = await world.befriended("hanako"), await world.code()
        world.line.faults.fail(next=1, path="/oauth2/v2.1/verify")
        said = await world.scan(path, hanako)
        assert (said.status, said.reason) == (503, "login_down")
        assert (await world.scan(path, hanako)).status == 200


# --- who is no friend ---


@on_a_loop
async def test_a_stranger_is_offered_friendship_and_gets_the_card(sqlite: Engine) -> None:
    """The page has the link; the follow's webhook brings the point; the page shows it then."""
    async with opened(sqlite, card()) as world:
        hanako = world.directory.friend("hanako")
        path = await world.code()
        said = await world.scan(path, hanako)
        assert (said.status, said.document["state"]) == (202, "pending")
        assert 'href="https://line.me/R/ti/p/%40acme%20cafe"' in said.document["html"]
        assert world.counted("card_points_total") == {}
        await world.site.store.run(befriend, Coming(hanako.user_id, NOON + HOUR, seed(16)))
        again = await world.scan(path, hanako)
        assert (again.reason, again.document["card"]["points"]) == ("code_used", 1)
        assert world.counted("card_points_total") == {("qr",): 1}


@on_a_loop
async def test_who_was_a_friend_before_us_gets_the_point_at_once(sqlite: Engine) -> None:
    """The platform is asked about scanners of whom no follow was ever heard."""
    async with opened(sqlite, card()) as world:
        hanako = world.directory.friend("hanako")
        hanako.following = True
        said = await world.scan(await world.code(), hanako)
        assert (said.status, said.document["points"]) == (200, 1)


@on_a_loop
async def test_without_the_platform_s_word_friendship_is_offered_in_text(sqlite: Engine) -> None:
    """No link is made up."""
    async with opened(sqlite, card()) as world:
        world.directory.is_away = True
        said = await world.scan(await world.code(), world.directory.friend("hanako"))
    assert (said.status, said.document["friend_url"]) == (202, "")
    assert "友だち追加" in said.document["html"]


# --- printed codes ---


@on_a_loop
async def test_a_printed_code_asks_for_the_pin(sqlite: Engine) -> None:
    """Staff type it on the customer's phone; a wrong one is told and counted, then locks."""
    async with opened(sqlite, printed()) as world:
        path, hanako = await world.printed(), await world.befriended("hanako")
        taro = await world.befriended("taro")
        assert 'id="pin"' in (await world.site.get(path)).text
        assert (await world.scan(path, taro, pin=PIN)).status == 200
        for _ in range(5):
            wrong = await world.scan(path, hanako, pin="0000")
            assert (wrong.status, wrong.reason) == (403, "pin_wrong")
        locked = await world.scan(path, hanako, pin=PIN)
        assert (locked.status, locked.reason) == (429, "pin_locked")
        assert world.counted("card_points_total") == {("printed",): 1}
