"""Queries that most panels ask, made of the table of metrics.

Counters are each process's own: they are added up. Gauges that every process reads out of the one
store are alike: the largest is taken.

The counters of one advertiser are few, and so are those of a process: they are asked as they are.
Those of all advertisers together are hundreds of thousands: Prometheus takes many seconds to read
some hours of them. So panels that show all advertisers ask for what ``rules/recording.yml`` has
added up. A sample there is the growth between two marks five minutes apart, so the sum of a range's
samples is what came in it. The mean of recorded rates times the range would be too much where
there are no samples, as before Prometheus began.
"""

from metrics.registry import BY_NAME

ADVERTISER = 'advertiser="$advertiser"'
INSTANCE = 'instance=~"$instance"'


def series(name: str, where: str = "") -> str:
    """A metric of the table by its name there; ``where`` holds label matchers.

    Raises:
        KeyError: the table has no such metric.
    """
    return _matched(BY_NAME[name].full_name, where)


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


# --- of all advertisers, as the rules add them up ---


def total_of_all(name: str, by: str = "", where: str = "") -> str:
    """What came in the range that the dashboard shows."""
    return f"sum{_by(by)} (sum_over_time({_amounts(name, where)}[$__range]))"


def each_of_all(name: str, by: str) -> str:
    """What came between two points: bars of it add up to what came in all."""
    return f"sum{_by(by)} (sum_over_time({_amounts(name)}[$__interval]))"


def rate_of_all(name: str, by: str) -> str:
    """How many came in a second, by the last five minutes."""
    return f"sum{_by(by)} ({_recorded(name, 'rate5m')})"


def stored_of_all(name: str, by: str = "") -> str:
    """A gauge of the store."""
    return f"sum{_by(by)} ({_recorded(name, 'sum')})"


def leaders(count: int, what: str) -> str:
    """The advertisers with the most in the range that the dashboard shows."""
    recorded = f"job_advertiser:gateway_{what}:increase5m"
    return top(count, f"sum by (advertiser) (sum_over_time({recorded}[$__range]))")


def bounce_shares(count: int) -> str:
    """The advertisers with the largest shares of bounces in the last day, as MailBounces reckons
    them. Fewer than 200 mails count as 200, or a single mail that came back would lead.
    """
    bounced = "job_advertiser:gateway_mail_bounces:increase1d"
    tried = "job_advertiser:gateway_mail_tried:increase1d"
    return top(count, f"max by (advertiser) ({bounced} / clamp_min({tried}, 200))")


def _amounts(name: str, where: str = "") -> str:
    return _matched(_recorded(name, "increase5m"), where)


def _recorded(name: str, operation: str) -> str:
    """By the last of the metric's labels."""
    metric = BY_NAME[name]
    level = "_".join(["job", *[label for label in metric.labels if label != "advertiser"][-1:]])
    return f"{level}:{metric.family}:{operation}"


def _matched(name: str, where: str) -> str:
    return f"{name}{{{where}}}" if where else name


def _by(labels: str) -> str:
    return f" by ({labels})" if labels else ""
