"""A database as an operator's command uses it: one connection that waits for each answer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from gateway.store.sql.connection import NO_PARAMS
from gateway.store.sql.rows import Params, Row

OnProgress = Callable[[int, int], None]
"""Takes how much is done, of how much."""


def ignore_progress(_done: int, _total: int) -> None:
    """For those who do not look."""


class Damaged(Exception):
    """Stored rows cannot be read: the disk, or a file, is damaged."""


class Database(Protocol):
    """A connection that runs the shared statements."""

    def fetch(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Sequence[Row]:
        """All rows of a statement; lists among the parameters are bound as JSON."""

    def stream(self, statement: str, params: Mapping[str, Any] = NO_PARAMS) -> Iterator[Row]:
        """All rows, a few of them in memory at a time; inside a transaction.

        Raises:
            Damaged: some of them cannot be read.
        """

    def write(self, statement: str, rows: Sequence[Params]) -> int:
        """Executes the statement for each row; the number of rows that it changed."""

    def has(self, table: str) -> bool:
        """True if there is such a table."""

    def transaction(self) -> AbstractContextManager[None]:
        """All of the block, or nothing; no gateway decides anything meanwhile."""
