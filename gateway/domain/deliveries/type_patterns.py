"""Types of own events: names that an application chooses, and the patterns that match them."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from gateway.domain.tasks.event import FACTS, types_of

RESERVED: Final = tuple(
    dict.fromkeys((*(name.partition(".")[0] for name in FACTS), "workspace", "pr", "slipgate"))
)
"""Families of our own types, now or later."""
TYPE_LENGTH: Final = 128
TYPE_PATTERN: Final = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$(?!\n)"
GROUP_PATTERN: Final = r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.([A-Za-z0-9_-]+|\*)$(?!\n)"
"""Of a type, or of a group of types."""
ALL: Final = "*"
_GROUP: Final = re.compile(GROUP_PATTERN)


def reserved_family(name: str) -> str | None:
    """The family of ours that this type, or pattern, would be of."""
    family = name.partition(".")[0].lower()
    return family if family in RESERVED else None


def is_own_pattern(pattern: str) -> bool:
    """True for a type that an application may choose, and for a group of such types."""
    is_name = len(pattern) <= TYPE_LENGTH and _GROUP.fullmatch(pattern) is not None
    return is_name and reserved_family(pattern) is None


@lru_cache(maxsize=4096)
def is_own_wanted(patterns: tuple[str, ...] | None, kind: str) -> bool:
    """True if an endpoint with these patterns gets own events of this type."""
    return any(_matches(pattern, kind) for pattern in patterns or ())


def _matches(pattern: str, kind: str) -> bool:
    if pattern.endswith(ALL):
        return kind.startswith(pattern.removesuffix(ALL))
    return pattern == kind


def split(patterns: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The patterns of our types, and those of own types."""
    patterns = tuple(patterns)
    own = tuple(pattern for pattern in patterns if is_own_pattern(pattern))
    return tuple(pattern for pattern in patterns if pattern not in own), own


def feed_types(patterns: Iterable[str]) -> frozenset[str]:
    """Our types that match, with the patterns of own types as they are.

    Raises:
        ValueError: the pattern in its message means no type.
    """
    ours, own = split(patterns)
    everything = (ALL,) if ALL in ours else ()
    return types_of(ours).union(own, everything)
