"""Queries that most panels ask, made of the table of metrics.

Counters are each process's own: they are added up. Gauges that every process reads out of the one
store are alike: the largest is taken.
"""

from metrics.registry import BY_NAME

ADVERTISER = 'advertiser="$advertiser"'
INSTANCE = 'instance=~"$instance"'


def series(name: str, where: str = "") -> str:
    """A metric of the table by its name there; ``where`` holds label matchers.

    Raises:
        KeyError: the table has no such metric.
    """
    full = BY_NAME[name].full_name
    return f"{full}{{{where}}}" if where else full


def total(name: str, by: str = "", where: str = "") -> str:
    """What came in the range that the dashboard shows."""
    return f"sum{_by(by)} (increase({series(name, where)}[$__range]))"


def each(name: str, by: str = "", where: str = "") -> str:
    """What came between two points: bars of it add up to what came in all."""
    return f"sum{_by(by)} (increase({series(name, where)}[$__interval]))"


def rate(name: str, by: str = "", where: str = "") -> str:
    """How many came in a second."""
    return f"sum{_by(by)} (rate({series(name, where)}[$__rate_interval]))"


def quantile(share: float, name: str, by: str = "", where: str = "") -> str:
    """The bound that so many of a histogram's observations stay below; no number while there are
    none.
    """
    bucket = series(name, where).replace(
        BY_NAME[name].full_name, BY_NAME[name].full_name + "_bucket"
    )
    grouped = f"{by}, le" if by else "le"
    return f"histogram_quantile({share:g}, sum{_by(grouped)} (rate({bucket}[$__rate_interval])))"


def stored(name: str, by: str = "", where: str = "") -> str:
    """A gauge of the store, which every process tells alike."""
    return f"max{_by(by)} ({series(name, where)})"


def ratio(part: str, whole: str) -> str:
    """A share; no number while there is nothing to have a share of."""
    return f"{part} / {whole}"


def top(count: int, expr: str) -> str:
    """The largest."""
    return f"topk({count}, {expr})"


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""
