"""A value that is used and never shown."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """Prints as `Secret()`; only `value` holds what it hides."""

    value: str = field(repr=False)
