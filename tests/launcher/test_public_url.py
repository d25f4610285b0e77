"""A launcher whose inspections cost a workflow run starts only if none is needed."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from gateway.cli.local.processes import wait_for
from gateway.cli.operations.minting import mint
from launcher.__main__ import DONE, FAILED
from tests.app.processes import gateway_process
from tests.forks.children import launcher_child
from tests.forks.programs import shared


@pytest.mark.parametrize("is_public", [True, False], ids=["public", "without a public URL"])
def test_github_actions_needs_a_gateway_that_sandboxes_can_call(
    tmp_path: Path, is_public: bool
) -> None:
    with gateway_process(tmp_path, is_public=is_public) as (_, url, environ):
        settings = {
            "SLIPGATE_URL": url,
            "SLIPGATE_API_KEY": mint(environ, "launcher", "default", "me").key,
            "SLIPGATE_PROVIDERS": "github-actions",
            "SLIPGATE_REALM": "ours",
            "SLIPGATE_GITHUB_ACTIONS_REPO": "acme/slipgate",
            "SLIPGATE_GITHUB_ACTIONS_TOKEN": "token",
        }
        command = [shared("launcher", "launcher.__main__:main"), "--once"]
        done = subprocess.run(
            command, env=settings, capture_output=True, text=True, check=False, timeout=60
        )
    assert done.returncode == (DONE if is_public else FAILED)
    assert ("Set SLIPGATE_PUBLIC_URL" in done.stderr) is not is_public


def test_a_launcher_logs_its_start_before_it_works(tmp_path: Path) -> None:
    with gateway_process(tmp_path) as (_, url, environ):
        settings = environ | {
            "SLIPGATE_URL": url,
            "SLIPGATE_API_KEY": mint(environ, "launcher", "default", "me").key,
            "SLIPGATE_PROVIDERS": "local",
            "SLIPGATE_REALM": "here",
            "SLIPGATE_CAPACITY": "3",
            "SLIPGATE_LAUNCHER_STATE": str(tmp_path / "launcher"),
        }
        log = tmp_path / "launcher.log"
        with launcher_child(settings, log) as child:
            wait_for(lambda: "launcher.started" in log.read_text(), "its line", child, 30)
    started, *_, stopping = [json.loads(line) for line in log.read_text().splitlines()]
    assert (started["version"], started["capacity"]) == (version("slipgate"), 3)
    assert started["gateway"] == url
    assert started["providers"] == ["local@here"]
    assert stopping["event"] == "launcher.stopping"
    assert settings["SLIPGATE_API_KEY"] not in log.read_text()
