"""Commands that open the database themselves, as real processes."""

import base64
import os
import socket
import sqlite3
import subprocess
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import msgspec
import pytest

from gateway.cli.console.times import zoned
from gateway.cli.operations.database import BackedUp, Migrated, Verified
from gateway.wire.keys import KeyView, NewKeyView, RateLimitView
from tests.forks.programs import slipgate

KEY = base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def environ(tmp_path: Path) -> Mapping[str, str]:
    bare = {name: text for name, text in os.environ.items() if not name.startswith("SLIPGATE_")}
    return {
        **bare,
        "SLIPGATE_DATABASE_URL": f"sqlite:///{tmp_path / 's.db'}",
        "SLIPGATE_SECRET_KEYS": f"k1:{KEY}",
    }


def run(
    environ: Mapping[str, str], *arguments: str, program: str | None = None
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [program or slipgate(), *arguments],
        env=dict(environ),
        capture_output=True,
        check=False,
        timeout=60,
    )


def minted(environ: Mapping[str, str], scope: str = "tasks") -> NewKeyView:
    done = run(environ, "keys", "create", f"--scope={scope}", "--name=me", "--json")
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=NewKeyView)


def test_the_first_tasks_key_of_a_project_brings_its_callback_secret(
    environ: Mapping[str, str],
) -> None:
    first, second = minted(environ), minted(environ)
    assert first.key.startswith("slip_tasks_")
    assert len(first.key) == len("slip_tasks_") + 43
    assert (first.callback_secret or "").startswith("whsec_")
    assert second.callback_secret is None
    words = ("create", "--scope=tasks", "--name=app", "--callback-secret", "--json")
    third = msgspec.json.decode(run(environ, "keys", *words).stdout, type=NewKeyView)
    assert third.callback_secret == first.callback_secret


def test_neither_key_nor_callback_secret_is_in_the_database(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    key = minted(environ)
    stored = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert key.key.encode() not in stored
    assert base64.b64decode((key.callback_secret or "").removeprefix("whsec_")) not in stored


def test_a_revoked_key_is_listed_as_revoked_and_cannot_be_revoked_twice(
    environ: Mapping[str, str],
) -> None:
    key = minted(environ, "launcher")
    assert run(environ, "keys", "revoke", key.id).returncode == 0
    listed = msgspec.json.decode(run(environ, "keys", "list", "--json").stdout, type=list[KeyView])
    assert [(row.id, row.revoked_at is not None) for row in listed] == [(key.id, True)]
    again = run(environ, "keys", "revoke", key.id)
    assert again.returncode == 1
    assert b"slipgate keys list" in again.stderr


def test_migrate_check_says_what_is_pending_and_changes_nothing(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "s.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
    assert run(environ, "migrate", "--check").returncode == 1
    assert run(environ, "migrate").returncode == 0
    done = run(environ, "migrate", "--check", "--json")
    assert done.returncode == 0
    assert msgspec.json.decode(done.stdout, type=Migrated).pending == ()


def test_verify_of_a_fresh_database_finds_nothing_wrong(environ: Mapping[str, str]) -> None:
    minted(environ)
    done = run(environ, "verify", "--json")
    assert done.returncode == 0
    assert msgspec.json.decode(done.stdout, type=Verified).ok


def test_verify_without_a_database_says_what_to_do(environ: Mapping[str, str]) -> None:
    done = run(environ, "verify")
    assert done.returncode == 1
    assert b"slipgate up" in done.stderr


def test_a_backup_says_what_it_holds_and_is_not_overwritten(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    minted(environ)
    file = tmp_path / "copy.db"
    done = run(environ, "backup", str(file), "--json")
    assert done.returncode == 0, done.stderr
    backup = msgspec.json.decode(done.stdout, type=BackedUp)
    assert (backup.file, backup.size) == (str(file), file.stat().st_size)
    again = run(environ, "backup", str(file))
    assert again.returncode == 1
    assert b"--force" in again.stderr
    forced = run(environ, "backup", str(file), "--force")
    assert forced.returncode == 0
    assert b"--take-over" in forced.stdout


@pytest.mark.parametrize(
    "arguments", [("tasks", "create"), ("nonsense",), ("keys", "create", "--scope=all")]
)
def test_a_command_that_is_not_one_is_a_usage_error(
    environ: Mapping[str, str], arguments: tuple[str, ...]
) -> None:
    assert run(environ, *arguments).returncode == 2


def test_without_an_api_key_the_way_to_one_is_shown(environ: Mapping[str, str]) -> None:
    done = run(environ, "tasks", "list")
    assert done.returncode == 1
    assert b"slipgate keys create" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("--name=",), ("--name=me", "--project=a\nb"), ("--name=me", "--project=" + "x" * 101)],
    ids=["no name", "a project of two lines", "a long project"],
)
def test_a_key_has_labels_that_can_be_read(
    environ: Mapping[str, str], arguments: tuple[str, ...]
) -> None:
    assert run(environ, "keys", "create", "--scope=tasks", *arguments).returncode == 2
    assert b"key_" not in run(environ, "keys", "list").stdout


@pytest.mark.parametrize("command", [("migrate",), ("keys", "list"), ("verify",)])
def test_a_file_that_is_no_database_is_named_as_such(
    environ: Mapping[str, str], tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "s.db").write_text("root:x:0:0:root:/root:/bin/bash\n" * 100)
    done = run(environ, *command)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr
    assert b"SLIPGATE_DATABASE_URL" in done.stderr


def test_a_key_keeps_the_rate_limit_it_was_made_with(environ: Mapping[str, str]) -> None:
    limits = ("--rate=2.5", "--burst=10", "--concurrent=4")
    done = run(environ, "keys", "create", "--scope=tasks", "--name=me", *limits, "--json")
    wanted = RateLimitView(requests_per_second=2.5, burst=10, concurrent=4)
    assert msgspec.json.decode(done.stdout, type=NewKeyView).rate_limit == wanted
    listed = run(environ, "keys", "list", "--json").stdout
    (key,) = msgspec.json.decode(listed, type=list[KeyView])
    assert key.rate_limit == wanted
    assert b"2.5/s, 10 at once, 4 open" in run(environ, "keys", "list").stdout


@pytest.mark.parametrize("limits", [("--rate=0",), ("--burst=5",), ("--rate=1", "--concurrent=0")])
def test_a_limit_that_lets_nothing_through_or_limits_nothing_is_a_usage_error(
    environ: Mapping[str, str], limits: tuple[str, ...]
) -> None:
    done = run(environ, "keys", "create", "--scope=tasks", "--name=me", *limits)
    assert done.returncode == 2


def test_what_is_no_api_key_is_not_sent(environ: Mapping[str, str]) -> None:
    done = run({**environ, "SLIPGATE_API_KEY": "sl\u00efp"}, "tasks", "list")
    assert done.returncode == 1
    assert b"SLIPGATE_API_KEY" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_folder_that_cannot_be_made_is_named(environ: Mapping[str, str]) -> None:
    nowhere = {**environ, "SLIPGATE_DATABASE_URL": "sqlite:////proc/nowhere/s.db"}
    done = run(nowhere, "migrate")
    assert done.returncode == 1
    assert b"/proc/nowhere" in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_list_of_keys_shows_whole_ids_or_how_to_make_one(environ: Mapping[str, str]) -> None:
    assert b"slipgate keys create" in run(environ, "keys", "list").stderr
    key = minted(environ)
    narrow = {**environ, "COLUMNS": "40"}
    assert key.id.encode() in run(narrow, "keys", "list").stdout


def test_up_on_a_port_that_is_taken_makes_nothing_and_says_so(
    environ: Mapping[str, str], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run(environ, "up", f"--port={port}", f"--state={tmp_path / 'state'}")
    assert done.returncode == 1
    assert done.stdout == b""
    assert b"--port" in done.stderr
    assert not (tmp_path / "state").exists()


def test_it_says_which_version_it_is() -> None:
    done = run({"PATH": os.environ["PATH"]}, "--version")
    assert (done.returncode, done.stdout.decode()) == (0, f"slipgate {version('slipgate')}\n")


def test_a_key_can_end_by_itself(environ: Mapping[str, str]) -> None:
    wanted = ("keys", "create", "--scope=read", "--name=me")
    done = run(environ, *wanted, "--expires-in=90d", "--json")
    key = msgspec.json.decode(done.stdout, type=NewKeyView)
    life = datetime.fromisoformat(key.expires_at or "") - datetime.fromisoformat(key.created_at)
    assert abs(life - timedelta(days=90)) < timedelta(minutes=1)
    assert zoned(key.expires_at).encode() in run(environ, "keys", "list").stdout
    assert run(environ, *wanted, "--expires-in=soon").returncode == 2
