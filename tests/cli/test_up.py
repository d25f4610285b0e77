"""`slipgate up`: with any provider whose settings are there, and none that the launcher refuses."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.cli.test_operator_commands import run
from tests.daytona.api import Api, opened
from tests.daytona.machine import Machine
from tests.daytona.organisation import Organisation, Snapshot
from tests.ports import reserved_port

Json = dict[str, Any]
TASK = {"repoUrl": "https://github.com/acme/widgets", "prompt": "Mend it"}
PATIENCE = 60
"""Seconds until a test gives up."""
OURS = ("SLIPGATE_", "DAYTONA_", "OPENAI_", "ANTHROPIC_", "OPENROUTER_", "GITHUB_")


def bare() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith(OURS)}


@pytest.mark.parametrize(
    ("words", "given", "said"),
    [
        (["--providers=daytona-api"], {}, "DAYTONA_API_KEY is not set"),
        ([], {"SLIPGATE_PROVIDERS": "daytona-cli"}, "DAYTONA_API_KEY is not set"),
        (["--providers=firecracker"], {}, "SLIPGATE_PROVIDERS names firecracker"),
        (["--providers=github-actions"], {}, "SLIPGATE_GITHUB_ACTIONS_REPO must be"),
        ([], {"OPENAI_API_KEY": "k"}, "SLIPGATE_LOCAL_UNCONFINED is not true"),
        (
            ["--providers=docker"],
            {"SLIPGATE_DOCKER_PIDS": "1"},
            "SLIPGATE_DOCKER_PIDS must be",
        ),
    ],
    ids=["no key", "by the environment", "unknown", "no repository", "no sandbox", "a limit"],
)
def test_what_the_launcher_would_refuse_is_said_before_anything_starts(
    tmp_path: Path, words: list[str], given: Mapping[str, str], said: str
) -> None:
    state = tmp_path / "state"
    with reserved_port() as port:
        done = run({**bare(), **given}, "up", *words, f"--port={port}", f"--state={state}")
    assert (done.returncode, done.stdout) == (2, b"")
    assert said in done.stderr.decode()
    assert not (state / "keys-made").exists()


@asynccontextmanager
async def up(tmp_path: Path, *words: str, **given: str) -> AsyncIterator[Json]:
    """What it says once everything runs; then it is stopped as by Ctrl-C."""
    with reserved_port() as port:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "up", f"--port={port}", "--json", *words),
            f"--state={tmp_path / 'state'}",
            env={**bare(), **given},
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                document = await process.stdout.readuntil(b"}\n")
            yield msgspec.json.decode(document)
        finally:
            process.terminate()
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
            DAYTONA_API_KEY="dtn_key",
            DAYTONA_API_URL=api.url,
            SLIPGATE_REALM="ours",
        ) as running,
        httpx.AsyncClient(
            base_url=running["url"],
            headers={"authorization": f"Bearer {running['tasksKey']}"},
            trust_env=False,
        ) as http,
    ):
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
        done = await asyncio.to_thread(run, {**bare(), **given}, "up", *words)
    assert done.returncode == 1
    assert "Set SLIPGATE_PUBLIC_URL" in done.stderr.decode()
