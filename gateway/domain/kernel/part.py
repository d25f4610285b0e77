"""Parts of a unit of work: loaded rows, and the changes to them."""

from collections.abc import Callable, Hashable, Iterable
from typing import Protocol, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Part(Protocol):
    """The rows of one capability in a unit of work."""

    @property
    def is_changed(self) -> bool:
        """True if anything has to be written."""


class Added(list[V]):
    """Rows that are only ever added."""

    @property
    def is_changed(self) -> bool:
        """True if a row was added."""
        return bool(self)


class Rows(dict[K, V]):
    """Loaded rows by key, and the keys of those that changed."""

    def __init__(self, key: Callable[[V], K]) -> None:
        super().__init__()
        self._key = key
        self.changed: dict[K, None] = {}

    def load(self, rows: Iterable[V]) -> None:
        """Rows as they are stored."""
        self.update((self._key(row), row) for row in rows)

    def put(self, row: V) -> None:
        """A new or changed row."""
        key = self._key(row)
        self[key] = row
        self.changed[key] = None

    @property
    def changes(self) -> list[V]:
        """The rows that have to be written."""
        return [self[key] for key in self.changed]

    @property
    def is_changed(self) -> bool:
        """True if a row has to be written."""
        return bool(self.changed)
