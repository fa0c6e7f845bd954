"""What a simulated mail server and its people know of mails, compared with what the store says."""

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from adapters.smtp.simulator import MailWorld
from gateway.domain.mail.tokens import Keys, Named, unverp
from tests.support.daemon import PATIENCE, Daemon
from tests.support.mail_tap import Instant, Tap

Which = tuple[int, int]
"""A mail: campaign and recipient."""

_OVER = ("sent", "failed", "held", "suppressed")

_TAKEN = {"sent": (1,), "held": (0, 1), "failed": (0,), "suppressed": (0,)}
"""How often the server may have taken a mail, by what the store says of it."""


class MailTruth:
    """Both sides, once nothing is under way any more.

    ``stopped`` says who had stopped when: the mails whose stop link was pressed, in order, and the
    instant at which that was answered.
    """

    def __init__(
        self,
        daemon: Daemon,
        world: MailWorld,
        tap: Tap,
        keys: Keys,
        stopped: Mapping[Which, Instant],
        recipients: int,
    ) -> None:
        self._daemon = daemon
        self._world = world
        self._tap = tap
        self._keys = keys
        self._stopped = stopped
        self._recipients = recipients

    # --- the server's side ---

    @cached_property
    def taken(self) -> Counter[Which]:
        """How often the server took each mail; told by the keyed tags of envelope senders."""
        return Counter(self._which(letter.sender) for letter in self._world.mailbox)

    @cached_property
    def begun(self) -> Counter[Which]:
        """How often each mail was begun."""
        return Counter(self._which(begun.sender) for begun in self._tap.begun)

    # --- the store's side ---

    @cached_property
    def sends(self) -> dict[Which, tuple[str, str]]:
        """State and class of each mail."""
        rows = self._daemon.rows("SELECT campaign, recipient, state, class FROM mail_sends")
        return {(row[0], row[1]): (row[2], row[3]) for row in rows}

    @cached_property
    def states(self) -> Counter[str]:
        """How mails ended."""
        return Counter(state for state, _ in self.sends.values())

    # --- the two beside each other: each yields what is wrong ---

    def wrong_sends(self) -> Iterator[str]:
        """Somebody who was skipped, who is not at an end, or whose mail the server took more often
        or less often than the store says.
        """
        campaigns = {campaign for campaign, _ in self.sends}
        if len(self.sends) != len(campaigns) * self._recipients:
            yield f"{len(self.sends)} mails of {len(campaigns)} to {self._recipients} each"
        for which, (state, _) in sorted(self.sends.items()):
            count = self.taken[which]
            if state not in _OVER:
                yield f"{which}: it is {state}"
            elif count not in _TAKEN[state]:
                yield f"{which}: {state}, and taken {count} times"
        for which in self.taken.keys() - self.sends.keys():
            yield f"{which}: taken, and the store does not know it"

    def wrong_stops(self) -> Iterator[str]:
        """A mail that was begun after its recipient's stop was answered."""
        stopped: dict[int, Instant] = {}
        for (_, recipient), at in self._stopped.items():
            stopped.setdefault(recipient, at)  # the first of theirs
        for begun in self._tap.begun:
            which = self._which(begun.sender)
            if which[1] in stopped and stopped[which[1]].is_before(begun):
                yield f"{which}: begun after the stop, on connection {begun.connection}"

    def wrong_reports(self) -> Iterator[str]:
        """A bounce or a complaint that was taken from its server, and is not in the log once."""
        rows = self._daemon.rows("SELECT campaign, recipient, source FROM mail_bounces")
        logged = Counter(
            (row[0], row[1], row[2] == "complaint") for row in rows if row[2] != "smtp"
        )
        for what in ("bounce", "complain"):
            for deed in self._world.crowd.did("bounce" if what == "bounce" else "complain"):
                if deed.status != 250:
                    continue
                which = self._which(deed.target)
                if logged[*which, what == "complain"] != 1:
                    count = logged[*which, what == "complain"]
                    yield f"{which}: a {what} ({deed.kind}) is there {count} times"
                if what == "bounce" and not self.sends[which][1]:
                    yield f"{which}: it bounced ({deed.kind}), and the store has no class"

    def wrong_figures(self) -> Iterator[str]:
        """A figure that is not what there are of mails; figures are kept beside the rows."""
        rows = self._daemon.rows("SELECT campaign, name, amount FROM mail_figures")
        held = {(row[0], row[1]): row[2] for row in rows}
        counted = Counter((campaign, state) for (campaign, _), (state, _) in self.sends.items())
        names = ("queued", "attempting", "deferred", "canceled", *_OVER)
        for campaign in {campaign for campaign, _ in self.sends}:
            for name in names:
                figure = held.get((campaign, name), 0)
                if figure != counted[campaign, name]:
                    yield f"{campaign}: {figure} {name}, and {counted[campaign, name]} rows"

    def wrong_list(self, api: "Api") -> Iterator[str]:
        """The API counts and shows the mails in doubt, and no others."""
        for campaign in sorted({campaign for campaign, _ in self.sends}):
            held = {
                recipient
                for (of, recipient), (state, _) in self.sends.items()
                if of == campaign and state == "held"
            }
            shown = {
                int(each["recipient"])
                for each in api.all(f"/mail-campaigns/{campaign}/sends?state=held")
            }
            figures = api.get(f"/mail-campaigns/{campaign}/figures")
            if shown != held or figures["held"] != len(held):
                yield f"{campaign}: {len(held)} held, {figures['held']} counted, {len(shown)} shown"

    def _which(self, sender: str) -> Which:
        named: Named = unverp(sender.partition("@")[0], self._keys.verp, 0)
        return named.campaign, named.recipient


class Api:
    """The admin API of a daemon, for whoever has a token."""

    def __init__(self, daemon: Daemon, token: str) -> None:
        listen = daemon.settings().admin.listen
        self._url = f"http://{listen.host}:{listen.port}/api/v1"
        self._token = token

    def get(self, path: str) -> Any:
        """What a call tells."""
        return self._ask(path, None)

    def post(self, path: str, body: Any, key: str) -> Any:
        """What a call did, under its key."""
        return self._ask(path, body, {"Idempotency-Key": key})

    def all(self, path: str) -> Iterator[Any]:
        """All pages of a list."""
        after = ""
        while True:
            mark = "&" if "?" in path else "?"
            page = self.get(f"{path}{mark}limit=100{after}")
            yield from page["items"]
            if page["next"] is None:
                return
            after = f"&cursor={page['next']}"

    def _ask(self, path: str, body: Any, more: Mapping[str, str] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._token}", **(more or {})}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(self._url + path, data=data, headers=headers)  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 - likewise
            return json.load(answer)
