"""Which handler a method and a path belong to."""

from collections import defaultdict

from adapters.line.simulator import (
    audiences,
    coupons,
    insight,
    liff,
    menu_batches,
    menus,
    narrowcast,
    people,
    sending,
    settings,
    tokens,
)
from adapters.line.simulator.protocol import Route, Wrong

ROUTES: tuple[Route, ...] = (
    *sending.ROUTES,
    *tokens.ROUTES,
    *liff.ROUTES,
    *people.ROUTES,
    *settings.ROUTES,
    *coupons.ROUTES,
    *menus.ROUTES,
    *menu_batches.ROUTES,
    *audiences.ROUTES,
    *narrowcast.ROUTES,
    *insight.ROUTES,
)

MOST_BYTES = max(route.most_bytes for route in ROUTES)

_EXACT: dict[str, dict[str, Route]] = defaultdict(dict)
_BY_LENGTH: dict[int, list[tuple[tuple[str, ...], Route]]] = defaultdict(list)

for _route in ROUTES:
    if "{}" in _route.path:
        _parts = tuple(_route.path.split("/"))
        _BY_LENGTH[len(_parts)].append((_parts, _route))
    else:
        _EXACT[_route.path][_route.method] = _route


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    """The route, and what stands in the variable parts; raises the 404 or the 405."""
    exact = _EXACT.get(path, {})
    if method in exact:
        return exact[method], ()
    known = bool(exact)
    parts = path.split("/")
    for pattern, route in _BY_LENGTH.get(len(parts), ()):
        pairs = list(zip(pattern, parts, strict=True))
        if all(wanted in ("{}", part) and part for wanted, part in pairs[1:]):
            if route.method == method:
                return route, tuple(part for wanted, part in pairs if wanted == "{}")
            known = True
    if known:
        raise Wrong(405, "Method not allowed")
    raise Wrong(404, "Not found")
