"""The store as the composition root has it, whichever database it is on."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Protocol

from gateway.domain.kernel.keyring import Keyring
from gateway.domain.operations.gauges import DiskSpace
from gateway.store.location import Location
from gateway.store.ownership import Ownership, Subscriber
from gateway.store.peers import Peers
from gateway.store.protocol import Reads, Store
from gateway.store.sqlite.store import open_sqlite


class OpenedStore(Store, Protocol):
    """Transactions and reads, with what belongs to the database as a whole."""

    @property
    def reads(self) -> Reads:
        """All reads."""

    @property
    def instance_id(self) -> str:
        """The label of every sandbox of this database."""

    @property
    def ownership(self) -> Ownership:
        """The work of this gateway among those of the database."""

    @property
    def peers(self) -> Peers:
        """The other gateways on it."""

    @property
    def wal_bytes(self) -> int:
        """The length of the log of a database beside the gateway; else 0."""

    @property
    def disk(self) -> DiskSpace | None:
        """The disk that the database is on, if it is the gateway's."""

    async def checkpoint(self) -> None:
        """Moves the log into the database's file, where it has one."""

    async def keep_months(self, now: int, *, is_wanted: bool) -> None:
        """Makes the partition of the next month's events, if they are wanted and the database has
        any, and drops those whose tasks are gone; `now` in milliseconds."""

    @property
    def written(self) -> int:
        """Transactions that were committed."""

    async def keep_session(self, subscriber: Subscriber) -> None:
        """Keeps the place of this gateway among the others until `leave`; where there are none, it
        returns at once."""

    def leave(self) -> None:
        """Gives the work of this gateway to the others, as its attempts end."""


class OpenStore(Protocol):
    """Opens the store in a file or on a server."""

    def __call__(
        self,
        database: Location,
        /,
        *,
        keyring: Keyring,
        new_id: Callable[[str], str],
        take_over: bool,
    ) -> AbstractAsyncContextManager[OpenedStore]:
        """The store, until the block ends. `new_id` gives an id with this prefix.

        Raises:
            ApiError: it cannot be opened, or something living needs a master key that is not given.
        """


def open_store(
    database: Location, *, keyring: Keyring, new_id: Callable[[str], str], take_over: bool
) -> AbstractAsyncContextManager[OpenedStore]:
    """The `OpenStore` of the gateway."""
    new_instance_id = partial(new_id, "ins")
    if isinstance(database, Path):
        return open_sqlite(
            database, new_instance_id=new_instance_id, take_over=take_over, keyring=keyring
        )
    from gateway.store.postgres.store import open_postgres  # noqa: PLC0415 - an extra, 0.1 s

    return open_postgres(
        database.url,
        session_url=database.session_url,
        new_instance_id=new_instance_id,
        gateway_id=new_id("gw"),
        take_over=take_over,
        keyring=keyring,
    )
