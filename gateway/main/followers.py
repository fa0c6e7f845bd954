"""Friends from before the gateway: asked for by the command line, and taken up."""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress

from adapters.storage.database import Connection, Rerun
from adapters.storage.provisioning import RouteCache
from adapters.storage.transaction import Statements, StoreTransaction
from gateway.config import Config
from gateway.domain.line.channel import Channel
from gateway.domain.values import Ids, Seed
from gateway.errors import Misconfigured, Permanent, Trouble
from gateway.main.sending import clients
from gateway.main.shops import find_channel
from gateway.main.store import connected
from gateway.usecases.followers import LISTED_AT_ONCE, Listed, take_up

_TRIES = 5
"""So often in a row a unit may lose against a daemon's."""


async def take_followers(
    config: Config, channel_id: str, progress: Callable[[int, int], None]
) -> None:
    """Take up whom the platform lists as friends of a channel; works beside running daemons.

    ``progress`` is told with each page how many were listed so far, and of how many of them it was
    not known that they are friends. Begun again, it takes up what is missing.

    Raises:
        Misconfigured: there is no such channel, LINE is not configured, or the platform does not
            list this account's friends.
        Transient, Permanent: the store is away, or the platform does not answer.
    """
    if config.line is None:
        raise Misconfigured(["[line] is absent: write it into the configuration"])
    channel = find_channel(config, channel_id)
    ids, listed, new = Ids(secrets.randbelow(1024)), 0, 0
    with connected(config) as (connection, sql):
        cache = RouteCache()
        cache.refresh(connection, sql.provisioning)  # here, where no webhook waits for it
        connection.rollback()
        async with clients(config.line) as line:
            start, is_over = "", False
            while not is_over:
                now = time.time_ns() // 1000  # before the platform looks: what comes since stands
                try:
                    page = await line.official.followers(channel, start)
                except Permanent as error:
                    raise _explained(channel, error) from None
                for place in range(0, len(page.users), LISTED_AT_ONCE):
                    users = page.users[place : place + LISTED_AT_ONCE]
                    seed = Seed(ids.block(now, len(users)), len(users), secrets.token_bytes(16))
                    new += _take_up(connection, sql, cache, Listed(channel.id, users, now, seed))
                listed += len(page.users)
                progress(listed, new)
                start, is_over = page.next, not page.next


def _explained(channel: Channel, error: Permanent) -> Misconfigured | Permanent:
    if error.reason is not Trouble.PLATFORM_REFUSED or not error.detail.startswith("403"):
        return error
    problem = (
        f"{channel.id}: LINE lists the friends of verified and premium accounts alone (403); "
        "those of others are known once they write or press something"
    )
    return Misconfigured([problem])


def _take_up(connection: Connection, sql: Statements, cache: RouteCache, listed: Listed) -> int:
    for _ in range(_TRIES - 1):
        with suppress(Rerun):
            return _try(connection, sql, cache, listed)
    return _try(connection, sql, cache, listed)


def _try(connection: Connection, sql: Statements, cache: RouteCache, listed: Listed) -> int:
    try:
        tx = StoreTransaction(connection, sql, cache)
        new, _ = take_up(tx, listed)
        tx.flush()
        connection.commit()
    finally:
        connection.rollback()
    return new
