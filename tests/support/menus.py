"""Rich menus with their pictures for tests, provisioned as a command does it."""

import io
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from hashlib import sha256
from typing import Any

from PIL import Image

from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import StoreTransaction
from gateway.domain.menus import Area, RichMenu
from gateway.domain.provisioning import Blob, Entity, Plan
from gateway.domain.values import EVERYBODY
from gateway.usecases.provisioning import apply, difference
from tests.support.stores import Engine, statements_of

TAP = {"type": "message", "text": "予約"}
COLORS = ("#06c755", "#0000ff", "#ff0000")


@cache
def picture(color: str = COLORS[0]) -> Blob:
    """A small picture of one colour."""
    written = io.BytesIO()
    Image.new("RGB", (800, 270), color).save(written, "PNG")
    body = written.getvalue()
    return Blob(sha256(body).hexdigest(), "image/png", body)


def menu(id_: str, color: str = COLORS[0], **given: Any) -> RichMenu:
    """A menu of the shop with one area; a default one, unless it has an audience of its own."""
    wanted: dict[str, Any] = {
        "id": id_,
        "advertiser": "acme",
        "channel": "shop",
        "title": "メニュー",
        "width": 800,
        "height": 270,
        "picture": picture(color).hash,
        "media_type": "image/png",
        "areas": (Area(0, 0, 800, 270, TAP),),
        "default": not (given.get("segment") or given.get("alias")),
    }
    return RichMenu(**wanted | given)


@contextmanager
def transaction(engine: Engine) -> Iterator[StoreTransaction]:
    """A transaction as a command has it, committed at the end."""
    with closing(engine.database().writer()) as connection:
        tx = StoreTransaction(connection, statements_of(engine.name), RouteCache())
        try:
            yield tx
            tx.flush()
            connection.commit()
        finally:
            connection.rollback()


def supply(engine: Engine, *wanted: Entity, removed: Sequence[Entity] = ()) -> None:
    """Provision entities, and the pictures of menus with them."""
    pictures = {picture(color).hash: picture(color) for color in COLORS}
    plan = Plan(
        wanted,
        tuple((entity.table, entity.key) for entity in removed),
        {(e.table, e.key): pictures[e.picture] for e in wanted if isinstance(e, RichMenu)},
    )
    with transaction(engine) as tx:
        version = tx.provisioning.version(EVERYBODY)
        apply(tx, difference(version, tx.provisioning.everything(EVERYBODY), plan))
