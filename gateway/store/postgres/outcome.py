"""The outcome of a commit whose answer was lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import psycopg
from psycopg import AsyncConnection, errors

from gateway.domain.kernel.errors import OutcomeUnknown
from gateway.domain.tasks.task import Frozen
from gateway.store.postgres.connection import PostgresConnection, bounded
from gateway.store.sql.rows import Row

ASK_AGAIN: Final = 0.5
"""Seconds until a server that cannot be reached is tried again."""
ASK_SOON: Final = 0.05
"""Seconds until one whose transaction has not ended is asked again."""
ASK_SECONDS: Final = 3
"""Seconds until an answer that does not come is asked for on another connection."""

STATUS: Final = "SELECT pg_xact_status(CAST(:transaction_id AS xid8))"
# The server may wait for a client that is gone; and it may have begun to commit.
END: Final = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = :pid AND backend_xid = CAST(CAST(:transaction_id AS xid8) AS xid)"""
IS_STORED: Final = """
SELECT EXISTS (SELECT 1 FROM commits WHERE gateway = :gateway AND batch = :batch)"""


class Proof(Frozen, frozen=True, kw_only=True):
    """The traces of a batch, if it is committed."""

    transaction_id: str
    """PostgreSQL's number of the transaction."""
    pid: int
    """The server's process."""
    gateway: str
    batch: int


async def was_committed(
    connect: "Callable[[], Awaitable[AsyncConnection[Row]]]",
    proof: Proof,
    *,
    is_over: Callable[[], bool],
) -> bool:
    """The outcome; asked until there is one, for nobody may be told that nothing was stored when
    it was. `connect` gives a new connection to a server that takes writes.

    Raises:
        OutcomeUnknown: the gateway `is_over` before there is one.
    """
    while not is_over():
        try:
            async with await connect() as connection:
                with bounded(connection, ASK_SECONDS):
                    outcome = await _ask(PostgresConnection(connection), proof)
        except (psycopg.OperationalError, psycopg.InterfaceError):
            await asyncio.sleep(ASK_AGAIN)
            continue
        if outcome is not None:
            return outcome
        await asyncio.sleep(ASK_SOON)
    raise OutcomeUnknown


async def _ask(connection: PostgresConnection, proof: Proof) -> bool | None:
    """None: the transaction has not ended yet. Its number alone proves nothing: after a crash or a
    failover it may be another's, or unknown."""
    asked = {"transaction_id": proof.transaction_id}
    try:
        ((status,),) = await connection.fetch(STATUS, asked)
    except errors.InvalidParameterValue:  # greater than any so far
        return False
    if status == "in progress":
        await connection.fetch(END, {**asked, "pid": proof.pid})
        return None
    if status != "committed":
        return False
    ((is_stored,),) = await connection.fetch(
        IS_STORED, {"gateway": proof.gateway, "batch": proof.batch}
    )
    return bool(is_stored)
