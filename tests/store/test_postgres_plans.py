"""Statements that loops and requests run, on a filled PostgreSQL database: each reads a few rows,
with a plan for its parameters and with one for any, and finds what it finds on SQLite."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg import Connection, RawCursor, sql

from gateway.store.postgres.connection import SETTINGS, adapt
from gateway.store.postgres.dialect import translated
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
    switches,
    task_groups,
    task_list,
    tasks,
)
from gateway.store.sql.connection import bound
from gateway.store.sqlite.migrations import migrate
from tests.postgres.databases import new_database
from tests.store.test_plans import READ_WHOLE

FILLING: Final = Path(__file__).parents[1] / "postgres" / "filling.sql"
TASKS: Final = 5_000
READ_AT_MOST: Final = 1_000
"""Rows; a page of 100 is read from several tables, which have 5,000 to 15,000."""
MORE: Final = {
    **READ_WHOLE,
    "BULK_ACTIONS_BEFORE": "those of a project among all: they are few",
    "EVENTS_OF_PROJECT": "as many numbers as one step looks at",
}
"""Why a statement may read more."""
HOMES: Final = (
    *(claims, clocks, deliveries, delivery_contexts, endpoints, events, lanes, launching),
    *(event_types, own_events, portals, replays, sources, switches, tasks),
    *(api_keys, audit_log, bulk, history, operations, pruning, purging, status),
    *(task_groups, task_list),
)
STATEMENTS: Final = {
    name: text
    for home in HOMES
    for name, text in vars(home).items()
    if isinstance(text, str) and re.match(r"\s*(SELECT|UPDATE|DELETE|WITH)\b", text)
    # An update by all columns of a record finds it by its key.
    if not re.search(r"\?\d", text)
}

TABLES: Final = "SELECT name FROM sqlite_master WHERE type = 'table'"
COLUMNS: Final = "SELECT name FROM pragma_table_info(?)"

NOW: Final = 10**12
# Of the 26th hundred of tasks: ended ones, and one that runs, waits, or owes a delivery.
PROJECT, ENDPOINT, KEY = "p26", "ep_0026", "acme/8"
ENDED: Final = [f"task_{number:09}" for number in range(2_500, 2_520)]
WAITING, PENDING = "task_000002590", 5_180
REALMS: Final = [["daytona-a", "r8"], ["docker", "r7"]]
URL: Final = "https://github.com/acme/Widgets/pull/2500"

SAMPLES: Final[dict[str, Any]] = {
    "actor": "key:key_2",
    "after": 0,
    "at": NOW,
    "attempt": None,
    "attempts": 2,
    "before": NOW,
    "body": None,
    "came": ENDED[0],
    "code": "stalled",
    "count": -1,
    "created_after": None,
    "customer": None,
    "created_before": None,
    "data": "{}",
    "box": b"box",
    "each": 20,
    "endpoint_id": ENDPOINT,
    "endpoints": [ENDPOINT, "ep_long"],
    "ended_before": NOW,
    "error_code": None,
    "failures": 1,
    "flag": None,
    "hash": b"hash26",
    "hours_before": NOW,
    "id": ENDPOINT,
    "ids": ENDED,
    "is_late_too": 1,
    "key": KEY,
    "key_id": "k1",
    "kind": "state",
    "launcher_id": None,
    "left": [],
    "limit": 100,
    "live": [["daytona-a", ""]],
    "metadata": [],
    "minutes_before": NOW,
    "most": 1_000,
    "next_attempt_at": NOW,
    "now": NOW,
    "number": 1,
    "numbers": [2],
    "open": [["daytona-a", ""]],
    "owners": [["p27", ENDPOINT], ["p7", None]],
    "park_after": 8,
    "per_endpoint": 160,
    "per_key": 1,
    "realms": REALMS,
    "project": PROJECT,
    "projects": [PROJECT, "p27", "p28"],
    "provider": "docker",
    "providers": [None, "daytona-a", "docker"],
    "realm": "r7",
    "reason": None,
    "repeats": 0,
    "repo_url": None,
    "revoked_at": NOW,
    "seq": PENDING,
    "since": 0,
    "snapshot": None,
    "status": None,
    "statuses": ["completed", "failed"],
    "task_id": ENDED[0],
    "trigger": "manual",
    "type": "task.created",
    "types": ["task.created"],
    "until": 6_000,
    "url": URL,
    "urls": [URL],
}
ANY_PROJECT: Final = {"project": ""}
LISTED: Final = {"since": "", "before": "~"}
GROUP: Final = {"status": "completed", "code": ""}
OLD_BULK: Final = {"before": 1_000}
DELIVERIES: Final = {"keys": [[ENDPOINT, seq] for seq in range(PENDING, PENDING + 10)]}
KEYS: Final = {"keys": [[PROJECT, KEY]]}
SHOWN: Final = {"before": "~", "seq": 2 * TASKS, "endpoint_id": None}
OLD_OWN: Final = {"numbers": [12_020, 12_021]}
OWN_SAMPLES: Final[dict[str, dict[str, Any]]] = {
    "API_KEYS_BEFORE": {"id": "key_9"},
    "AUDIT_BEFORE": {"id": TASKS},
    "AUDIT_OF_ACTOR": {"id": TASKS},
    "BULK_ACTIONS": {"ids": ["bulk_0010"]},
    "BULK_ACTIONS_BEFORE": {"before": "bulk_~"},
    "BULK_PAGE": {"id": "bulk_0010", "number": 0},
    "BY_ERROR": {**LISTED, "error_code": "agent_failed"},
    "BY_FLAG": {**LISTED, "project": None},
    "BY_ID": LISTED,
    "BY_METADATA": {**LISTED, "key": "team", "value": "team-500"},
    "BY_REPOSITORY": {**LISTED, "repo_url": "https://github.com/acme/500"},
    "BY_STATUS": LISTED,
    "DELETE_OLD_BULK_ACTIONS": OLD_BULK,
    "DELETE_OLD_BULK_PAGES": OLD_BULK,
    "DELETE_PIECES": {"ids": ["task_000002500"]},
    "ERASE_ENV": {"ids": ["task_000002597"]},
    "FAILURE_EXAMPLE": {"code": "agent_failed"},
    "KEPT_ENV": {"after": ""},
    "NOTE_USES": {"id": "key_26"},
    "OLD_TASKS": {"after": "", "until": "~"},
    "REVOKE_API_KEYS": {"id": "key_26"},
    "TAKE_FROM_GROUPS": GROUP,
    "_OLD_BULK_ACTIONS": OLD_BULK,
    "ADVANCE_KEYS": {"provider": None},
    "ALL_DELIVERIES": SHOWN,
    "BACKLOGS": {"ids": ["ep_0010"]},
    "BODIES_APPLIED": {"keys": [["github", "", f"hash_{name}"] for name in ENDED]},
    "CHANGED_AT": {"ids": [ENDPOINT]},
    "CONTEXTS": DELIVERIES,
    "DELETE_OLD_HOLDS": {"before": 999_200_000_100},
    "_OLD_OWN_EVENTS": OLD_OWN,
    "DELETE_ATTEMPTS_OF_OWN_EVENTS": OLD_OWN,
    "DELETE_EVENTS_OF_OWN": OLD_OWN,
    "DELETE_DELIVERIES_OF_OWN_EVENTS": OLD_OWN,
    "DELETE_OWN_EVENTS": OLD_OWN,
    "OWN_EVENTS_BEHIND": {"after": 12_000},
    "DELETE_OLD_MESSAGES": {"before": 999_000_000_100},
    "DELIVERIES_OF_ENDPOINT": {"before": "~", "seq": 2 * TASKS},
    "DELIVERIES_OF_TASK": SHOWN,
    "DELIVERIES_OF_CUSTOMER": {**SHOWN, "customer": "acme", "project": "p27", "task_id": None},
    "DELIVERY_ATTEMPTS": DELIVERIES,
    "DELIVERY_STATES": DELIVERIES,
    "DUE_JOBS": {"now": 2 * NOW},
    "DUE_REALMS": {"now": 2 * NOW},
    "EVENTS_OF_PROJECT": {"until": 2_000},
    "DELETE_EVENT_TYPE": {"name": "order.12020", "project": "p28"},
    "EVENT_TYPES": {"keys": [["p28", "order.12020"]]},
    "EVENT_TYPES_BEHIND": {"after": "order.1", "project": "p28"},
    "PORTALS": {"keys": [["p28", "acme-12020"]]},
    "EXPIRE_CALLBACK_SECRETS": {"id": "whsec_26"},
    "EXPIRE_SIGNING_SECRETS": {"id": f"whsec_of_{ENDPOINT}"},
    "HASTEN_CALLBACKS": {"task_id": WAITING},
    "HOLDS": KEYS,
    "IDEMPOTENCY": {"keys": [[PROJECT, "POST /v1/tasks", name] for name in ENDED]},
    "JOBS": {"ids": [f"job_{name}-1-create" for name in ENDED]},
    "JOBS_HELD": {"ids": ["launcher-3", "launcher-4"]},
    "JOBS_OFFERED": ANY_PROJECT,
    "KEYS_IN_USE": KEYS,
    "LAST_EVENT": {"after": 2 * TASKS},
    "LAUNCHERS_BEFORE": {"id": "launcher-9"},
    "LAUNCHERS_NAMED": {"ids": ["launcher-3"]},
    "LIVING_SANDBOXES": {"provider": "", "realm": "", "task_id": ""},
    "MESSAGES_SEEN": {"keys": [["github", f"msg_{name}", ""] for name in ENDED]},
    "MISSED_DELIVERIES": {**SHOWN, "status": "dead"},
    "NEWEST_EVENTS": {"types": None},
    "NEWEST_OF_LANES": {"ids": ["own_000000007"]},
    "NEXT_CLAIMABLE": ANY_PROJECT,
    "ONE_REPLAY": {"id": "rpl_010"},
    "OVERTAKEN": {"seq": 1},
    "POSTED": {"keys": [["p28", "own_000000007"], ["p28", "own_000000027"]]},
    "PENDING_DELIVERIES": SHOWN,
    "PENDING_ENDPOINTS": {"after": "ep_0020"},
    "REALMS_NAMED": {"keys": [["docker", "r7", ""]]},
    "REPLAYS": {"ids": ["rpl_010"]},
    "SANDBOXES_NAMED": {"ids": ["s2507", "s2517"]},
    "SECRETS_NAMED": {"id": f"whsec_of_{ENDPOINT}"},
    "SETTLE_DELIVERIES": {"status": "delivered", "next_attempt_at": None},
    "SIGNING_SECRETS": {"project": "p27"},
    "SPEC": {"id": ENDED[0]},
    "SUPERSEDE_CALLBACKS": {"task_id": WAITING},
    "TASKS_HELD_UP": ANY_PROJECT,
    "TASKS_NOTIFIED": ANY_PROJECT,
    "TASKS_OF_SANDBOXES": {"keys": [["docker", "r7", "task-2596"]]},
    "TASKS_PLACED": ANY_PROJECT,
    "TASKS_STRANDED": ANY_PROJECT,
    "TASKS_STRANDED_BY_PROVIDER": ANY_PROJECT,
    "UNDELIVERED": {"task_id": WAITING},
    "UPDATE_DELIVERIES": {"status": "pending"},
    "WAITING_PROJECTS": ANY_PROJECT,
    "WEBHOOKS_SEEN": {"keys": [[name, 1, f"msg_{name}"] for name in ENDED]},
    "WORKSPACES": {"keys": [[PROJECT, name] for name in ENDED]},
}


@pytest.fixture(scope="module")
def database() -> Iterator[Connection[Any]]:
    with new_database() as url, psycopg.connect(url, prepare_threshold=None) as connection:
        adapt(connection.adapters)
        connection.execute("SELECT set_config('filling.tasks', %s, false)", (str(TASKS),))
        connection.execute(FILLING.read_bytes())
        connection.execute("ANALYZE")
        # Of a deletion that takes several statements, each is tried alone.
        connection.execute("SET session_replication_role = replica")
        connection.execute(SETTINGS)
        connection.commit()
        yield connection


@pytest.fixture(scope="module")
def sqlite(database: Connection[Any]) -> Iterator[sqlite3.Connection]:
    """The same rows."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as copy:
        migrate(copy)
        for (table,) in copy.execute(TABLES).fetchall():
            names = [row[0] for row in copy.execute(COLUMNS, (table,))]
            columns = sql.SQL(", ").join(map(sql.Identifier, names))
            select = sql.SQL("SELECT {} FROM {}").format(columns, sql.Identifier(table))
            marks = ", ".join("?" * len(names))
            insert = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608
            copy.execute("BEGIN")
            copy.executemany(insert, database.execute(select).fetchall())
            copy.execute("COMMIT")
        yield copy


def _params(name: str) -> dict[str, Any]:
    return bound(SAMPLES | OWN_SAMPLES.get(name, {}))


def _plan(database: Connection[Any], name: str, mode: str) -> dict[str, Any]:
    """The plan of a statement as it was run; its changes are rolled back."""
    statement = translated(STATEMENTS[name])
    given = statement.values(_params(name))
    words = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, given)))
    explain = sql.SQL("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) EXECUTE it")
    try:
        database.execute("SELECT set_config('plan_cache_mode', %s, true)", (mode,))
        database.execute(f"PREPARE it AS {statement.text}".encode())
        (((plan,),),) = database.execute(explain + words if given else explain).fetchall()
    finally:
        database.rollback()
        database.execute("DEALLOCATE ALL")
    root: dict[str, Any] = plan["Plan"]
    return root


def _found(name: str, rows: list[Any], changed: int) -> object:
    """The rows of a statement, in its order if it has one, or the number of those it changed."""
    if STATEMENTS[name].split()[0] in {"UPDATE", "DELETE"}:
        return changed
    plain = [tuple(int(it) if isinstance(it, bool) else it for it in row) for row in rows]
    return plain if "ORDER BY" in STATEMENTS[name] else sorted(plain, key=repr)


def _read(plan: dict[str, Any]) -> int:
    """The rows that were read, those that turned out to be others included."""
    number = sum(map(_read, plan.get("Plans", ())))
    if "Scan" in plan["Node Type"] and ("Relation Name" in plan or "Index Name" in plan):
        left_out = (f"Rows Removed by {each}" for each in ("Filter", "Index Recheck"))
        rows = plan["Actual Rows"] + sum(plan.get(each, 0) for each in left_out)
        number += rows * plan["Actual Loops"]
    return number


# All in one test each: a filled database takes two seconds.
def test_statements_read_a_few_rows_of_many(database: Connection[Any]) -> None:
    plans = {
        (name, mode): _plan(database, name, mode)
        for name in STATEMENTS
        for mode in ("force_custom_plan", "force_generic_plan")
    }
    read = {key: _read(plan) for key, plan in plans.items()}
    assert [key for key in read if read[key] > READ_AT_MOST and key[0] not in MORE] == []
    # Of many loops, PostgreSQL rounds the rows.
    met_nothing = [key for key in read if not (read[key] or plans[key]["Actual Rows"])]
    assert met_nothing == []


def test_rows_that_are_left_out_were_read_and_both_stores_find_the_same(
    database: Connection[Any], sqlite: sqlite3.Connection
) -> None:
    explain = "EXPLAIN (ANALYZE, FORMAT JSON) SELECT 1 FROM tasks WHERE message = 'other'"
    (((plan,),),) = database.execute(explain).fetchall()
    assert _read(plan["Plan"]) == TASKS
    different = {}
    for name in STATEMENTS:
        statement, params = translated(STATEMENTS[name]), _params(name)
        sqlite.execute("BEGIN")
        ours = sqlite.execute(STATEMENTS[name], params)
        theirs = RawCursor(database).execute(statement.text, statement.values(params))
        rows = theirs.fetchall() if theirs.description else []
        found = _found(name, ours.fetchall(), ours.rowcount), _found(name, rows, theirs.rowcount)
        if found[0] != found[1]:
            different[name] = found
        sqlite.execute("ROLLBACK")
        database.rollback()
    assert different == {}
