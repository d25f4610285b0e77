"""`slipgate up`: with any provider whose settings are there, and none that the launcher refuses.

The one whose task runs starts its programs as it does for a user, the others start forks.
"""

import asyncio
import base64
import os
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from gateway.cli.local.environments import (
    OPTIONS,
    OWN,
    gateway_environ,
    launcher_environ,
)
from gateway.cli.local.state import State
from gateway.settings import read_settings
from gateway.store.sqlite.files import exclusive
from launcher.settings import PROVIDERS, inspect_settings
from tests.cli.test_operator_commands import run
from tests.daytona.api import Api, opened
from tests.daytona.machine import Machine
from tests.daytona.organisation import Organisation, Snapshot
from tests.e2e.wait import until
from tests.forks.children import forking_slipgate
from tests.forks.programs import slipgate
from tests.ports import reserved_port

Json = dict[str, Any]
TASK = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it"}
PATIENCE = 60
"""Seconds until a test gives up."""
OURS = ("SLIPGATE_", "DAYTONA_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "OPENROUTER_", "GITHUB_")


def bare() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith(OURS)}


def run_up(environ: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[bytes]:
    return run(environ, "up", *words, program=forking_slipgate())


@pytest.mark.parametrize(
    ("words", "given", "messages"),
    [
        (
            ["--providers=daytona-api,github-actions,docker"],
            {"SLIPGATE_DOCKER_PIDS": "1"},
            [
                "DAYTONA_API_KEY is not set",
                "SLIPGATE_GITHUB_ACTIONS_REPO must be",
                "SLIPGATE_DOCKER_PIDS must be",
            ],
        ),
        ([], {"SLIPGATE_PROVIDERS": "firecracker"}, ["SLIPGATE_PROVIDERS names firecracker"]),
        ([], {"OPENAI_API_KEY": "k"}, ["SLIPGATE_LOCAL_UNCONFINED is not true"]),
    ],
    ids=["several", "by the environment", "no sandbox"],
)
def test_what_the_launcher_would_refuse_is_said_before_anything_starts(
    tmp_path: Path, words: list[str], given: Mapping[str, str], messages: list[str]
) -> None:
    state = tmp_path / "state"
    with reserved_port() as port:
        done = run_up({**bare(), **given}, *words, f"--port={port}", f"--state={state}")
    assert (done.returncode, done.stdout) == (2, b"")
    for message in messages:
        assert message in done.stderr.decode()
    assert not (state / "keys-made").exists()


@asynccontextmanager
async def up(
    tmp_path: Path, *words: str, program: str | None = None, **given: str
) -> AsyncIterator[Json]:
    """The output of `up` once everything runs; afterwards it is stopped as by a closed terminal."""
    with reserved_port() as port:
        process = await asyncio.create_subprocess_exec(
            *(program or forking_slipgate(), "up", f"--port={port}", "--json", *words),
            f"--state={tmp_path / 'state'}",
            env={**bare(), **given},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                document = await process.stdout.readuntil(b"}\n")
            await until((tmp_path / "state" / "keys-made").exists, "the key to count as shown")
            yield msgspec.json.decode(document)
        finally:
            process.send_signal(signal.SIGHUP)
            async with asyncio.timeout(PATIENCE):
                assert await process.wait() == 0


async def test_a_task_runs_in_a_sandbox_of_the_provider_that_was_named(tmp_path: Path) -> None:
    organisation = Organisation(asyncio.get_running_loop().time)
    organisation.add_snapshot(Snapshot(name="slipgate-agent-1"))
    async with (
        opened(Api(organisation=organisation, machine=Machine(tmp_path / "machine"))) as api,
        up(
            tmp_path,
            "--providers=daytona-api",
            program=slipgate(),
            DAYTONA_API_KEY="dtn_key",
            DAYTONA_API_URL=api.url,
            SLIPGATE_REALM="ours",
        ) as running,
        httpx.AsyncClient(
            base_url=running["url"],
            headers={"authorization": f"Bearer {running['tasksKey']}"},
            trust_env=False,
            timeout=60,
        ) as http,
    ):
        by_link = await http.get(running["dashboard"])
        assert (by_link.status_code, by_link.headers["location"]) == (303, "/dashboard")
        task = (await http.post("/v1/tasks", json=TASK)).raise_for_status().json()["id"]
        async with asyncio.timeout(PATIENCE):
            shown: Json = {}
            while shown.get("status") != "running":
                await asyncio.sleep(0.05)
                shown = (await http.get(f"/v1/tasks/{task}")).json()
        (made,) = organisation.living()
    assert (shown["sandbox"]["provider"], shown["sandbox"]["id"]) == ("daytona-api", made.id)
    assert "SLIPGATE_WEBHOOK_URL" not in made.env


async def test_whoever_needs_a_public_address_is_refused_without_one(tmp_path: Path) -> None:
    state = tmp_path / "state"
    given = {
        "SLIPGATE_GITHUB_ACTIONS_REPO": "acme/slipgate",
        "SLIPGATE_GITHUB_ACTIONS_TOKEN": "token",
        "SLIPGATE_REALM": "ours",
    }
    with reserved_port() as port:
        words = ("--providers=github-actions", f"--port={port}", f"--state={state}")
        done = await asyncio.to_thread(run_up, {**bare(), **given}, *words)
    assert done.returncode == 1
    assert "Set SLIPGATE_PUBLIC_URL" in done.stderr.decode()


class Recording(dict[str, str]):
    """An environment that knows what it was asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(environ)
        self.asked: set[str] = set()

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]
        self.asked.add(name)
        return super().get(name, default)


DECIDED = {"SLIPGATE_URL", "SLIPGATE_API_KEY", "SLIPGATE_API_KEY_FILE", "PORT"}
"""Variables that `up` sets or ignores: the listening port is SLIPGATE_PORT."""


@pytest.mark.parametrize("read", [read_settings, inspect_settings], ids=["gateway", "launcher"])
def test_every_setting_is_passed_on_or_refused_aloud(
    tmp_path: Path,
    read: Callable[[Mapping[str, str]], object],
) -> None:
    providers = ",".join(PROVIDERS)
    kept = State(tmp_path)
    own = gateway_environ(os.environ, kept, 8700, public_url="")
    names = Recording({**own, "SLIPGATE_PROVIDERS": providers})
    read(names)
    ours = {name for name in names.asked if name.startswith(("SLIPGATE_", "OTEL_"))}
    given = dict.fromkeys(ours, "given")
    gateway = gateway_environ(given, kept, 8700, public_url="", secret_keys="given")
    launcher = launcher_environ(given, kept, "http://127.0.0.1:8700", own, providers)
    passed_on = {name for name in ours if "given" in (gateway.get(name), launcher.get(name))}
    assert len(ours) > 10
    # The launcher has them anyway, but the gateway makes the spans.
    assert all(gateway.get(name) for name in ours if name.startswith("OTEL_"))
    assert ours - passed_on - DECIDED <= OWN.keys() | OPTIONS


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SLIPGATE_DATABASE_SESSION_URL", "postgresql://db.example/slipgate"),
        ("SLIPGATE_DATABASE_URL", "sqlite:///elsewhere.db"),
        ("SLIPGATE_HOST", "0.0.0.0"),
        ("SLIPGATE_LAUNCHER_STATE", "/var/lib/launcher"),
    ],
)
def test_what_it_decides_itself_is_not_dropped_without_a_word(
    tmp_path: Path, name: str, text: str
) -> None:
    with reserved_port() as port:
        words = (f"--port={port}", f"--state={tmp_path / 'state'}")
        done = run_up({**bare(), name: text}, *words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"{name} is set, but `slipgate up` always takes" in done.stderr.decode()


async def test_a_first_key_that_was_never_shown_is_made_again_with_its_callback_secret(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    environ = {**bare(), "SLIPGATE_DATABASE_URL": f"sqlite:///{state / 'slipgate.db'}"}
    assert run(environ, "migrate").returncode == 0
    with exclusive(state / "slipgate.db"), reserved_port() as port:
        words = (f"--port={port}", f"--state={state}")
        failed = await asyncio.to_thread(run_up, bare(), *words)
    assert (failed.returncode, failed.stdout) == (1, b"")
    async with up(tmp_path) as running:
        assert running["callbackSecret"].startswith("whsec_")
        async with httpx.AsyncClient(base_url=running["url"], trust_env=False, timeout=60) as http:
            bearer = {"authorization": f"Bearer {running['tasksKey']}"}
            assert (await http.get("/v1/tasks", headers=bearer)).status_code == 200
    with closing(sqlite3.connect(state / "slipgate.db")) as database, database:
        database.execute("UPDATE api_keys SET expires_at = 1 WHERE scope <> 'tasks'")
    async with up(tmp_path) as running:
        assert "tasksKey" not in running
        async with httpx.AsyncClient(base_url=running["url"], trust_env=False, timeout=60) as http:
            for path, name in (("launcher", "launcher-key"), ("launchers", "operator-key")):
                bearer = {"authorization": f"Bearer {(state / name).read_text()}"}
                assert (await http.get(f"/v1/{path}", headers=bearer)).status_code == 200
        await its_operators_commands_take_no_master_key(environ)


async def its_operators_commands_take_no_master_key(environ: Mapping[str, str]) -> None:
    words = ("create", "--scope=ops", "--name=me")
    made = await asyncio.to_thread(run, environ, "keys", *words)
    assert (made.returncode, made.stderr) == (0, b"")
    sealed = await asyncio.to_thread(run, environ, "keys", "rewrap")
    assert (sealed.returncode, sealed.stderr) == (0, b"")
    held = await asyncio.to_thread(run, environ, "verify")
    assert (held.returncode, b"SLIPGATE_SECRET_KEYS" in held.stdout) == (0, False)


async def test_master_keys_that_are_given_are_used(tmp_path: Path) -> None:
    given = f"k9:{base64.b64encode(b'9' * 32).decode()}"
    async with up(tmp_path, SLIPGATE_SECRET_KEYS=given):
        assert not (tmp_path / "state" / "master-keys").exists()
    with reserved_port() as port:
        words = (f"--port={port}", f"--state={tmp_path / 'state'}")
        other = await asyncio.to_thread(run_up, bare(), *words)
    assert other.returncode == 1
    assert "master keys are still needed" in other.stderr.decode()
