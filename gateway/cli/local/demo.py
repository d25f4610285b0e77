"""`slipgate demo`: one task from POST to pull request here, with a kill in the middle."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import httpx
import typer

from gateway.cli.console.output import AsJson, CommandFailed
from gateway.cli.console.terminal import out
from gateway.cli.local.dashboard_link import dashboard_link
from gateway.cli.local.demo_run import DemoRun
from gateway.cli.local.demo_services import DemoServices, demo_services
from gateway.cli.local.environments import gateway_environ
from gateway.cli.local.processes import (
    free_port,
    programs,
    stop_on_signals,
    wait_until_ready,
    without_slipgate,
)
from gateway.cli.local.state import State
from gateway.cli.operations.minting import mint
from gateway.wire.own_process import close_own_process
from gateway.wire.signing import secret_bytes

AGENT: Final = ("minisweagent", "openai")
"""Imported by the agent of the demo, and by nothing of a gateway or launcher."""


def demo(
    repo: Annotated[str | None, typer.Option(help="path or URL of another repository")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave it running at the end")] = False,
    as_json: AsJson = False,
) -> None:
    """Run one task from POST to pull request here, with a kill of the gateway in the middle.

    The model, which follows a script, and GitHub are fakes; slipgate, git and the agent are real.

    Example: slipgate demo --repo=https://github.com/acme/widgets --keep

    Example: slipgate demo
    """
    close_own_process()
    _require(os.environ)
    folder = Path(tempfile.mkdtemp(prefix="slipgate-demo-"))
    stop_on_signals()
    try:
        asyncio.run(_demo(folder, repo, keep=keep, is_quiet=as_json))
    except KeyboardInterrupt:
        out.print("stopped", style="dim")
    except (CommandFailed, ExceptionGroup) as exc:
        failure = _failure(exc)
        if failure is None:
            raise
        raise CommandFailed(
            failure.message, f"{failure.next_step} Everything is kept in {folder}."
        ) from exc
    shutil.rmtree(folder, ignore_errors=True)


def _require(environ: Mapping[str, str]) -> None:
    """Raises `CommandFailed` where git or the agent's libraries are missing, as in the image."""
    missing = [] if shutil.which("git", path=environ.get("PATH")) else ["git"]
    missing += [f"the Python package {name}" for name in AGENT if find_spec(name) is None]
    if missing:
        raise CommandFailed(
            f"The demo runs git and an agent here, and there is no {' and no '.join(missing)}.",
            "Run it from a checkout: `make demo` installs both. The container image has neither.",
        )


def _failure(error: Exception) -> CommandFailed | None:
    """The first failure in the groups that servers and task groups raise."""
    if isinstance(error, ExceptionGroup):
        return next(filter(None, map(_failure, error.exceptions)), None)
    return error if isinstance(error, CommandFailed) else None


async def _demo(folder: Path, repo: str | None, *, keep: bool, is_quiet: bool) -> None:
    async with demo_services(folder, repo) as services:
        state = State(folder / "state")
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        environ = {
            **gateway_environ(os.environ, state, port, public_url=url),
            "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS": "true",
            "SLIPGATE_ALLOW_FILE_REPOS": "true",
            "SLIPGATE_LOG": "json",
        }
        tasks_key = mint(environ, "tasks", "default", "demo")
        services.callback_secret = secret_bytes(tasks_key.callback_secret or "")
        launcher_key = mint(environ, "launcher", "default", "demo").key
        own = programs.get()
        with ExitStack() as stack:
            gateway = own.child("gateway", own.gateway, environ, folder / "gateway.log")
            stack.enter_context(gateway)
            await asyncio.to_thread(wait_until_ready, url, gateway)
            launcher_env = _launcher_environ(services, url, launcher_key, state)
            log = folder / "launcher.log"
            stack.enter_context(own.child("launcher", own.launcher, launcher_env, log))
            headers = {"authorization": f"Bearer {tasks_key.key}"}
            async with httpx.AsyncClient(
                base_url=url, headers=headers, timeout=15, trust_env=False
            ) as http:
                run = DemoRun(
                    services=services,
                    gateway=gateway,
                    url=url,
                    tasks_key=tasks_key,
                    database=state.database,
                    http=http,
                    is_quiet=is_quiet,
                )
                await run.run()
                if keep:
                    await run.stay(dashboard_link(state, environ, url))


def _launcher_environ(services: DemoServices, url: str, key: str, state: State) -> dict[str, str]:
    """The environment of the launcher, with the fakes and without the operator's own keys."""
    own = ("OPENAI", "ANTHROPIC", "GEMINI", "OPENROUTER", "GITHUB")
    inherited = {
        name: value for name, value in without_slipgate().items() if not name.startswith(own)
    }
    return {
        **inherited,
        **services.launcher_environ,
        "SLIPGATE_URL": url,
        "SLIPGATE_API_KEY": key,
        "SLIPGATE_PROVIDERS": "local",
        "SLIPGATE_LAUNCHER_STATE": str(state.launcher),
        "SLIPGATE_HIDDEN": str(state.folder),
        "SLIPGATE_LOG": "json",
    }
