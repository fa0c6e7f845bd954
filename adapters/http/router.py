"""Which route a request is for: exact paths by one look-up, ``{name}`` segments by a tree."""

from collections.abc import Iterable, Mapping
from urllib.parse import unquote_to_bytes

from gateway.errors import Refusal, Refused
from gateway.ports import Route

MOST_CHARACTERS = 200
"""The longest value of a ``{name}`` segment, percent-decoded."""


class _Node:
    """What may follow a path's beginning: segments as they stand, else any one segment."""

    __slots__ = ("any", "exact", "routes")

    def __init__(self) -> None:
        self.exact: dict[str, _Node] = {}
        self.any: _Node | None = None
        self.routes: dict[str, tuple[Route, tuple[str, ...]]] = {}
        """By method: the route that ends here, with the names of its parameters."""


class Router:
    """Finds routes. A path without parameters is compared as it came, without any decoding."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.exact: dict[tuple[str, str], Route] = {}
        """Routes without parameters, by method and path: to be asked before :meth:`match`."""
        self._tree = _Node()
        for route in routes:
            if "{" in route.path:
                self._grow(route)
            else:
                self.exact[route.method, route.path] = route

    def match(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route with parameters that serves ``path``, and the values of these.

        Where paths of several routes fit, segments that stand in the route's path go first.

        Raises:
            Refused: nothing is there, or nothing that takes this method.
        """
        node, values = _walk(self._tree, path.split("/"), 0) or (None, ())
        found = node.routes.get(method) if node else None
        if found is not None:
            route, names = found
            return route, dict(zip(names, map(_decoded, values), strict=True))
        allowed = [known for known, exact in self.exact if exact == path]
        allowed += [known for known in (node.routes if node else ()) if known not in allowed]
        if allowed:
            raise Refused(Refusal.METHOD_NOT_ALLOWED, ", ".join(allowed))
        raise Refused(Refusal.NOT_FOUND)

    def _grow(self, route: Route) -> None:
        node, names = self._tree, []
        for segment in route.path.split("/"):
            if segment.startswith("{") and segment.endswith("}"):
                names.append(segment[1:-1])
                node.any = node = node.any or _Node()
            else:
                node = node.exact.setdefault(segment, _Node())
        node.routes[route.method] = (route, tuple(names))


def _walk(node: _Node, segments: list[str], at: int) -> tuple[_Node, tuple[str, ...]] | None:
    """Where ``segments`` from ``at`` on lead, and what stood there in parameters' places."""
    if at == len(segments):
        return (node, ()) if node.routes else None
    segment = segments[at]
    exact = node.exact.get(segment)
    if exact is not None and (found := _walk(exact, segments, at + 1)):
        return found
    if node.any is not None and segment and (found := _walk(node.any, segments, at + 1)):
        return found[0], (segment, *found[1])
    return None


def _decoded(segment: str) -> str:
    """A segment's value.

    Raises:
        Refused: it is none that anything can be called: too long, with a slash or NUL in it.
    """
    try:
        value = unquote_to_bytes(segment).decode()
    except UnicodeError:
        raise Refused(Refusal.NOT_FOUND) from None
    if len(value) > MOST_CHARACTERS or "/" in value or "\0" in value:
        raise Refused(Refusal.NOT_FOUND)
    return value
