"""The text of `/metrics`. Only the first request for it imports this: the library takes 10 ms."""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector

from gateway.metrics.family import Family, Numbers, Times


def text_of(families: Iterable[Family]) -> bytes:
    """The families in the text format."""
    registry = CollectorRegistry()
    registry.register(_Families(families))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Each family as the library knows it."""
        for family in self._families:
            yield _times(family) if isinstance(family, Times) else _numbers(family)


def _times(family: Times) -> Metric:
    written = HistogramMetricFamily(family.name, family.what, labels=family.labels)
    for labels, times in family.values.items():
        written.add_metric(labels, times.buckets, times.seconds)
    return written


def _numbers(family: Numbers) -> Metric:
    if family.kind == "info":
        info = InfoMetricFamily(family.name, family.what)
        for values in family.values:
            info.add_metric((), dict(zip(family.labels, values, strict=True)))
        return info
    kind = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    written = kind(family.name, family.what, labels=family.labels)
    for labels, value in family.values.items():
        written.add_metric(labels, value)
    return written
