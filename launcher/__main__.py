"""Starts a launcher: reads the environment and connects the parts."""

import argparse
import asyncio
import os
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Final

import structlog
from structlog.typing import FilteringBoundLogger

from gateway.wire.environment import SettingsError
from gateway.wire.logs import open_logs
from gateway.wire.own_process import close_own_process
from launcher.client import Client, GatewayRejected, GatewayUnreachable, open_http
from launcher.github_app import open_github_app
from launcher.jobs.context import LauncherContext
from launcher.loop import KEY_REJECTED, Launcher
from launcher.providers.factory import open_github_actions, open_providers
from launcher.providers.github_actions import require_callbacks
from launcher.providers.local.provider import EXECUTION
from launcher.providers.protocol import ProviderError
from launcher.settings import Settings, read_settings

DONE, FAILED, USAGE = 0, 1, 2


def main(
    arguments: Sequence[str] | None = None,
    environ: Mapping[str, str] = os.environ,
    *,
    program: tuple[str, ...] = EXECUTION,
) -> int:
    """Runs until SIGTERM or SIGINT and returns the exit code; `program` replaces the agent."""
    options = _parse(arguments)
    try:
        settings = read_settings(environ)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    if options.check:
        return DONE
    open_logs(settings.log)
    log: FilteringBoundLogger = structlog.get_logger()
    for problem in settings.egress.authorities.problems:
        log.warning("launcher.variable_left_out", detail=problem)
    try:
        return asyncio.run(_run(options, settings, environ, program, log))
    except (GatewayRejected, GatewayUnreachable) as error:
        failure = f"The gateway at {settings.url} gives us no work: {error}\n{_advice(error)}"
    except ProviderError as error:
        failure = f"{error.message}. `slipgate doctor` looks further.\n"
    sys.stderr.write(failure)
    return FAILED


async def _run(
    options: argparse.Namespace,
    settings: Settings,
    environ: Mapping[str, str],
    program: tuple[str, ...],
    log: FilteringBoundLogger,
) -> int:
    async with _open_context(settings, environ, program, log) as context:
        launcher = Launcher(
            context,
            launcher_id=f"{socket.gethostname()[:60]}-{os.getpid()}-{uuid.uuid4().hex[:8]}",
            version=version("slipgate"),
            capacity=settings.capacity,
            log=log,
        )
        if options.once or options.job:
            return _exit_code(options.job, await launcher.once(options.job))
        stopping = _stop_signal()  # before the line below, which may have it stopped
        log.info(
            "launcher.started",
            version=version("slipgate"),
            gateway=settings.url,
            providers=context.provider_realms,
            capacity=settings.capacity,
        )
        await launcher.run(stopping)
        return DONE


@asynccontextmanager
async def _open_context(
    settings: Settings,
    environ: Mapping[str, str],
    program: tuple[str, ...],
    log: FilteringBoundLogger,
) -> AsyncIterator[LauncherContext]:
    async with (
        open_http(settings.url, settings.api_key, egress=settings.egress) as http,
        open_providers(settings, environ, program) as providers,
        open_github_actions(settings) as github_actions,
        open_github_app(settings) as github_app,
    ):
        client = Client(http, log=log)
        if github_actions is not None:
            await require_callbacks(client)
        yield LauncherContext(
            client=client,
            providers=providers,
            forwarded_env=settings.forwarded_env,
            github_actions=github_actions,
            github_app=github_app,
        )


def _exit_code(job: str | None, results: list[bool]) -> int:
    """A job that another launcher has, or that was cancelled, is no failure."""
    if job and not results:
        sys.stderr.write(f"{job} is not to be done: another launcher has it, or it is over.\n")
    return DONE if all(results) else FAILED


ADVICE: Final = {
    "launcher_revoked": "Ops have revoked it: `slipgate launchers resume ID` lets it work again.",
    "launcher_too_old": "Install the version of the gateway here, too.",
}
"""Remedies for errors that are not about the key."""


def _stop_signal() -> asyncio.Event:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


def _advice(error: GatewayRejected | GatewayUnreachable) -> str:
    if isinstance(error, GatewayRejected) and error.code in ADVICE:
        return f"{ADVICE[error.code]}\n"
    if isinstance(error, GatewayRejected) and error.status in KEY_REJECTED:
        make = "`slipgate keys create --scope launcher --name NAME`"
        return f"SLIPGATE_API_KEY has to be a launcher key of that gateway; {make} makes one.\n"
    return "Check SLIPGATE_URL, and that the gateway runs.\n"


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="slipgate launcher", description="Create sandboxes for the gateway's tasks."
    )
    parser.add_argument("--once", action="store_true", help="claim one time, run the jobs, exit")
    parser.add_argument("--check", action="store_true", help="check the settings, exit")
    parser.add_argument("--job", metavar="ID", help="claim this one job, run it, exit")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    close_own_process()
    sys.exit(main())
