"""The check of an account's set-up, for the command line and the API."""

import time
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from adapters.http.api.channels import endpoints
from adapters.line.onboarding import look
from adapters.storage.database import reading
from adapters.storage.insight_reader import ChannelReader
from gateway.config import Config
from gateway.domain.insight import day_of
from gateway.domain.line.channel import Channel
from gateway.domain.line.onboarding import Check, Industries, checks
from gateway.domain.values import EVERYBODY, SECOND
from gateway.errors import Misconfigured
from gateway.main.parts import Deps, Part
from gateway.main.sending import clients
from gateway.main.shops import find_channel
from gateway.main.store import beside, database_of
from gateway.ports.line_platform import LinePlatform

_LOGIN_DAYS = 30
_INDUSTRIES = "data/industries.toml"


async def check_channel(config: Config, channel_id: str, *, fix: bool = False) -> list[Check]:
    """Walk the set-up of a channel; with ``fix`` set its webhook URL.

    Raises:
        Misconfigured: there is no such channel, or LINE is not configured.
        Transient: the store is away.
    """
    if config.line is None:
        raise Misconfigured(["[line] is absent: write it into the configuration"])
    channel = find_channel(config, channel_id)
    now = time.time_ns() // 1000
    with beside(config) as connection, reading(connection):
        reader = ChannelReader(database_of(config).dialect)
        logins = reader.logins(connection, EVERYBODY, channel.id, _since(now))
    async with clients(config.line) as line:
        return await _checked(line.official, channel, config.public_url, now, logins, fix=fix)


def part(deps: Deps) -> Part:
    """Channels in the API, with their check where LINE is configured."""
    reader = ChannelReader(deps.database.dialect)
    platform = deps.platform

    async def check(channel: Channel) -> list[Check]:
        assert platform is not None  # noqa: S101 - the call of the API is there only with it
        now = deps.clock()
        logins = await deps.store.read(reader.logins, EVERYBODY, channel.id, _since(now))
        return await _checked(platform, channel, deps.config.public_url, now, logins)

    return Part(endpoints=endpoints(reader, check if platform else None))


async def _checked(
    platform: LinePlatform,
    channel: Channel,
    public_url: str,
    now: int,
    logins: tuple[int, int],
    **given: Any,
) -> list[Check]:
    url = f"{public_url}/line/{channel.id}"
    seen = await look(platform, channel, url, day_of(now), logins, **given)
    return list(checks(channel, url, seen, industries()))


def _since(now: int) -> int:
    return now - _LOGIN_DAYS * 86_400 * SECOND


@cache
def industries() -> Industries:
    """The list of trades that LINE's guideline restricts."""
    text = files("gateway").joinpath(_INDUSTRIES).read_text()
    return msgspec.convert(tomllib.loads(text), Industries)
