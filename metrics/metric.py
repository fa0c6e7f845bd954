"""What the table of metrics says of each."""

from typing import Literal

import msgspec

PREFIX = "gateway_"


class Metric(msgspec.Struct, frozen=True):
    """One metric family."""

    name: str
    """Without the prefix."""
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: dict[str, tuple[str, ...]] = {}
    """Each label with its closed set of values; an empty set is open (ids, routes, versions)."""
    unit: str = ""
    buckets: tuple[float, ...] = ()
    """Histograms only: the upper bounds, without the infinite one."""

    @property
    def full_name(self) -> str:
        """The name Prometheus sees. Those of any process have no prefix, as dashboards know them
        (Prometheus documentation, "Writing client libraries: process metrics").
        """
        return self.name if self.name.startswith("process_") else PREFIX + self.name

    @property
    def family(self) -> str:
        """The name of the family in OpenMetrics, where a counter's has no ``_total``."""
        return self.full_name.removesuffix("_total")

    @property
    def told_unit(self) -> str:
        """The unit as OpenMetrics 1.0.0 takes it: only where the family's name ends with it."""
        return self.unit if self.family.endswith(f"_{self.unit}") else ""

    @property
    def scope(self) -> Literal["process", "advertiser"]:
        """Whose figures these are."""
        return "advertiser" if "advertiser" in self.labels else "process"
