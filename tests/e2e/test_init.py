"""`slipgate init`: one command leads from an empty folder to the first pull request."""

import asyncio
import signal
from pathlib import Path

from gateway.cli.local.demo_services import demo_services
from tests.cli.test_up import bare
from tests.forks.children import forking_slipgate
from tests.ports import reserved_port
from tests.snapshot.sandbox import search_path

PATIENCE = 120
"""Seconds until the test gives up."""


async def test_an_empty_folder_becomes_a_first_pull_request(tmp_path: Path) -> None:
    folder = tmp_path / "laptop"
    folder.mkdir()
    async with demo_services(tmp_path / "services", None) as services:
        with reserved_port() as port:
            environ = {
                **bare(),
                **services.launcher_environ,
                "SLIPGATE_ALLOW_FILE_REPOS": "true",
                "PATH": search_path(),
            }
            del environ[
                "SLIPGATE_SANDBOX_ENV"
            ]  # the fakes' addresses are handed over by themselves
            subject = services.subject
            process = await asyncio.create_subprocess_exec(
                *(forking_slipgate(), "init", "--provider=local", f"--port={port}"),
                *("--yes", "--start"),
                *(f"--repo={subject.bare.as_uri()}", f"--prompt={subject.prompt}"),
                cwd=folder,
                env=environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            assert process.stdout is not None
            async with asyncio.timeout(PATIENCE):
                shown = await process.stdout.readuntil(b"Ctrl-C stops it")
                process.send_signal(signal.SIGINT)
                shown += (await process.communicate())[0]
        assert process.returncode == 0, shown.decode()
        assert services.pull is not None
        assert services.pull.html_url.encode() in shown
        assert services.model_key.encode() not in shown
        assert b"/dashboard/login?link=" in shown
        assert b"started at local" in shown  # the sandbox
    assert not (folder / ".slipgate/connection.toml").exists()
