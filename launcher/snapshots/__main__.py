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

from launcher.config import ConfigurationError, DaytonaConfig, read_daytona
from launcher.doctor.check import Check, is_well
from launcher.doctor.report import Paper
from launcher.doctor.trial import Ward
from launcher.egress import Outgoing
from launcher.providers.daytona.api_client import DaytonaHttp, open_daytona
from launcher.providers.daytona.cli_client import open_terminal
from launcher.providers.docker.cli import PASSED_ON, Engine, open_engine
from launcher.providers.protocol import ProviderError
from launcher.snapshots.build import Resources, Workshop
from launcher.snapshots.inspect import Look
from launcher.snapshots.names import DEFAULT, Unwanted
from launcher.snapshots.scripts import NoScripts, digest_of

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

    daytona: DaytonaConfig
    workshop: Workshop
    engine: Engine
    look: Look


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """The exit code."""
    wanted = _parse(arguments)
    try:
        daytona = read_daytona(environ)
    except ConfigurationError as error:
        _aside(str(error))
        return USAGE
    wanted.name = wanted.name or daytona.snapshot or DEFAULT
    paper = Paper([daytona.api_key])
    try:
        findings = asyncio.run(_run(wanted, daytona, environ))
    except (Unwanted, ProviderError, NoScripts) as error:
        _aside(paper.clean(_told(error)))
        return FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        _aside(f"interrupted; `slipgate snapshot check {wanted.name}` says how it stands")
        return FAILED
    _print(paper, findings, as_json=wanted.json)
    return DONE if findings.ok else FAILED


async def _run(
    wanted: argparse.Namespace, daytona: DaytonaConfig, environ: Mapping[str, str]
) -> Findings:
    _stop_on_sigterm()
    async with _opened(daytona, environ) as tools:
        if wanted.command == "build":
            await tools.workshop.build(wanted.name, _resources(wanted, daytona))
        elif wanted.command == "push":
            resources = _resources(wanted, daytona)
            await tools.workshop.push(wanted.name, resources, tools.engine, wanted.image)
        elif wanted.activate:
            await tools.workshop.activate(wanted.name)
        checks = await tools.look.whole(wanted.name, live=wanted.live)
        return Findings(
            ok=is_well(checks),
            name=wanted.name,
            digest=tools.workshop.digest,
            checks=tuple(checks),
        )


@asynccontextmanager
async def _opened(daytona: DaytonaConfig, environ: Mapping[str, str]) -> AsyncIterator[Tools]:
    digest = await digest_of()
    with tempfile.TemporaryDirectory(prefix="slipgate-cli-") as folder:
        terminal = open_terminal(
            Path(folder) / "daytona",
            path="daytona",
            url=daytona.api_url,
            api_key=daytona.api_key,
            environ=environ,
        )
        # `daytona snapshot push` speaks to docker by itself.
        terminal.environ.update({name: environ[name] for name in _DOCKERS & environ.keys()})
        outgoing = Outgoing.of_environ(environ)
        async with open_daytona(daytona.api_url, daytona.api_key, outgoing=outgoing) as client:
            http = DaytonaHttp(client)
            yield Tools(
                daytona=daytona,
                workshop=Workshop(http=http, terminal=terminal, digest=digest, echo=_echo),
                engine=open_engine(Path(folder) / "docker", environ=environ),
                look=Look(http=http, daytona=daytona, digest=digest, ward=Ward(say=_aside)),
            )


def _resources(wanted: argparse.Namespace, daytona: DaytonaConfig) -> Resources:
    return Resources(cpu=wanted.cpu, memory=wanted.memory, disk=wanted.disk, region=daytona.target)


def _print(paper: Paper, findings: Findings, *, as_json: bool) -> None:
    if as_json:
        paper.document(findings)
        return
    for check in findings.checks:
        paper.check(check)
    if findings.ok:
        paper.line()
        paper.line(f"Use it: SLIPGATE_SNAPSHOT={findings.name} for the gateway.", style="bold")


def _told(error: Unwanted | ProviderError | NoScripts) -> str:
    if isinstance(error, Unwanted):
        return f"{error.message}.\n{error.advice}"
    return error.message if isinstance(error, ProviderError) else str(error)


def _echo(piece: bytes) -> None:
    sys.stderr.write(piece.decode(errors="replace"))
    sys.stderr.flush()


def _aside(text: str) -> None:
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
