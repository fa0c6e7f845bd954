"""A shop of ``acme`` with friends, tags, pushes and links, for tests of the API."""

from itertools import count

from gateway.domain.audience import Segment, Tagged
from gateway.domain.links import Link
from gateway.domain.values import Seed, moment
from gateway.usecases.quota import Reading, keep
from tests.adapters.http.api.world import World
from tests.support.audience import HOUR, SHOP, Following, follow, friend

VIPS = Segment("vips", "acme", SHOP.id, Tagged("vip"))
MENU = Link("menu", "acme", "https://shop.example.jp/menu")
FLYER = Link("flyer", "acme", "https://line.me/R/ti/p/@acme", SHOP.id, "entry")

_friends = count(7_000_000)


def given_shop(world: World) -> None:
    """A shop with a segment and links, and room in its quota."""
    world.engine.provision(SHOP, VIPS, MENU, FLYER)
    world.run(keep, Reading(SHOP.id, "acme", "limited", 1_000, 10, world.now))


def given_friend(world: World, *tags: str) -> str:
    """A new friend of the shop; returns the id."""
    given_shop(world)
    known = friend(next(_friends), followed_at=world.now)
    world.run(follow, Following(known, Seed(world.id(), 1, b"a secret of tests")))
    for tag in tags:
        answer = world.ask(
            "PUT", f"/friends/{known.id}/tags/{tag}", token=world.token("operator", "acme")
        )
        assert answer.status == 204
    return str(known.id)


def given_push(world: World) -> str:
    """A push that is set up for later; returns its id."""
    given_shop(world)
    body = {
        "channel": SHOP.id,
        "everyone": True,
        "messages": [{"type": "text", "text": "セール"}],
        "at": moment(world.now + HOUR).isoformat(),
    }
    answer = world.ask("POST", "/pushes", token=world.token("operator", "acme"), body=body)
    assert answer.status == 201
    return str(answer.json["id"])
