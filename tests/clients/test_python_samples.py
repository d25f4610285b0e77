"""The programs of the documentation, as they are pasted from it."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from starlette.types import ASGIApp

from gateway.cli.operations.minting import mint
from gateway.web.openapi.examples import example_of
from gateway.wire.signing import secret_text, sign
from slipgate.client import Slipgate
from tests.app.processes import gateway_process
from tests.docs.samples import pasted


def test_the_script_follows_a_task_to_its_end(tmp_path: Path) -> None:
    script = tmp_path / "nightly.py"
    script.write_text(pasted("nightly.py"), "utf-8")
    with gateway_process(tmp_path) as (_, url, environ):
        key = mint(environ, "tasks", "default", "test").key
        given = {**os.environ, "SLIPGATE_URL": url, "SLIPGATE_API_KEY": key}
        command = [sys.executable, "-W", "error", str(script)]
        with (
            Slipgate(environ=given) as client,
            subprocess.Popen(command, env=given, stdout=subprocess.PIPE, text=True) as running,
        ):
            created = next(event for event in client.stream() if event.task_id is not None)
            client.cancel_task(created.task_id or "")
            out, _ = running.communicate(timeout=120)
    assert running.returncode == 0
    assert "task.created" in out
    *_, ended, refused = out.splitlines()
    assert ended == "cancelled None"
    assert refused.startswith("no_patch ")


async def test_the_receiver_takes_what_either_secret_signed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [bytes([number]) * 32 for number in (1, 2)]
    monkeypatch.setenv("HOOK_SECRETS", " ".join(map(secret_text, keys)))
    program: dict[str, Any] = {}
    exec(compile(pasted("hook.py"), "hook.py", "exec"), program)  # noqa: S102 - as it is pasted
    app: ASGIApp = program["app"]
    body, now = msgspec.json.encode(example_of(None, "Notice")), int(time.time())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://app.example") as http:
        statuses = []
        for secret in (*keys, b"x" * 32):
            headers = {
                "webhook-id": "evt_1",
                "webhook-timestamp": f"{now}",
                "webhook-signature": sign(secret, "evt_1", now, body),
            }
            statuses.append((await http.post("/hook", content=body, headers=headers)).status_code)
    assert statuses == [204, 204, 401]
    assert capsys.readouterr().out.startswith("evt_1 task.")
