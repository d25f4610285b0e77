"""Types of events by pattern: `task.started`, `task.*`, `*`."""

from collections.abc import Iterable
from typing import Final

from gateway.domain.tasks.event import FACTS

KINDS: Final = tuple(dict.fromkeys(f"{name.partition('.')[0]}.*" for name in FACTS))
"""The patterns for whole kinds: `task.*`, `sandbox.*`."""


def types_of(patterns: Iterable[str]) -> frozenset[str]:
    """The types that any of the patterns means.

    Raises:
        ValueError: the pattern it names means none.
    """
    return frozenset(name for pattern in patterns for name in _matching(pattern))


def _matching(pattern: str) -> list[str]:
    if pattern == "*":
        return list(FACTS)
    prefix = pattern.removesuffix("*") if pattern.endswith(".*") else None
    found = [name for name in FACTS if name == pattern or (prefix and name.startswith(prefix))]
    if not found:
        raise ValueError(pattern)
    return found
