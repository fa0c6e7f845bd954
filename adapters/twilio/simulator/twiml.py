"""Reading the document that a webhook answered with, as the platform reads it."""

from dataclasses import dataclass
from urllib.parse import urljoin
from xml.etree import ElementTree as ET


@dataclass(frozen=True)
class Number:
    """A target, and which callbacks are wanted of it."""

    target: str
    callback: str | None = None
    events: frozenset[str] = frozenset({"completed"})


@dataclass(frozen=True)
class Dial:
    """Ring ``numbers``, all together or one after the other."""

    numbers: tuple[Number, ...]
    sequential: bool = False
    timeout: int = 30
    time_limit: int = 14_400
    action: str | None = None
    caller_id: str | None = None
    answer_on_bridge: bool = False


@dataclass(frozen=True)
class Reject:
    """Refuse the call without answering it."""

    reason: str = "rejected"


@dataclass(frozen=True)
class Hangup:
    """End the call."""


@dataclass(frozen=True)
class Other:
    """Any other verb: it answers the call, and takes no time here."""

    name: str


Verb = Dial | Reject | Hangup | Other


def read(body: bytes, url: str) -> list[Verb]:
    """The verbs of a document fetched from ``url``, which its own addresses are relative to.

    Raises:
        ValueError: it is no TwiML.
    """
    try:
        root = ET.fromstring(body)  # noqa: S314 - documents of our own daemon
        if root.tag != "Response":
            raise ValueError(f"a document of <{root.tag}>")
        return [_verb(element, url) for element in root]
    except ET.ParseError as error:
        raise ValueError(f"not XML: {error}") from error


def _verb(element: ET.Element, url: str) -> Verb:
    get = element.attrib.get
    if element.tag == "Reject":
        return Reject(get("reason", "rejected"))
    if element.tag == "Hangup":
        return Hangup()
    if element.tag != "Dial":
        return Other(element.tag)
    numbers = [_number(child, url) for child in element if child.tag == "Number"]
    if element.text and element.text.strip():
        numbers.insert(0, Number(element.text.strip()))
    return Dial(
        numbers=tuple(numbers),
        sequential=get("sequential") == "true",
        timeout=min(600, max(5, int(get("timeout", "30")))),
        time_limit=int(get("timeLimit", "14400")),
        action=_address(get("action"), url),
        caller_id=get("callerId"),
        answer_on_bridge=get("answerOnBridge") == "true",
    )


def _number(element: ET.Element, url: str) -> Number:
    return Number(
        target=(element.text or "").strip(),
        callback=_address(element.attrib.get("statusCallback"), url),
        events=frozenset(element.attrib.get("statusCallbackEvent", "completed").split()),
    )


def _address(value: str | None, url: str) -> str | None:
    return urljoin(url, value) if value else None
