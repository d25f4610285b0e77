"""Daytona's CLI on this host: whether it is there, which flags it has, and whether it gets in."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from launcher.doctor.check import Check, failed, ok, warning
from launcher.providers.daytona.cli_client import NEEDED_RELEASE, DaytonaCliClient, open_cli_client
from launcher.providers.daytona.schema import Snapshot
from launcher.providers.protocol import ProviderError, ProviderUnusable
from launcher.settings import DaytonaSettings

NEEDED: Final = ("name", "snapshot", "env", "label", "auto-stop", "auto-delete")
_INSTALL: Final = (
    "`brew install daytonaio/cli/daytona`, or the program itself from "
    "github.com/daytona/clients/releases"
)


async def check_cli(
    daytona: DaytonaSettings, environ: Mapping[str, str], folder: Path, *, is_alone: bool
) -> list[Check]:
    """`folder`: for its private files; `is_alone`: the chain has no other way to Daytona."""
    path = shutil.which("daytona", path=environ.get("PATH", ""))
    if path is None:
        return [_missing(is_alone=is_alone)]
    cli = open_cli_client(
        folder, path=path, url=daytona.api_url, api_key=daytona.api_key, environ=environ
    )
    try:
        version = await cli.version()
        flags = await cli.flags("sandbox", "create")
        await cli.check_release()
    except ProviderUnusable as error:
        return [
            failed("CLI", f"{path}: {error.message}", f"{NEEDED_RELEASE} or later: {_INSTALL}.")
        ]
    except ProviderError as error:
        return [failed("CLI", f"{path}: {error.message}", f"Install it anew: {_INSTALL}.")]
    return [
        ok("CLI", f"{path}, version {version}"),
        _flags(flags, has_target=daytona.target is not None),
        await _login(cli),
    ]


def _missing(*, is_alone: bool) -> Check:
    message = "there is no `daytona` on PATH"
    if is_alone:
        advice = f"{_INSTALL}; SLIPGATE_PROVIDERS=daytona-api needs none."
        return failed("CLI", message, advice)
    return warning(
        "CLI",
        f"{message}: the chain ends at the API",
        f"{_INSTALL}; or take daytona-cli out of SLIPGATE_PROVIDERS.",
    )


def _flags(flags: frozenset[str], *, has_target: bool) -> Check:
    needed = (*NEEDED, "target") if has_target else NEEDED
    missing = [f"--{name}" for name in needed if name not in flags]
    if missing:
        return failed(
            "CLI flags",
            f"`daytona sandbox create` has no {', '.join(missing)}",
            f"{NEEDED_RELEASE} and later have all that is needed: {_INSTALL}.",
        )
    if "ttl" not in flags:
        return warning(
            "CLI flags",
            "there is no --ttl: a sandbox that slipgate could not destroy is ended by nobody",
            "v0.199 and later have it.",
        )
    return ok("CLI flags", ", ".join(f"--{name}" for name in (*needed, "ttl")))


async def _login(cli: DaytonaCliClient) -> Check:
    try:
        await cli.document(tuple[Snapshot, ...], "snapshot", "list")
    except ProviderError as error:
        return failed("CLI login", error.message, "Look at DAYTONA_API_KEY and DAYTONA_API_URL.")
    return ok("CLI login", "DAYTONA_API_KEY opens it")
