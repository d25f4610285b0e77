"""Upgrades and restored backups, as whoever starts the gateway's process meets them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from gateway.cli.local.processes import (
    Child,
    free_port,
    wait_until_ready,
)
from gateway.cli.operations.minting import mint
from gateway.store.sqlite.admin.audit import audit
from gateway.store.sqlite.admin.backup import back_up
from tests.app.processes import environ
from tests.forks.children import gateway_child
from tests.store.old import SCHEMAS, TASKS, make_old

REQUEST: Final = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it"}


@contextmanager
def started(folder: Path, *options: str) -> Iterator[tuple[Child, str, dict[str, str]]]:
    """A gateway on the folder's database."""
    port = free_port()
    settings, url = environ(folder, port), f"http://127.0.0.1:{port}"
    with gateway_child(settings, folder / "gateway.log", *options) as child:
        wait_until_ready(url, child)
        yield child, url, settings


def told(child: Child, event: str) -> dict[str, Any]:
    """The line of the log that tells of this."""
    lines = [json.loads(line) for line in child.tail(1_000).splitlines()]
    (line,) = [line for line in lines if line["event"] == event]
    found: dict[str, Any] = line
    return found


def instance_of(folder: Path) -> str:
    with closing(sqlite3.connect(folder / "s.db")) as database:
        (instance_id,) = database.execute("SELECT instance_id FROM ledger").fetchone()
    return str(instance_id)


def test_a_start_on_an_older_database_says_where_the_way_back_is(tmp_path: Path) -> None:
    make_old(tmp_path / "s.db", SCHEMAS[0])
    with started(tmp_path) as (child, url, settings):
        line = told(child, "database.upgraded")
        assert (line["before"], line["after"]) == (SCHEMAS[0], SCHEMAS[-1])
        assert Path(line["backup"]).is_file()
        headers = {"authorization": f"Bearer {mint(settings, 'ops', 'default', 'me').key}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
            assert len(http.get("/v1/tasks").json()["data"]) == TASKS
            assert http.post("/v1/tasks", json=REQUEST).status_code == 202
    assert audit(tmp_path / "s.db").problems == ()


@pytest.mark.parametrize("takes_over", [True, False], ids=["takes over", "beside the old one"])
def test_what_was_backed_up_while_it_ran_is_there_after_a_restore(
    tmp_path: Path, takes_over: bool
) -> None:
    with started(tmp_path) as (_, url, settings):
        headers = {"authorization": f"Bearer {mint(settings, 'tasks', 'default', 'me').key}"}
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
            kept = http.post("/v1/tasks", json=REQUEST).json()["id"]
            back_up(tmp_path / "s.db", tmp_path / "copy.db")
            lost = [http.post("/v1/tasks", json=REQUEST).json()["id"] for _ in range(5)][-1]
            seen = http.get("/v1/events").json()["nextCursor"]
        before = instance_of(tmp_path)
    for end in ("-wal", "-shm"):
        (tmp_path / f"s.db{end}").unlink(missing_ok=True)
    (tmp_path / "copy.db").replace(tmp_path / "s.db")
    with started(tmp_path, *(["--take-over"] if takes_over else [])) as (child, url, _):
        line = told(child, "database.restored")
        assert (line["before"], line["instance"] == before) == (before, takes_over)
        with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=60) as http:
            assert http.get(f"/v1/tasks/{kept}").status_code == 200
            assert http.get(f"/v1/tasks/{lost}").status_code == 404
            later = http.post("/v1/tasks", json=REQUEST).json()["id"]
            feed = http.get("/v1/events", params={"after": seen}).json()["data"]
            assert later in {event["taskId"] for event in feed}
    assert audit(tmp_path / "s.db").problems == ()
    assert (instance_of(tmp_path) == before) == takes_over
    assert audit(tmp_path / "s.db").problems == ()
