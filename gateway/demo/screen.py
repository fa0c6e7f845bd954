"""What is seen while the demonstration runs: a line for each interesting thing, masked."""

from datetime import datetime

from gateway import main as wiring
from gateway.demo.folder import TOKYO
from gateway.domain.mail.addresses import masked_address
from gateway.domain.values import known_caller, masked

_ORDER = {"voice": "ringing", "leg.ringing": "connecting", "leg.in-progress": "talking"}
"""What shows that a call came further, in order."""


class Screen:
    """Prints."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}

    def call(self, played: wiring.Played, post: wiring.Post) -> None:
        """A request of ``played`` was answered: a line for each state, however late or often it
        was told.
        """
        order = [*_ORDER.values(), "ended"]
        state = "ended" if post.what.startswith("call.") else _ORDER.get(post.what)
        before = self._shown.get(played.sid)
        if state is None or (before and order.index(state) <= order.index(before)):
            return
        self._shown[played.sid] = state
        figures = ""
        if state == "ended":
            ring, talk = played.ring_seconds or 0, played.talk_seconds
            figures = f"{played.result:10} ring {ring:3} s  talk {talk:4} s"
        self._line(played.number, masked(known_caller(played.caller)), state, figures)

    def friend(self, shop: str, user: str, what: str, detail: str = "") -> None:
        """A friend of a shop did something."""
        self._line(shop, _masked(user), what, detail)

    def shop(self, shop: str, what: str, detail: str = "") -> None:
        """A shop did something."""
        self._line(shop, "", what, detail)

    def reader(self, shop: str, address: str, what: str, detail: str = "") -> None:
        """Somebody on a mail list did something."""
        self._line(shop, masked_address(address), what, detail)

    def _line(self, whose: str, who: str, what: str, detail: str) -> None:
        now = datetime.now(TOKYO).strftime("%H:%M:%S")
        arrow = "←" if who else " "
        print(f"{now}  {whose:13} {arrow} {who:12}  {what:10}  {detail}".rstrip(), flush=True)


def name_of(shop: str, user: str) -> str:
    """A friend of a shop, masked."""
    return f"{shop} ← {_masked(user)}"


def _masked(user: str) -> str:
    return f"{user[:4]}***{user[-2:]}"
