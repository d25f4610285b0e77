"""`python -m launcher.snapshots`, to which `slipgate snapshot` hands over."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from gateway.wire.environment import SettingsError
from launcher.doctor.check import Check, all_ok
from launcher.doctor.report import Report
from launcher.doctor.trial import TrialContext
from launcher.egress import Egress
from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.providers.daytona.cli_client import open_cli_client
from launcher.providers.docker.cli import PASSED_ON, DockerCli, open_docker_cli
from launcher.providers.protocol import ProviderError
from launcher.settings import DaytonaSettings, read_daytona
from launcher.snapshots.build import SandboxResources, SnapshotBuilder
from launcher.snapshots.inspect import Look
from launcher.snapshots.names import DEFAULT, SnapshotError
from launcher.snapshots.scripts import NoScripts, compute_digest

DONE, FAILED, USAGE = 0, 1, 2
_DOCKERS: Final = frozenset(name for name in PASSED_ON if name.startswith("DOCKER_"))


class Findings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What `--json` prints."""

    ok: bool
    name: str
    digest: str
    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tools:
    """What a command works with."""

    daytona: DaytonaSettings
    builder: SnapshotBuilder
    cli: DockerCli
    look: Look


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """The exit code."""
    wanted = _parse(arguments)
    try:
        daytona = read_daytona(environ)
    except SettingsError as error:
        _log(str(error))
        return USAGE
    wanted.name = wanted.name or daytona.snapshot or DEFAULT
    report = Report([daytona.api_key])
    try:
        findings = asyncio.run(_run(wanted, daytona, environ))
    except (SnapshotError, ProviderError, NoScripts) as error:
        _log(report.clean(_reported(error)))
        return FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        _log(f"interrupted; `slipgate snapshot check {wanted.name}` says how it stands")
        return FAILED
    _print(report, findings, as_json=wanted.json)
    return DONE if findings.ok else FAILED


async def _run(
    wanted: argparse.Namespace, daytona: DaytonaSettings, environ: Mapping[str, str]
) -> Findings:
    _stop_on_sigterm()
    async with _opened(daytona, environ) as tools:
        if wanted.command == "build":
            await tools.builder.build(wanted.name, _resources(wanted, daytona))
        elif wanted.command == "push":
            resources = _resources(wanted, daytona)
            await tools.builder.push(wanted.name, resources, tools.cli, wanted.image)
        elif wanted.activate:
            await tools.builder.activate(wanted.name)
        checks = await tools.look.whole(wanted.name, live=wanted.live)
        return Findings(
            ok=all_ok(checks),
            name=wanted.name,
            digest=tools.builder.digest,
            checks=tuple(checks),
        )


@asynccontextmanager
async def _opened(daytona: DaytonaSettings, environ: Mapping[str, str]) -> AsyncIterator[Tools]:
    digest = await compute_digest()
    with tempfile.TemporaryDirectory(prefix="slipgate-cli-") as folder:
        cli = open_cli_client(
            Path(folder) / "daytona",
            path="daytona",
            url=daytona.api_url,
            api_key=daytona.api_key,
            environ=environ,
        )
        # `daytona snapshot push` speaks to docker by itself.
        cli.environ.update({name: environ[name] for name in _DOCKERS & environ.keys()})
        egress = Egress.of_environ(environ)
        async with open_daytona(daytona.api_url, daytona.api_key, egress=egress) as client:
            http = DaytonaApiClient(client)
            yield Tools(
                daytona=daytona,
                builder=SnapshotBuilder(http=http, cli=cli, digest=digest, on_output=_echo),
                cli=open_docker_cli(Path(folder) / "docker", environ=environ),
                look=Look(
                    http=http, daytona=daytona, digest=digest, trials_context=TrialContext(say=_log)
                ),
            )


def _resources(wanted: argparse.Namespace, daytona: DaytonaSettings) -> SandboxResources:
    return SandboxResources(
        cpu=wanted.cpu, memory=wanted.memory, disk=wanted.disk, region=daytona.target
    )


def _print(report: Report, findings: Findings, *, as_json: bool) -> None:
    if as_json:
        report.document(findings)
        return
    for check in findings.checks:
        report.check(check)
    if findings.ok:
        report.line()
        report.line(f"Use it: SLIPGATE_SNAPSHOT={findings.name} for the gateway.", style="bold")


def _reported(error: SnapshotError | ProviderError | NoScripts) -> str:
    if isinstance(error, SnapshotError):
        return f"{error.message}.\n{error.advice}"
    return error.message if isinstance(error, ProviderError) else str(error)


def _echo(piece: bytes) -> None:
    sys.stderr.write(piece.decode(errors="replace"))
    sys.stderr.flush()


def _log(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _stop_on_sigterm() -> None:
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="slipgate snapshot",
        description="Makes the snapshot that Daytona's sandboxes start from, and checks it.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="have Daytona build it, by its CLI")
    push = commands.add_parser("push", help="build it here with docker, and push it")
    check = commands.add_parser("check", help="look whether it is the one of here, and usable")
    for each in (build, push, check):
        each.add_argument("name", nargs="?", help=f"default: DAYTONA_SNAPSHOT_NAME, or {DEFAULT}")
        each.add_argument("--json", action="store_true", help="one JSON document on stdout")
        each.add_argument("--live", action="store_true", help="look inside one sandbox, too")
    for each in (build, push):
        for flag, default in (("cpu", 2), ("memory", 4), ("disk", 8)):
            each.add_argument(f"--{flag}", type=int, default=default, help="of each sandbox")
    push.add_argument("--image", metavar="IMAGE:TAG", help="this one, instead of building one")
    check.add_argument("--activate", action="store_true", help="first, if it rests")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
