"""Every shared statement is one of PostgreSQL too, and an index serves it there."""

import re
from collections.abc import Iterator
from importlib import import_module
from pkgutil import walk_packages
from typing import Any, Final

import psycopg
import pytest
from psycopg import Connection

from gateway.store import sql
from gateway.store.postgres.dialect import translated
from gateway.store.postgres.statements import OWN
from gateway.store.sql.admin.marks import MARK_COPYING, MARK_MOVED
from tests.postgres.databases import new_database
from tests.store.test_plans import GROWING, READ_WHOLE, SORTED

_HOME: Final = f"{sql.__name__}."
STATEMENTS: Final = {
    f"{module.name.removeprefix(_HOME)}.{name}": text
    for module in walk_packages(sql.__path__, _HOME)
    for name, text in vars(import_module(module.name)).items()
    if isinstance(text, str) and re.match(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH)\b", text)
}
AUDIT: Final = ("admin.audit.", "admin.check_")
"""Modules of the audit, which reads all there is."""
SORTED_HERE: Final = {
    "ADVANCE_KEYS": "of each priority as many as may run",
    "CLAIMABLE": "of each priority as many as there may be answers",
    "DUE_DELIVERIES": "the deliveries of an endpoint that are looked at",
    "DUE_REALMS": "realms of one moment",
    "NEWEST_OF_PULL_REQUEST": "the tasks of a pull request",
    "PAUSES_OPEN": "pauses are few",
}
"""Why PostgreSQL may sort where SQLite does not."""
# No plan that an index makes unnecessary is left, however few rows there are.
SETTINGS: Final = (
    "SET plan_cache_mode = force_generic_plan",
    *(f"SET enable_{each} = off" for each in ("seqscan", "hashjoin", "mergejoin", "sort")),
)


@pytest.fixture(scope="module")
def database() -> Iterator[Connection[Any]]:
    with new_database() as url, psycopg.connect(url, autocommit=True) as connection:
        for statement in (*SETTINGS, MARK_COPYING, MARK_MOVED):
            connection.execute(statement.encode())
        yield connection


def _plan(database: Connection[Any], statement: str) -> str:
    native = translated(statement)
    given = ["NULL"] * (len(native.names) + len(native.places))
    database.execute(f"PREPARE it AS {native.text}".encode())
    explain = f"EXPLAIN EXECUTE it({', '.join(given)})" if given else "EXPLAIN EXECUTE it"
    plan = database.execute(explain.encode()).fetchall()
    database.execute("DEALLOCATE it")
    return "\n".join(step for (step,) in plan)


def test_every_statement_is_one_of_postgresql_that_an_index_serves_but_for_the_exceptions(
    database: Connection[Any],
) -> None:
    plans = {name: _plan(database, text) for name, text in STATEMENTS.items()}
    scanning, sorting = set(), set()
    for name, plan in plans.items():
        if name.startswith(AUDIT):
            continue
        short = name.rpartition(".")[2]
        if GROWING & {*re.findall(r"Seq Scan on (\w+)", plan)}:
            scanning.add(short)
        if "Sort Key" in plan:
            sorting.add(short)
    assert scanning - READ_WHOLE.keys() == set()
    assert sorting - SORTED.keys() == set(SORTED_HERE)


def test_a_scan_and_a_sort_are_found(database: Connection[Any]) -> None:
    plan = _plan(database, "SELECT seq FROM events WHERE type = :type ORDER BY at")
    assert "Seq Scan on events" in plan
    assert "Sort Key" in plan


def test_each_statement_of_its_own_stands_for_a_shared_one() -> None:
    assert OWN.keys() <= set(STATEMENTS.values())
