"""Query plans decide the cost of a statement with a million tasks: none may read a
whole table that grows with them."""

import re
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from gateway.store.sql import (
    api_keys,
    audit_log,
    bulk,
    claims,
    clocks,
    deliveries,
    delivery_contexts,
    endpoints,
    event_types,
    events,
    history,
    lanes,
    launching,
    operations,
    own_events,
    portals,
    pruning,
    purging,
    replays,
    sources,
    status,
    task_groups,
    task_list,
    tasks,
)
from gateway.store.sql.admin import master_keys, operator, resealing, sealed
from tests.databases import new_database

STATEMENTS: Final = {
    name: text
    for home in (
        tasks,
        bulk,
        purging,
        claims,
        clocks,
        replays,
        task_groups,
        task_list,
        events,
        event_types,
        own_events,
        portals,
        operations,
        status,
        history,
        deliveries,
        endpoints,
        launching,
        lanes,
        delivery_contexts,
        pruning,
        operator,
        resealing,
        sealed,
        master_keys,
        sources,
        api_keys,
        audit_log,
    )
    for name, text in vars(home).items()
    if isinstance(text, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", text)
}
GROWING: Final = frozenset(
    {
        "attempts",
        "audit",
        "deliveries",
        "delivery_attempts",
        "event_types",
        "events",
        "idempotency",
        "jobs",
        "own_events",
        "portals",
        "realms",
        "source_messages",
        "taken_keys",
        "task_metadata",
        "task_secrets",
        "tasks",
    }
)
"""Tables that grow with the tasks."""
READ_WHOLE: Final = {
    "FLAG_EXAMPLE": "the first of those that have one, in an index that holds no others",
    "CLAIMABLE_GROUP": "those that wait, in an index that holds no others",
    "UNDELIVERED_COUNTS": "a scrape wants them all, from indexes of those that have not arrived",
    "ONE_ENV": "once for each master key",
    "ONE_CALLBACK_URL": "as above",
    "KEYS_NEEDED": "once at each start: no secret may be left that nobody can open",
    "PENDING_DELIVERIES": "those that wait, in an index that holds no others",
    "TASKS_STRANDED": "as above, up to a few hundred that were not told yet",
    "TASKS_HELD_UP": "as above",
    "TASKS_NOTIFIED": "those that have a flag, in an index that holds no others",
}
"""Why a statement may read a whole table or index."""
SORTED: Final = {
    "ENDS": "24 hours",
    "TAKE_DELETED_FROM_STATES": "the states of a few tasks",
    "TAKE_DELETED_FROM_FLAGS": "as above",
    "RAISE_PRUNED": "the projects of a few tasks",
    "RAISE_PRUNED_BY_ENDPOINT_EVENTS": "the projects of a hundred events",
    "RAISE_PRUNED_BY_OWN_EVENTS": "the projects of a few events",
    "LIVE_SECRETS": "ten at most",
    "PROVIDERS_PAUSED": "the pauses of providers that last: a few",
    "FAILURES": "a few deliveries of each endpoint that fails, once at each start",
    "API_KEYS_BEFORE": "keys are few",
    "RECENT_LAUNCHERS": "launchers are few",
    "LAUNCHERS_BEFORE": "as above",
    "UNDELIVERED": "so many as are looked at, put in order once more",
    "BY_STATUS": "each state is read newest first, and left as soon as the page is full of newer",
    "BY_FLAG": "as above, for each project",
    "BY_ERROR": "as above, for each project",
    "JOBS_OFFERED": "the oldest of each provider, so many as there may be answers",
    "KEYS_IN_USE": "the attempts of the named keys that run",
    "KEYS_NEEDED": "once at each start",
    "LIVING_COUNTS": "three states",
    "FAILURE_GROUPS": "those of one hour",
    "FLAG_GROUPS": "nine codes",
    "FAILING_ENDPOINTS": "endpoints are few",
    "ENDED_COUNTS": "six states",
    "FLAG_COUNTS": "nine codes",
    "NEWEST_DELIVERIES": "those of one task",
    "DELIVERY_ATTEMPTS": "those of a few deliveries",
    "DELIVERIES_OF_TASK": "those of one task",
    "DELIVERIES_OF_CUSTOMER": "a page of each endpoint of one customer",
    "PENDING_DELIVERIES": "those that wait, in an index that holds no others",
    "ENDPOINTS_BEFORE": "endpoints are few",
}
"""Why a statement may gather rows before it gives the first: else a LIMIT limits nothing."""

SOUGHT: Final = {
    "BY_STATUS": (
        "SEARCH task USING COVERING INDEX tasks_listed (project=? AND status=? AND id>? AND id<?)"
    ),
    "BY_FLAG": "SEARCH task USING INDEX tasks_flagged (project=? AND id>? AND id<?)",
    "BY_ERROR": "SEARCH task USING INDEX tasks_erred (project=? AND <expr>=? AND id>? AND id<?)",
    "BY_ID": "SEARCH tasks USING PRIMARY KEY (id>? AND id<?)",
    "BY_REPOSITORY": (
        "SEARCH events USING INDEX events_of_repository (<expr>=? AND task_id>? AND task_id<?)"
    ),
    "BY_METADATA": (
        "SEARCH task_metadata USING COVERING INDEX task_metadata_found "
        "(key=? AND value=? AND task_id>? AND task_id<?)"
    ),
    "CLAIMABLE": (
        "SEARCH offered USING INDEX tasks_claimable "
        "(project=? AND provider=? AND is_behind=? AND priority=? AND claimable_at<?)"
    ),
    "NEXT_CLAIMABLE": (
        "SEARCH tasks USING COVERING INDEX tasks_claimable "
        "(project=? AND provider=? AND is_behind=? AND priority=? AND claimable_at>?)"
    ),
    "WAITING_PROJECTS": "SEARCH tasks USING COVERING INDEX tasks_claimable (project>?)",
    "ADVANCE_KEYS": (
        "SEARCH tasks USING INDEX tasks_of_key "
        "(project=? AND concurrency_key=? AND provider=? AND priority=? AND claimable_at>?)"
    ),
    "AUDIT_OF_ACTOR": "SEARCH audit USING INDEX audit_of_actor (actor=? AND rowid<?)",
    "DUE_JOBS": "SEARCH jobs USING INDEX jobs_leased (lease_expires_at>? AND lease_expires_at<?)",
    "DUE_TASKS": "SEARCH tasks USING COVERING INDEX tasks_due (due_at<?)",
    "LAST_EVENT": "SEARCH events USING INDEX events_of_task (task_id=? AND task_seq<?)",
    "EVENTS_OF_TASK": "SEARCH events USING INDEX events_of_task (task_id=? AND task_seq>?)",
    "NEWEST_EVENTS": "SEARCH events USING INDEX events_of_task (task_id=?)",
    "KEY_HOLDERS": "SEARCH tasks USING INDEX tasks_keyed (project=? AND concurrency_key=?)",
    "UNDELIVERED": "SEARCH deliveries USING INDEX deliveries_of_task (task_id=?)",
    "WEBHOOKS_SEEN": (
        "SEARCH event USING INDEX events_heard (task_id=? AND attempt=? AND webhook_id=?)"
    ),
    "LIVING_COUNTS": "SEARCH task USING COVERING INDEX tasks_listed (project=? AND status=?)",
    "ENDED_COUNT": "SEARCH task_groups USING PRIMARY KEY (kind=? AND since>?)",
    "ENDS": "SEARCH task_groups USING PRIMARY KEY (kind=? AND since>?)",
    "DUE_COUNT": (
        "SEARCH delivery USING INDEX deliveries_due (endpoint_id=? AND next_attempt_at<?)"
    ),
    "DUE_REALMS": "SEARCH realms USING COVERING INDEX realms_due (due_at<?)",
    "HOLDS": (
        "SEARCH period USING COVERING INDEX taken_keys_freed "
        "(project=? AND concurrency_key=? AND freed_at>?)"
    ),
    "TASKS_PLACED": "SEARCH attempt USING INDEX attempts_placed (provider=? AND realm=?)",
    "SHOWN_ENDED": "SEARCH replay USING PRIMARY KEY (id<?)",
    "LIVING_SANDBOXES": (
        "SEARCH attempt USING INDEX attempts_placed ((provider,realm,task_id,number)>(?,?,?,?))"
    ),
    "SANDBOXES_NAMED": "SEARCH attempt USING INDEX attempts_in_daytona (<expr>=?)",
    "PULL_REQUESTS_NAMED": ("SEARCH task USING COVERING INDEX tasks_with_pull_request (pr_url=?)"),
    "JOBS_HELD": "SEARCH jobs USING INDEX jobs_held (leased_by=?)",
}
"""Statements that must use exactly this index with all of these columns."""


def _sorts(statement: str) -> bool:
    return any("TEMP B-TREE" in step for step in _plan(statement))


@cache
def _plan(statement: str) -> Sequence[str]:
    names = set(re.findall(r":(\w+)", statement))
    marks = [int(mark) for mark in re.findall(r"\?(\d+)", statement)]
    marks.append(len(re.findall(r"\?(?!\d)", statement)))
    given = dict.fromkeys(names) if names else [None] * max(marks)
    # No statistics are ever gathered, so an empty database has the plans of a full one.
    return [row[3] for row in _empty().execute(f"EXPLAIN QUERY PLAN {statement}", given)]


@cache
def _empty() -> sqlite3.Connection:
    with tempfile.TemporaryDirectory() as folder:
        content = new_database(Path(folder) / "empty.db").read_bytes()
    database = sqlite3.connect(":memory:", isolation_level=None)
    database.deserialize(content)
    return database


def _scanned(statement: str) -> Iterator[str]:
    """The tables that are read from one end to the other."""
    aliases = {found[2]: found[1] for found in re.finditer(r"(\w+) AS (\w+)", statement)}
    for step in _plan(statement):
        # A min() or max() that no index serves is a SEARCH without USING.
        found = re.match(r"(?:SCAN (?=\w+)|SEARCH (?=\w+$))(\w+)", step)
        if found is None or "VIRTUAL TABLE" in step:
            continue
        if (name := aliases.get(found[1], found[1])) in GROWING:
            yield name


def test_every_statement_is_served_by_an_index_but_for_the_exceptions() -> None:
    assert {name for name, text in STATEMENTS.items() if [*_scanned(text)]} == set(READ_WHOLE)


def test_every_statement_gives_rows_before_it_has_read_all_but_for_the_exceptions() -> None:
    assert {name for name, text in STATEMENTS.items() if _sorts(text)} == set(SORTED)


def test_every_hot_statement_seeks_by_all_it_knows() -> None:
    assert {name for name in SOUGHT if SOUGHT[name] not in _plan(STATEMENTS[name])} == set()


@pytest.mark.parametrize("wanted", ["at", "max(at)"])
def test_a_scan_is_found(wanted: str) -> None:
    statement = f"SELECT {wanted} FROM events AS event WHERE type = :type"  # noqa: S608 - a column
    assert list(_scanned(statement)) == ["events"]


def test_whatever_was_kept_for_its_time_goes_a_bounded_number_at_a_time() -> None:
    deletions = [name for name in STATEMENTS if name.startswith(("DELETE_OLD_", "ERASE_OLD_"))]
    assert deletions
    assert [name for name in deletions if not re.search(r"LIMIT \d+\)+$", STATEMENTS[name])] == []
