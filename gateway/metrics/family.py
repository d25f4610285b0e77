"""Families of samples as plain values: the library is imported to write them, not to count."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from gateway.metrics.histogram import Histogram

Labels = tuple[str, ...]
Kind = Literal["counter", "gauge", "info"]


class Numbers(msgspec.Struct, frozen=True, kw_only=True):
    """A number for each combination of labels; of `info` it is always 1."""

    kind: Kind
    name: str
    what: str
    labels: Labels = ()
    values: Mapping[Labels, float]


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """A histogram for each combination of labels."""

    name: str
    what: str
    labels: Labels = ()
    values: Mapping[Labels, Histogram]


Family = Numbers | Times
