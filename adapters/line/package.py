"""The official package: imported in a thread when it is first needed, and asked in threads.

It takes most of a second and tens of megabytes to import, so a process without LINE channels never
does. Its answers are read as plain JSON: as its own models they would fail on a value that the
platform added since.
"""

import asyncio
import gc
import importlib
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from adapters.line.problem import LONGEST_TEXT, read_problem
from adapters.line.tokens import Tokens
from adapters.line.webhook import storable
from gateway.domain.line.channel import Channel
from gateway.errors import GatewayError, Permanent, Transient, Trouble

Area = Literal["messaging", "contents", "insight"]
"""The parts of the platform's API, as the package divides them."""

_THREADS = 4
_SECONDS = (3.0, 10.0)
"""To connect, and to be answered; without them the package waits for five minutes."""

_MOST_BYTES = 8 * 2**20
"""Of an answer: a thousand rich menus, which are listed at once, with all their areas."""

_SWITCH_SECONDS = 0.001


class _Loaded:
    """What the package consists of once it is there."""

    def __init__(self, api_url: str, data_api_url: str) -> None:
        self.models = {
            area: importlib.import_module(f"linebot.v3.{area}.models")
            for area in ("messaging", "insight")
        }
        messaging = importlib.import_module("linebot.v3.messaging")
        insight = importlib.import_module("linebot.v3.insight")
        # Each part of the package has its own classes of the same names.
        self.refusals: tuple[type[Exception], ...] = tuple(
            importlib.import_module(f"linebot.v3.{area}.exceptions").ApiException
            for area in self.models
        )
        self.network: type[Exception] = importlib.import_module("urllib3.exceptions").HTTPError
        self.apis: dict[Area, Any] = {
            "messaging": messaging.MessagingApi(_client(messaging, api_url)),
            "contents": messaging.MessagingApiBlob(_client(messaging, data_api_url)),
            "insight": insight.Insight(_client(insight, api_url)),
        }


def _client(part: Any, url: str) -> Any:
    """The package's client for one host; its token comes with each call."""
    configuration = part.Configuration(host=url.rstrip("/"), access_token="")
    configuration.retries = False  # whoever asked knows when to ask again
    configuration.connection_pool_maxsize = _THREADS

    class Plain(part.ApiClient):  # type: ignore[misc]  # the package carries no types
        def deserialize(self, response: Any, response_type: Any) -> Any:
            data = response.data  # the package has made text of it by now
            # A friend's name may have half an emoji in it, which no decoder takes.
            return msgspec.json.decode(storable(data.encode() if isinstance(data, str) else data))

    plain = Plain(configuration)
    plain.rest_client.pool_manager = _Bounded(plain.rest_client.pool_manager)
    return plain


@dataclass(frozen=True)
class _Answer:
    """What the package takes from an answer."""

    status: int
    reason: str
    data: bytes
    headers: Mapping[str, str]


class _Bounded:
    """Connections of the package, which by itself would read an answer to its end, unpacked."""

    def __init__(self, connections: Any) -> None:
        self._connections = connections

    def request(self, method: str, url: str, **named: Any) -> _Answer:
        """As the package asks for it.

        Raises:
            _TooLong: the answer is; its connection is closed.
        """
        response = self._connections.request(method, url, **{**named, "preload_content": False})
        try:
            data = response.read(_MOST_BYTES + 1, decode_content=False)
            if len(data) > _MOST_BYTES:
                raise _TooLong
        except BaseException:  # whatever it is: the rest would be read as the next call's answer
            response.close()
            raise
        response.release_conn()
        return _Answer(response.status, response.reason, data, response.headers)


class _TooLong(Exception):
    """An answer goes on beyond what is read of it."""


class _TokenRefused(Exception):
    """401: the token is not good (any more)."""


class Package:
    """Calls of the official package, for all channels; close it with :meth:`close`."""

    def __init__(self, tokens: Tokens, api_url: str, data_api_url: str) -> None:
        self._tokens = tokens
        self._urls = (api_url, data_api_url)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="line-package")
        self._loading: asyncio.Future[_Loaded] | None = None

    async def load(self) -> None:
        """Import the package, once; calls do so by themselves."""
        await self._loaded()

    async def _loaded(self) -> _Loaded:
        if self._loading is None:
            loop = asyncio.get_running_loop()
            self._loading = loop.run_in_executor(self._threads, _load, *self._urls)
        return await asyncio.shield(self._loading)

    def close(self) -> None:
        """Take no more calls."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def ask(
        self,
        channel: Channel,
        area: Area,
        method: str,
        *given: Any,
        model: Mapping[str, Mapping[str, Any]] | None = None,
        **named: Any,
    ) -> Any:
        """The answer to ``method`` as plain JSON; ``None`` where it has no body.

        ``model`` is one request object: the name of the package's class for it, and its JSON.

        Raises:
            Transient, Permanent: as :mod:`gateway.ports.line_platform` says.
        """
        package = await self._loaded()
        loop = asyncio.get_running_loop()
        for renewed in (False, True):
            token = await self._tokens.of(channel)

            def call(token: str = token) -> Any:
                return _call(package, area, token, method, given, model or {}, named)

            try:
                return await loop.run_in_executor(self._threads, call)
            except _TokenRefused:
                self._tokens.drop(channel, token)
                if renewed:
                    break
        raise Permanent(Trouble.PLATFORM_REFUSED, "401: the channel's credentials do not work")


def _load(api_url: str, data_api_url: str) -> _Loaded:
    """Import without a stall of the other threads.

    What stalls them is not the import, which gives way: it is a full garbage collection amid some
    hundred thousand new objects, each of which is there to stay.
    """
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_SECONDS)
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        loaded = _Loaded(api_url, data_api_url)
        gc.freeze()
    finally:
        if was_enabled:
            gc.enable()
        sys.setswitchinterval(interval)
    return loaded


def _call(
    package: _Loaded,
    area: Area,
    token: str,
    method: str,
    given: tuple[Any, ...],
    model: Mapping[str, Mapping[str, Any]],
    named: Mapping[str, Any],
) -> Any:
    """One call, in a thread of its own."""
    bearer = {
        "type": "bearer",
        "in": "header",
        "key": "Authorization",
        "value": f"Bearer {token}",
    }
    models = package.models["messaging" if area == "contents" else area]
    ask: Callable[..., Any] = getattr(package.apis[area], method)
    try:
        objects = [getattr(models, name).from_dict(dict(json)) for name, json in model.items()]
        return ask(*given, *objects, **named, _request_timeout=_SECONDS, _request_auth=bearer)
    except package.refusals as refused:
        raise _translated(refused) from None
    except package.network as error:
        raise Transient(Trouble.PLATFORM_DOWN, type(error).__name__) from None
    except _TooLong:
        raise Transient(Trouble.PLATFORM_DOWN, "an answer that is too long") from None
    except (ValueError, TypeError) as error:
        # The package's own checks, whose messages quote what was given to them.
        raise Permanent(Trouble.PLATFORM_REFUSED, f"the package: {type(error).__name__}") from None


def _translated(refused: Any) -> GatewayError | _TokenRefused:
    """An error of the platform in our words."""
    status = refused.status or 0
    problem = read_problem(refused.body)
    parts = [problem.message, *(f"{d.property}: {d.message}" for d in problem.details)]
    said = "; ".join(filter(None, parts))[:LONGEST_TEXT]
    detail = f"{status}: {said}"
    if status == 401:
        return _TokenRefused()
    if status == 429 and problem.is_monthly:
        return Permanent(Trouble.PLATFORM_QUOTA, detail)
    if status == 429:
        return Transient(Trouble.PLATFORM_BUSY, detail)
    if status >= 500 or status in (0, 408):
        return Transient(Trouble.PLATFORM_DOWN, detail)
    reason = {404: Trouble.PLATFORM_MISSING, 410: Trouble.PLATFORM_GONE}.get(status)
    return Permanent(reason or Trouble.PLATFORM_REFUSED, detail)
