"""Access tokens of every kind, and the ID tokens of LIFF."""

from typing import Any

import pytest

from tests.adapters.line.simulator.given import ASSERTION, jwt
from tests.adapters.line.simulator.world import NOW, SECOND, Told, World, in_world


def assertion(world: World, **claims: Any) -> str:
    told = {
        "iss": world.channel.id,
        "sub": world.channel.id,
        "aud": "https://api.line.me/",
        "exp": world.clock.now // SECOND + 1800,
    }
    return jwt(**told | claims)


async def form(world: World, path: str, **fields: str) -> Told:
    return await world.ask("POST", path, data=fields)


async def issued(world: World, kind: str = "v3", **fields: str) -> Told:
    credentials = {"client_id": world.channel.id, "client_secret": world.channel.secret}
    path = {"v3": "/oauth2/v3/token", "short": "/v2/oauth/accessToken"}[kind]
    return await form(world, path, **{"grant_type": "client_credentials"} | credentials | fields)


async def by_assertion(world: World, path: str, **claims: Any) -> Told:
    return await form(
        world,
        path,
        grant_type="client_credentials",
        client_assertion_type=ASSERTION,
        client_assertion=assertion(world, **claims),
    )


@in_world()
async def test_a_stateless_token_lives_for_fifteen_minutes(world: World) -> None:
    """By secret or by assertion; afterwards it is a 401."""
    told = await issued(world)
    assert (told.json["expires_in"], told.json["token_type"]) == (900, "Bearer")
    other = await by_assertion(world, "/oauth2/v3/token")
    for token in (told.json["access_token"], other.json["access_token"]):
        assert (await world.get("/v2/bot/info", token=token)).status == 200
    world.clock.turn(seconds=899)
    assert (await world.get("/v2/bot/info", token=told.json["access_token"])).status == 200
    world.clock.turn(seconds=1)
    refused = await world.get("/v2/bot/info", token=told.json["access_token"])
    assert refused.status == 401
    assert refused.json["message"].startswith("Authentication failed")
    assert refused.headers["WWW-Authenticate"]


@in_world()
async def test_stateless_tokens_are_unlimited(world: World) -> None:
    """Each request issues another, and the earlier ones stay."""
    tokens = [(await issued(world)).json["access_token"] for _ in range(40)]
    assert len(set(tokens)) == 40
    assert (await world.get("/v2/bot/info", token=tokens[0])).status == 200


@in_world()
async def test_a_token_of_a_chosen_life_is_verified_and_revoked(world: World) -> None:
    """v2.1: issue, list the key ids, verify, expire, revoke."""
    told = await by_assertion(world, "/oauth2/v2.1/token", token_exp=86_400)
    token, key_id = told.json["access_token"], told.json["key_id"]
    assert told.json["expires_in"] == 86_400
    query = {"client_assertion_type": ASSERTION, "client_assertion": assertion(world)}
    assert (await world.get("/oauth2/v2.1/tokens/kid", params=query)).json == {"kids": [key_id]}
    world.clock.turn(hours=1)
    verified = await world.get("/oauth2/v2.1/verify", params={"access_token": token})
    assert verified.json["client_id"] == world.channel.id
    assert verified.json["expires_in"] == 82_800
    revoke = {"client_id": world.channel.id, "access_token": token}
    wrong = await form(world, "/oauth2/v2.1/revoke", client_secret="x", **revoke)
    assert wrong.status == 400
    await form(world, "/oauth2/v2.1/revoke", client_secret=world.channel.secret, **revoke)
    assert (await world.get("/v2/bot/info", token=token)).status == 401
    again = await world.get("/oauth2/v2.1/verify", params={"access_token": token})
    assert (again.status, again.json["error"]) == (400, "invalid_request")


@in_world()
async def test_a_channel_has_thirty_such_tokens_at_once(world: World) -> None:
    """One more is refused until one has expired."""
    path = "/oauth2/v2.1/token"
    for _ in range(30):
        assert (await by_assertion(world, path, token_exp=60)).status == 200
    assert (await by_assertion(world, path, token_exp=60)).status == 400
    world.clock.turn(seconds=60)
    assert (await by_assertion(world, path, token_exp=60)).status == 200


@in_world()
async def test_a_short_lived_token_lives_for_thirty_days(world: World) -> None:
    """Issued by secret, verified and revoked by its value."""
    told = await issued(world, "short")
    token = told.json["access_token"]
    assert told.json["expires_in"] == 30 * 86_400
    assert (await form(world, "/v2/oauth/verify", access_token=token)).json["expires_in"] > 0
    assert (await form(world, "/v2/oauth/revoke", access_token=token)).status == 200
    assert (await form(world, "/v2/oauth/revoke", access_token="unknown")).status == 200
    assert (await world.get("/v2/bot/info", token=token)).status == 401


@pytest.mark.parametrize("kind", ["v3", "short"])
@pytest.mark.parametrize(
    "wrong", [{"client_secret": "x"}, {"client_id": "1"}, {"grant_type": "password"}]
)
@in_world()
async def test_wrong_credentials_get_no_token(
    world: World, kind: str, wrong: dict[str, str]
) -> None:
    """400 in the words of OAuth."""
    told = await issued(world, kind, **wrong)
    assert told.status == 400
    assert set(told.json) == {"error", "error_description"}


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "1", "sub": "1"},
        {"sub": "1"},
        {"aud": "https://example.com/"},
        {"exp": NOW // SECOND},
        {"exp": NOW // SECOND + 1801},
        {"exp": "soon"},
        {"token_exp": 30 * 86_400 + 1},
        {"token_exp": 0},
        {"token_exp": None},
    ],
)
@in_world()
async def test_a_wrong_assertion_gets_no_token(world: World, claims: dict[str, Any]) -> None:
    """Issuer, audience, expiry and the wanted life are looked at."""
    told = await by_assertion(world, "/oauth2/v2.1/token", **{"token_exp": 60} | claims)
    assert told.status == 400


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "e30.e30", "W10.W10.x"])
@in_world()
async def test_what_is_no_jwt_gets_no_token(world: World, text: str) -> None:
    """It must have three parts of JSON."""
    told = await form(
        world,
        "/oauth2/v3/token",
        grant_type="client_credentials",
        client_assertion_type=ASSERTION,
        client_assertion=text,
    )
    assert told.status == 400


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer  ", "Basic x", "Bearer unknown"])
@in_world()
async def test_without_a_token_nothing_is_answered(world: World, header: str) -> None:
    """401 and how to authenticate."""
    told = await world.get("/v2/bot/info", headers={"Authorization": header})
    assert (told.status, list(told.json)) == (401, ["message"])


# --- LIFF ---


async def verify(world: World, token: str, client: str, **fields: str) -> Told:
    fields = {"id_token": token, "client_id": client} | fields
    return await form(world, "/oauth2/v2.1/verify", **fields)


@in_world()
async def test_an_id_token_names_the_user_of_the_shops_provider(world: World) -> None:
    """The subject is the userId that the Messaging channel of the same provider knows."""
    login = world.platform.login_channel()
    token = world.platform.liff_id_token(world.hana, login.id, nonce="n")
    told = await verify(world, token, login.id, nonce="n", user_id=world.hana.user_id)
    assert told.status == 200
    assert told.json["sub"] == world.hana.user_id
    assert told.json["aud"] == login.id
    assert told.json["iss"] == "https://access.line.me"
    assert told.json["exp"] == NOW // SECOND + 3600
    elsewhere = world.platform.login_channel(provider="other")
    stranger = world.platform.liff_id_token(world.hana, elsewhere.id)
    assert (await verify(world, stranger, elsewhere.id)).json["sub"] != world.hana.user_id


@pytest.mark.parametrize(
    ("forged", "error"),
    [
        ({"expires_in": -1}, "IdToken expired."),
        ({"audience": "1"}, "Invalid IdToken Audience."),
        ({"secret": "x"}, "Invalid IdToken."),
        ({"issuer": "https://example.com"}, "Invalid IdToken Issuer."),
    ],
)
@in_world()
async def test_a_forged_or_old_id_token_is_refused(
    world: World, forged: dict[str, Any], error: str
) -> None:
    """400 with the documented words."""
    login = world.platform.login_channel()
    told = await verify(
        world, world.platform.liff_id_token(world.hana, login.id, **forged), login.id
    )
    assert told.status == 400
    assert told.json == {"error": "invalid_request", "error_description": error}


@in_world()
async def test_an_id_token_is_for_one_login_channel(world: World) -> None:
    """Asked about with another client_id it is refused; so are nonsense and nothing."""
    login, other = world.platform.login_channel(), world.platform.login_channel()
    token = world.platform.liff_id_token(world.hana, login.id)
    for id_token, client in ((token, other.id), (token, "1"), ("a.b.c", login.id), ("", login.id)):
        assert (await verify(world, id_token, client)).status == 400
    assert (await verify(world, token, login.id, nonce="other")).status == 400
    assert (await verify(world, token, login.id, user_id="U1")).status == 400
    world.clock.turn(seconds=3600)
    assert (await verify(world, token, login.id)).status == 400
