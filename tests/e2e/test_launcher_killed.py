"""A launcher that is killed in the middle: the task ends, in one sandbox, with every webhook."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from gateway.cli.demo import demo_launcher_environ
from gateway.cli.keys import mint
from gateway.cli.processes import LAUNCHER, Child
from gateway.cli.stand_ins import StandIns, stand_ins
from gateway.cli.state import State
from gateway.store.audit import audit
from gateway.wire.signing import secret_bytes
from tests.app.processes import gateway, until


@pytest.mark.timeout(120)
async def test_the_task_ends_once_and_no_second_sandbox_is_made(tmp_path: Path) -> None:
    extra = {
        "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true",
        "SLIPGATE_ALLOW_FILE_REPOS": "true",
        "SLIPGATE_LEASE_SECONDS": "2",
    }
    async with stand_ins(tmp_path, None) as world:
        with gateway(tmp_path, extra, is_public=True) as (_, url, environ):
            key = mint(environ, "tasks", "default", "test")
            world.callback_secret = secret_bytes(key.callback_secret or "")
            launcher_key = mint(environ, "launcher", "default", "test").key
            settings = demo_launcher_environ(world, url, launcher_key, State(tmp_path / "state"))
            with Child("launcher", LAUNCHER, settings, tmp_path / "launcher.log") as launcher:
                headers = {"authorization": f"Bearer {key.key}"}
                async with httpx.AsyncClient(
                    base_url=url, headers=headers, trust_env=False
                ) as http:
                    task_id = await _create(http, world)
                    await until(lambda: world.model.answered >= 2)
                    launcher.kill()
                    launcher.start()
                    await world.receiver.wait_for(
                        lambda one: one.type == "task.completed", seconds=60
                    )
                    types = await _types(http, task_id)
                await until(_is_settled(tmp_path / "s.db"))
    assert types.count("sandbox.created") == 1
    assert types.count("task.completed") == 1
    assert audit(tmp_path / "s.db").problems == ()
    assert len(world.github.pulls(world.subject.slug)) == 1


async def _create(http: httpx.AsyncClient, world: StandIns) -> str:
    body = {
        "repoUrl": world.subject.bare.as_uri(),
        "prompt": world.subject.prompt,
        "callbackUrl": f"{world.receiver_url}/hook",
    }
    answer = await http.post("/v1/tasks", json=body)
    return str(answer.raise_for_status().json()["id"])


async def _types(http: httpx.AsyncClient, task_id: str) -> list[str]:
    answer = await http.get(f"/v1/tasks/{task_id}/events?limit=200")
    return [event["type"] for event in answer.raise_for_status().json()["data"]]


def _is_settled(database: Path) -> Callable[[], bool]:
    return lambda: audit(database).pending == 0
