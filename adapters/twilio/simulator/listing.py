"""The platform's REST API, as far as it lists calls.

Source: https://www.twilio.com/docs/voice/api/call-resource#read-multiple-call-resources
"""

import base64
import hmac
from collections import deque
from collections.abc import Iterator, Mapping
from email.utils import format_datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web

from adapters.twilio.simulator.played import Leg, Played
from gateway.domain.values import SECOND, moment

_MOST_LISTS = 8
"""Lists that are being read page by page: each stays as it was when it was begun."""

_PAGE_SIZE, _MOST_PAGE_SIZE = 50, 1000

_Row = tuple[int, Played, Leg | None]
"""When it began, a call, and its leg where it is one."""


class CallListing:
    """Lists the calls of ``calls``, and their legs once Dial is over, to whoever knows the token;
    use it with ``async with``.
    """

    def __init__(
        self, account_sid: str, auth_token: str, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.calls: list[Played] = []
        self._account = account_sid
        self._path = f"/2010-04-01/Accounts/{account_sid}/Calls"
        user = base64.b64encode(f"{account_sid}:{auth_token}".encode()).decode()
        self._authorization = f"Basic {user}".encode()
        self._address = (host, port)
        self._runner = web.ServerRunner(web.Server(self._answer), shutdown_timeout=0.1)
        self._lists: deque[tuple[str, list[_Row]]] = deque(maxlen=_MOST_LISTS)
        self._begun = 0

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._address).start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    @property
    def url(self) -> str:
        """What ``[twilio] api_url`` is to be."""
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").encode(errors="replace")
        if not hmac.compare_digest(given, self._authorization):
            return _problem(401, 20003, "Authenticate")
        if request.method != "GET" or request.path != f"{self._path}.json":
            return _problem(404, 20404, f"The requested resource {request.path} was not found")
        query = request.query
        size = min(_MOST_PAGE_SIZE, int(query.get("PageSize", _PAGE_SIZE)))
        name, _, place = query.get("PageToken", "").partition("-")
        if not name:
            name, place = f"PA{self._begun}", "0"
            self._begun += 1
            rows = sorted(self._rows(query), key=lambda row: row[0], reverse=True)
            self._lists.append((name, rows))
        rows = dict(self._lists).get(name, [])
        begin, end = int(place), int(place) + size
        further = {"PageSize": size, "Page": end // size, "PageToken": f"{name}-{end}"}
        return web.json_response(
            {
                "calls": [self._shown(*row[1:]) for row in rows[begin:end]],
                "start": begin,
                "end": max(begin, min(end, len(rows)) - 1),
                "page": begin // size,
                "page_size": size,
                "uri": request.path_qs,
                "first_page_uri": f"{self._path}.json?PageSize={size}&Page=0",
                "previous_page_uri": None,
                "next_page_uri": f"{self._path}.json?{urlencode(further)}"
                if end < len(rows)
                else None,
            }
        )

    def _rows(self, query: Mapping[str, str]) -> Iterator[_Row]:
        for played in self.calls:
            if not played.started_at:
                continue  # its first webhook is not answered: nothing is known of it yet
            if _is_asked(played.started_at, query):
                yield played.started_at, played, None
            for leg in played.legs:
                if _is_asked(leg.began_at, query):
                    yield leg.began_at, played, leg

    def _shown(self, played: Played, leg: Leg | None) -> dict[str, Any]:
        if leg is None:
            sid, parent, called, seconds = played.sid, None, played.number, played.seconds
            status = played.status or "in-progress"
            began, ended = played.started_at, played.ended_at
        else:
            sid, parent, called, seconds = leg.sid, played.sid, leg.target, leg.talk_seconds or 0
            status = leg.state.replace("_", "-")
            began = leg.began_at
            ended = began + (leg.ring_seconds + seconds) * SECOND
        uri = f"{self._path}/{sid}"
        return {
            "sid": sid,
            "account_sid": self._account,
            "parent_call_sid": parent,
            "direction": "outbound-dial" if leg else "inbound",
            "from": played.caller,
            "from_formatted": played.caller,
            "to": called,
            "to_formatted": called,
            "status": status,
            "start_time": _date(began),
            "end_time": _date(ended),
            "duration": str(seconds),
            "date_created": _date(began),
            "date_updated": _date(ended or began),
            "answered_by": None,
            "api_version": "2010-04-01",
            "caller_name": "",
            "forwarded_from": None,
            "group_sid": None,
            "phone_number_sid": "",
            "price": None,
            "price_unit": "USD",
            "queue_time": "0",
            "trunk_sid": "",
            "uri": f"{uri}.json",
            "subresource_uris": {"recordings": f"{uri}/Recordings.json"},
        }


def _is_asked(began: int, query: Mapping[str, str]) -> bool:
    """Whether it began on the days that are asked for; those are days of UTC."""
    day = moment(began).date().isoformat()
    on, before, since = (query.get(f"StartTime{sign}", "")[:10] for sign in ("", "<", ">"))
    return (not on or day == on) and (not before or day < before) and day >= since


def _date(instant: int) -> str | None:
    return format_datetime(moment(instant)) if instant else None


def _problem(status: int, code: int, message: str) -> web.Response:
    problem = {
        "code": code,
        "message": message,
        "more_info": f"https://www.twilio.com/docs/errors/{code}",
        "status": status,
    }
    return web.json_response(problem, status=status)
