"""`python -m launcher.snapshots`, which `slipgate snapshot` runs."""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from gateway.wire.environment import SettingsError
from launcher.doctor.docker import check_image
from launcher.doctor.report import Check, Report, all_ok, cancel_on_sigterm, ok, print_error
from launcher.doctor.snapshot import check_snapshot, check_trial
from launcher.doctor.trial import TTL_MINUTES, TrialRunner
from launcher.egress import Egress
from launcher.providers.daytona.api import DaytonaApi
from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.providers.daytona.cli_client import open_cli_client
from launcher.providers.docker.cli import PASSED_ON, DockerCli, open_docker_cli
from launcher.providers.protocol import ProviderError
from launcher.settings import CreateOptions, DaytonaSettings, inspect_settings, read_daytona
from launcher.snapshots.build import SandboxResources, SnapshotBuilder
from launcher.snapshots.image import ensure_image
from launcher.snapshots.names import DEFAULT, SnapshotError
from launcher.snapshots.progress import build_progress
from launcher.snapshots.scripts import NoScripts, compute_digest

DONE, FAILED, USAGE = 0, 1, 2
COMMANDS: Final = ("build", "push", "check", "image")
_DOCKERS: Final = frozenset(name for name in PASSED_ON if name.startswith("DOCKER_"))


class Findings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Output of `--json`."""

    ok: bool
    name: str
    digest: str
    checks: tuple[Check, ...]


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    options = _parse(arguments)
    if options.command == "image":
        return _perform(options, _ensure_image(options, environ), secrets=())
    try:
        daytona = read_daytona(environ)
    except SettingsError as error:
        print_error(str(error))
        return USAGE
    options.name = options.name or daytona.snapshot or DEFAULT
    return _perform(options, _run(options, daytona, environ), secrets=(daytona.api_key,))


def _perform(
    options: argparse.Namespace, work: Coroutine[None, None, Findings], *, secrets: Sequence[str]
) -> int:
    """Prints the findings, or the error; returns the exit code."""
    report = Report(secrets)
    try:
        findings = asyncio.run(work)
    except (SnapshotError, ProviderError, NoScripts) as error:
        print_error(report.clean(_message(error)))
        return FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        print_error(f"interrupted; the same command goes on with {options.name}")
        return FAILED
    _print(report, findings, as_json=options.json)
    return DONE if findings.ok else FAILED


async def _ensure_image(options: argparse.Namespace, environ: Mapping[str, str]) -> Findings:
    """The image that the provider `docker` takes for a snapshot."""
    cancel_on_sigterm()
    images = inspect_settings(environ)[0].docker.images
    options.name = options.name or images.get(DEFAULT, DEFAULT)
    digest = await compute_digest()
    with tempfile.TemporaryDirectory(prefix="slipgate-cli-") as folder:
        cli = open_docker_cli(Path(folder), environ=environ)
        with build_progress(_echo) as on_output:
            is_new = await ensure_image(
                *(cli, options.name),
                digest=digest,
                variant="full" if options.full else "slim",
                on_output=on_output,
            )
        checks = [await check_image(cli, options.name, digest)]
    note = "was built now" if is_new else "was there already, of these scripts"
    checks.append(ok("build", f"{options.name} {note}"))
    return Findings(ok=all_ok(checks), name=options.name, digest=digest, checks=tuple(checks))


async def _run(
    options: argparse.Namespace, daytona: DaytonaSettings, environ: Mapping[str, str]
) -> Findings:
    cancel_on_sigterm()
    digest = await compute_digest()
    egress = Egress.of_environ(environ)
    with tempfile.TemporaryDirectory(prefix="slipgate-cli-") as folder:
        cli = open_cli_client(
            Path(folder) / "daytona",
            path="daytona",
            url=daytona.api_url,
            api_key=daytona.api_key,
            environ=environ,
        )
        # `daytona snapshot push` connects to docker by itself.
        cli.environ.update({name: environ[name] for name in _DOCKERS & environ.keys()})
        docker = open_docker_cli(Path(folder) / "docker", environ=environ)
        async with open_daytona(daytona.api_url, daytona.api_key, egress=egress) as client:
            http = DaytonaApiClient(client)
            with build_progress(_echo) as on_output:
                builder = SnapshotBuilder(
                    http=http,
                    cli=cli,
                    digest=digest,
                    on_output=on_output,
                    variant="full" if options.full else "slim",
                )
                await _change(options, daytona, builder, docker)
            checks = await _check(options, daytona, http, digest)
    return Findings(ok=all_ok(checks), name=options.name, digest=digest, checks=tuple(checks))


async def _change(
    options: argparse.Namespace,
    daytona: DaytonaSettings,
    builder: SnapshotBuilder,
    docker: DockerCli,
) -> None:
    if options.command == "check":
        if options.activate:
            await builder.activate(options.name)
        return
    resources = SandboxResources(
        cpu=options.cpu, memory=options.memory, disk=options.disk, region=daytona.create.target
    )
    if options.command == "build":
        await builder.build(options.name, resources)
    else:
        await builder.push(options.name, resources, docker, options.image)


async def _check(
    options: argparse.Namespace, daytona: DaytonaSettings, http: DaytonaApiClient, digest: str
) -> list[Check]:
    """Creates a sandbox only if all else is well."""
    target = daytona.create.target
    checks = await check_snapshot(
        http, options.name, digest=digest, target=target, needs_full=options.full
    )
    if options.live and all_ok(checks):
        create = CreateOptions(target=target, ttl_minutes=TTL_MINUTES)
        provider = DaytonaApi(http, realm="", options=create)
        trial = await TrialRunner(log=print_error).run(provider, options.name)
        checks += check_trial(trial, digest)
    return checks


def _print(report: Report, findings: Findings, *, as_json: bool) -> None:
    if as_json:
        report.document(findings)
        return
    for check in findings.checks:
        report.check(check)
    if findings.ok and findings.name != DEFAULT:
        report.line()
        report.line(f"Use it: SLIPGATE_SNAPSHOT={findings.name} for the gateway.", style="bold")


def _message(error: SnapshotError | ProviderError | NoScripts) -> str:
    if isinstance(error, SnapshotError):
        return f"{error.message}.\n{error.advice}"
    return error.message if isinstance(error, ProviderError) else str(error)


def _echo(piece: bytes) -> None:
    sys.stderr.write(piece.decode(errors="replace"))
    sys.stderr.flush()


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """`slipgate snapshot` has the help."""
    parser = argparse.ArgumentParser(prog="slipgate snapshot", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    every = build, push, check, _ = [commands.add_parser(name) for name in COMMANDS]
    for each in every:
        each.add_argument("name", nargs="?")
        for flag in ("json", "full", "live"):
            each.add_argument(f"--{flag}", action="store_true")
    for each in (build, push):
        for flag in ("cpu", "memory", "disk"):
            each.add_argument(f"--{flag}", type=int, required=True)
    push.add_argument("--image")
    check.add_argument("--activate", action="store_true")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
