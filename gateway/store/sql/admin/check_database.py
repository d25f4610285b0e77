"""Checks of a database as a whole: its numbers, its patches and its keys."""

from collections.abc import Container, Iterator
from typing import Final

from gateway.domain.invariants.task_rows import Problem, ProblemName
from gateway.store.sql.admin.database import Database
from gateway.store.sql.admin.master_keys import KEYS_NEEDED

_NUMBERS: Final = """
SELECT ledger.seq, (SELECT coalesce(max(seq), 0) FROM events),
    (SELECT coalesce(max(seq), 0) FROM pruned), (SELECT coalesce(max(seq_after), 0) FROM restores)
FROM ledger"""
_LEFT_OUT: Final = """
SELECT coalesce(sum(seq_after - max(seq_before, :seq)), 0) FROM restores WHERE seq_after > :seq"""
_KEPT_SINCE: Final = "SELECT count(*) FROM events WHERE seq > :seq"

_TORN: Final = """
SELECT task_id, task_seq, 'the event of a piece of its patch is missing' FROM patch_pieces AS piece
WHERE NOT EXISTS (
    SELECT 1 FROM events AS event
    WHERE event.task_id = piece.task_id AND event.task_seq = piece.task_seq
      AND event.type = 'task.patch' AND event.attempt = piece.attempt)
UNION ALL
SELECT task_id, task_seq, 'the text of a piece of its patch is missing' FROM events AS event
WHERE type = 'task.patch' AND NOT EXISTS (
    SELECT 1 FROM patch_pieces AS piece
    WHERE piece.task_id = event.task_id AND piece.task_seq = event.task_seq)
  AND EXISTS (
    SELECT 1 FROM tasks AS task WHERE task.id = event.task_id AND task.purged_at IS NULL)"""

_WITHOUT_EVENT: Final = """
SELECT seq FROM own_events AS own WHERE NOT EXISTS (
    SELECT 1 FROM events AS event
    WHERE event.seq = own.seq AND event.task_id >= 'own_' AND event.task_id < 'own`')"""


def check_database(database: Database, key_ids: Container[str] | None) -> Iterator[Problem]:
    """The problems of its numbers and its keys."""
    yield from _numbers(database)
    for task_id, number, detail in database.stream(_TORN):
        yield Problem(name="patch_torn", subject=task_id, detail=f"event {number}: {detail}")
    for (seq,) in database.stream(_WITHOUT_EVENT):
        yield problem_of("own_event_torn", f"own event {seq} is not in the log")
    if key_ids is not None:
        yield from _keys(database, key_ids)


def _numbers(database: Database) -> Iterator[Problem]:
    """Events are numbered by the ledger without gaps but those of restores, and deleted only up to
    a number it keeps."""
    rows = database.fetch(_NUMBERS)
    if not rows:
        return
    ((seq, newest, pruned, restored),) = rows
    if seq != max(newest, pruned, restored):
        yield problem_of("ledger_behind", f"it counts {seq} events, the newest one is {newest}")
    ((kept,),) = database.fetch(_KEPT_SINCE, {"seq": pruned})
    ((left_out,),) = database.fetch(_LEFT_OUT, {"seq": pruned})
    missing = seq - pruned - left_out - kept
    if missing > 0:
        yield problem_of("events_lost", f"{missing} of the events it counts are missing")


def _keys(database: Database, key_ids: Container[str]) -> Iterator[Problem]:
    for key_id, what, count in database.fetch(KEYS_NEEDED):
        if key_id not in key_ids:
            yield problem_of("unknown_key", f"{count} {what} need master key {key_id}")


def problem_of(name: ProblemName, detail: str) -> Problem:
    return Problem(name=name, subject="database", detail=detail)
