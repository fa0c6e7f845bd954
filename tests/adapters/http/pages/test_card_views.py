"""What the pages of shop cards show; showing spends nothing."""

from urllib.parse import quote

from adapters.http.pages.card_views import LIFF_SDK
from gateway.domain.cards import Code, signed
from gateway.usecases.card_codes import signing_key
from tests.support.card_pages import opened, state
from tests.support.cards import (
    CAFE,
    HOUR,
    NOON,
    Showing,
    card,
    seed,
    show,
)
from tests.support.stores import Engine, on_a_loop


@on_a_loop
async def test_showing_a_code_spends_nothing(sqlite: Engine) -> None:
    """However often it is opened, and by whom: the page has yet to find out who that is."""
    async with opened(sqlite, card(title="<b>カード</b>")) as world:
        path = await world.code()
        before = state(sqlite)
        for _ in range(3):
            page = await world.site.get(path)
        assert state(sqlite) == before
    assert page.status == 200
    assert "&lt;b&gt;カード&lt;/b&gt;" in page.text
    assert f'data-liff="{CAFE.liff_id}"' in page.text
    assert "<noscript>" in page.text
    assert 'id="pin"' not in page.text


@on_a_loop
async def test_the_page_runs_nothing_but_its_own_script_and_line_s(sqlite: Engine) -> None:
    """The policy names both, and no style or script but these."""
    async with opened(sqlite, card()) as world:
        page = await world.site.get(await world.code())
    policy = dict(
        part.strip().split(" ", 1) for part in page.headers["Content-Security-Policy"].split(";")
    )
    assert page.text.count("<script") == 2
    assert f'src="{LIFF_SDK}"' in page.text
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in str(policy)
    scripts = policy["script-src"].split()
    assert [source for source in scripts if not source.startswith("'sha256-")] == [
        "https://static.line-scdn.net/liff/"
    ]
    assert page.headers["Cache-Control"] == "no-store"


@on_a_loop
async def test_the_page_speaks_english_too(sqlite: Engine) -> None:
    """By Accept-Language, in what it tells of a scan as well."""
    async with opened(sqlite, card()) as world:
        path, hanako = await world.code(), await world.befriended("hanako")
        page = await world.site.get(path, Accept_Language="en")
        token = world.line.liff_id_token(hanako, world.login.id)
        said = await world.post(path, {"id_token": token}, Accept_Language="en")
    assert '<html lang="en">' in page.text
    assert "You got a point!" in said.document["html"]


@on_a_loop
async def test_a_code_that_is_none_names_no_page(sqlite: Engine) -> None:
    """Unknown ones 404, forged ones 403, expired ones 410; all as pages for people."""
    async with opened(sqlite, card()) as world:
        key = await world.site.store.run(signing_key, b"")
        path = await world.code()
        forged = signed(Code("screen", "acme-card", expires_at=NOON + HOUR), b"another")
        gone = signed(Code("screen", "gone", expires_at=NOON + HOUR), key)
        statuses = {}
        for name, token in {"garbage": "x", "forged": forged, "gone": gone}.items():
            page = await world.site.get(f"/p/{token}")
            assert "<h1>" in page.text
            statuses[name] = page.status
        world.site.now += 60 * 10**6
        late = await world.site.get(path)
        statuses["expired"] = late.status
        assert "新しいコードを読み取ってください" in late.text
        assert (await world.site.get(path, Accept="*/*")).text.startswith("{")
    assert statuses == {"garbage": 404, "forged": 403, "gone": 404, "expired": 410}


@on_a_loop
async def test_liff_comes_in_where_its_app_is_registered(sqlite: Engine) -> None:
    """The first address is the root, and says where to go on; the SDK does the rest."""
    async with opened(sqlite, card(), card("bar-card", channel="bar")) as world:
        path = await world.code()
        page = await world.site.get(f"/?liff.state={quote(path + '?x=1', safe='')}")
        nowhere = [
            (await world.site.get(address)).status
            for address in ("/", "/?liff.state=%2Fq%2Fabc", "/?liff.state=%2Fp%2Fabc")
        ]
    assert page.status == 200
    assert f'data-liff="{CAFE.liff_id}"' in page.text
    assert LIFF_SDK in page.text
    assert nowhere == [404, 404, 404]


@on_a_loop
async def test_a_friend_sees_the_card_behind_a_message(sqlite: Engine) -> None:
    """It shows and gives nothing, and what is posted there is not found."""
    async with opened(sqlite, card(expires="last", expires_days=30)) as world:
        hanako = await world.befriended("hanako")
        asked = Showing(hanako.user_id, "acme-card", seed())
        (message,) = await world.site.store.run(show, asked)
        path = message["template"]["actions"][0]["uri"].removeprefix("https://gw.example.jp")
        none = await world.site.get(path)
        await world.scan(await world.code(points=2), hanako)
        before = state(sqlite)
        page = await world.site.get(path)
        posted = await world.scan(path, hanako)
        world.site.now += 40 * 24 * HOUR
        late = await world.site.get(path)
        assert state(sqlite) == before
    assert "まだカードをお持ちではありません" in none.text
    assert "●●○○○○○○○○" in page.text
    assert "2026年12月3日" in page.text
    assert "<script" not in page.text
    assert posted.status == 404
    assert "有効期限が切れました" in late.text


@on_a_loop
async def test_the_counter_s_screen_is_a_page_that_tells_nothing(sqlite: Engine) -> None:
    """Whoever opens it needs a token of the API before it shows a code, and what it is of."""
    async with opened(sqlite, card()) as world:
        page = await world.site.get("/screen/acme-card")
        other = await world.site.get("/screen/none-such", Accept_Language="en")
    assert (page.status, other.status) == (200, 200)
    assert 'name="token"' in page.text
    assert "Staff" in other.text
    assert "Acme" not in page.text
    policy = page.headers["Content-Security-Policy"]
    assert "img-src data:" in policy
    assert "connect-src 'self'" in policy


@on_a_loop
async def test_the_counter_s_screen_says_what_to_do(sqlite: Engine) -> None:
    """Customers are told how to scan; staff, of each answer of the API, what is the matter."""
    async with opened(sqlite, card()) as world:
        japanese = await world.site.get("/screen/acme-card")
        english = await world.site.get("/screen/acme-card", Accept_Language="en")
    for text in (
        "LINEのカメラで読み取ってください",
        'data-wrong="トークンが正しくありません。"',
        'data-forbidden="このトークンでは、コードを表示できません。"',
        'data-missing="このカードはありません。"',
        'data-busy="アクセスが集中しています。',
    ):
        assert text in japanese.text
    assert "Scan with LINE&#x27;s camera" in english.text
    assert 'data-missing="There is no such card."' in english.text
