"""Who asks for a page, as far as the request tells."""

from gateway.domain.links import Visitor, visitor
from gateway.domain.mail.signups import is_public
from gateway.ports import Request

_LONGEST_ADDRESS = 45


def visitor_of(request: Request) -> Visitor:
    """Whether a person asks, or a program."""
    headers = request.headers
    purposes = [headers.get(name) or "" for name in ("Sec-Purpose", "Purpose", "X-Purpose")]
    return visitor(request.method, headers.get("User-Agent") or "", " ".join(purposes))


def peer_of(request: Request) -> str:
    """From where it comes, as the proxy in front says: the last entry is its own. Whoever connects
    from the Internet is no proxy of ours: what they claim does not count. Empty: a proxy says
    nothing.
    """
    if is_public(request.peer):
        return request.peer
    said = request.headers.getall("X-Forwarded-For", ())
    return said[-1].rpartition(",")[2].strip()[:_LONGEST_ADDRESS] if said else ""
