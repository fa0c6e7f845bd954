"""The API on a real listener and a real store, asked from outside by tests that need no loop."""

import asyncio
import http.client
import json
import secrets
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import structlog

from adapters.http.api.endpoint import Endpoint
from adapters.http.server import SILENT, Listener
from adapters.storage.store import SqlStore
from gateway import config
from gateway.config import Config
from gateway.domain.access import Access, Role
from gateway.domain.calls import Event
from gateway.domain.routing import TrackedNumber
from gateway.domain.tenancy import Advertiser
from gateway.domain.values import Ids
from gateway.main import line
from gateway.main.api import api_routes
from gateway.main.mail import api as mail_api
from gateway.main.mail.keys import MailKeys
from gateway.main.parts import Deps
from gateway.ports import UseCase
from gateway.usecases import access
from gateway.usecases.calls import record
from metrics.exposition import Exposition
from metrics.observer import Metrics
from tests.support.calls import START, answered_call, incoming, new_sid
from tests.support.stores import limits, sqlite_engine

R = TypeVar("R")

TREE = (
    Advertiser("agency-k", "Agency K", kind="agency"),
    Advertiser("media-x", "Media X", kind="media", parent="agency-k"),
    Advertiser("shop", "店", parent="media-x"),
)
"""Beside ``acme`` and ``other``, which stand under the operator alone."""

SHOP_NUMBER = TrackedNumber("+815031000003", "shop", "web", ("+81312345678",))
ACME_NUMBER, OTHER_NUMBER = "+815031000001", "+815031000002"


_CONFIG = """\
public_url = "https://gw.example.jp"
[storage]
url = "sqlite:///gateway.db"
[line]
api_url = "http://127.0.0.1:9"
data_api_url = "http://127.0.0.1:9"
"""
"""What a daemon with all its parts is configured with; nobody listens at port 9."""


@dataclass(frozen=True)
class Answered:
    """One answer."""

    status: int
    headers: Mapping[str, str]
    """By names in small letters."""
    body: bytes

    @property
    def json(self) -> Any:
        """The document in it."""
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        """Why the request was refused."""
        assert self.headers["content-type"] == "application/problem+json"
        assert self.headers["cache-control"] == "no-store"
        document = self.json
        assert document["status"] == self.status
        assert document["request_id"] == self.headers["x-request-id"]
        return str(document["reason"])


class World:
    """A running API with what it serves; its own thread runs the loop."""

    def __init__(
        self,
        template: Path,
        folder: Path,
        endpoints: Callable[[Deps], Sequence[Endpoint]] = lambda deps: (),
        *,
        every_part: bool = False,
    ) -> None:
        """A copy of ``template`` in ``folder``; ``endpoints`` are served beside ours, and those of
        ``every_part`` of the daemon if asked for.
        """
        self.engine = sqlite_engine(template, folder)
        self.engine.provision(*TREE, SHOP_NUMBER)
        self._folder = folder
        self.now = START
        self.metrics = Metrics("test", lambda: self.now)
        self._endpoints = endpoints
        self._every_part = every_part
        self._ids = Ids(7)
        self._tokens: dict[tuple[Role, tuple[str, ...]], str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._stack = AsyncExitStack()

    def open(self) -> None:
        """Start serving."""
        self._thread.start()
        self._await(self._open())

    def close(self) -> None:
        """Stop, and give everything back."""
        self._await(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> None:
        database = self.engine.database()
        self.store = await self._stack.enter_async_context(
            SqlStore(database, observer=SILENT, limits=limits())
        )
        deps = Deps(
            config=self._config(),
            database=database,
            store=self.store,
            ids=self._ids,
            clock=lambda: self.now,
            log=structlog.get_logger("test"),
        )
        endpoints = list(self._endpoints(deps))
        if self._every_part and deps.config.line is not None:
            parts = await self._stack.enter_async_context(line.parts(deps, deps.config.line))
            parts.append(mail_api.part(deps, MailKeys(self.store)))
            endpoints += [endpoint for part in parts for endpoint in part.endpoints]
        listener = Listener(
            ("127.0.0.1", 0),
            api_routes(deps, Exposition(self.metrics), endpoints),
            observer=SILENT,
            clock=lambda: self.now,
            log=structlog.get_logger("test"),
        )
        await listener.start()
        self._stack.push_async_callback(listener.stop, 1)
        self.port = listener.port

    @property
    def contents(self) -> Path:
        """The folder of what friends sent beside words."""
        return self._folder / "var" / "contents"

    @property
    def state(self) -> Path:
        """The daemon's folder."""
        return self._folder / "var"

    # --- what is in it ---

    def wait(self, coroutine: Coroutine[Any, Any, R]) -> R:
        """What a coroutine gives, in the API's loop."""
        return self._await(coroutine)

    def run(self, use_case: UseCase[R], argument: Any) -> R:
        """What a use-case answers."""
        return self._await(self.store.run(use_case, argument))

    def id(self) -> int:
        """A new id."""
        return self._ids.next(self.now)

    def token(self, role: Role, *advertisers: str, fresh: bool = False, **further: Any) -> str:
        """A token; the same one for the same role and advertisers, unless ``fresh``."""
        held = self._tokens.get((role, advertisers))
        if held is not None and not fresh:
            return held
        token = f"tsn_{secrets.token_urlsafe(32)}"
        opens = Access(
            id=self.id(),
            role=role,
            name="test",
            advertisers=advertisers,
            created_at=self.now,
            **further,
        )
        self.run(access.create, access.NewToken(opens, sha256(token.encode()).hexdigest()))
        if not fresh:
            self._tokens[role, advertisers] = token
        return token

    def tell(self, *events: Event) -> None:
        """Keep what a carrier tells."""
        for event in events:
            self.run(record, incoming(event))

    def call(self, number: str = ACME_NUMBER, at: int | None = None, **further: Any) -> str:
        """A call that is over; returns its id."""
        sid = new_sid()
        self.tell(*answered_call(sid, at or self.now, number=number, **further))
        return str(self.engine.rows(f"SELECT id FROM calls WHERE sid = '{sid}'")[0][0])

    # --- who asks ---

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """The answer to one request; ``body`` goes as JSON unless it is bytes."""
        sent = dict(headers or {})
        if token is not None:
            sent.setdefault("Authorization", f"Bearer {token}")
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, "/api/v1" + path, body, sent)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answered(response.status, names, response.read())
        finally:
            connection.close()

    def get(self, path: str, *, token: str | None = None) -> Answered:
        """The answer to a GET by the operator, or by ``token``."""
        return self.ask("GET", path, token=token or self.token("operator"))

    def _config(self) -> Config:
        path = self._folder / "config.toml"
        path.write_text(_CONFIG)
        return config.load(path, {})

    def _await(self, coroutine: Coroutine[Any, Any, R]) -> R:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)
