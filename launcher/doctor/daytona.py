"""Checks Daytona: its API, the scopes and the organisation of the key, and its CLI."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from launcher.doctor.report import Check, failed, ok, warning
from launcher.providers.daytona.api_client import DaytonaApiClient
from launcher.providers.daytona.cli_client import NEEDED_RELEASE, DaytonaCliClient, open_cli_client
from launcher.providers.daytona.realm import find_key, realm_by_api
from launcher.providers.daytona.schema import LISTED, ApiKey, Snapshot
from launcher.providers.protocol import ProviderError, ProviderUnusable
from launcher.settings import DaytonaSettings

SCOPES: Final = ("write:sandboxes", "delete:sandboxes")
BUILD_SCOPE: Final = "write:snapshots"
FLAGS: Final = ("name", "snapshot", "env", "label", "auto-stop", "auto-delete")
_INSTALL: Final = (
    "`brew install daytonaio/cli/daytona`, or the program itself from "
    "github.com/daytona/clients/releases"
)


async def check_api_key(http: DaytonaApiClient, daytona: DaytonaSettings) -> list[Check]:
    """Reads the key's description, or a list where this release of the API has no such path."""
    try:
        key = await find_key(http)
        if key is None:
            await http.get("/sandbox", LISTED, query={"limit": "1"})
    except ProviderError as error:
        advice = "Look at DAYTONA_API_KEY and DAYTONA_API_URL, and at the way to that address."
        return [failed("Daytona API", f"{daytona.api_url}: {error.message}", advice)]
    return [ok("Daytona API", f"{daytona.api_url} takes DAYTONA_API_KEY"), _scopes(key)]


async def check_realm(http: DaytonaApiClient, daytona: DaytonaSettings, given: str | None) -> Check:
    name = "organisation"
    if given is not None:
        return ok(name, f"SLIPGATE_REALM says {given}")
    try:
        return ok(name, await realm_by_api(http, daytona.api_url))
    except ProviderError as error:
        return failed(name, error.message, "Until it is known no launcher starts.")


def _scopes(key: ApiKey | None) -> Check:
    name = "key's scopes"
    if key is None or key.permissions is None:
        advice = f"It needs {' and '.join(SCOPES)}: `slipgate doctor --live` tries them."
        return warning(name, "this API does not tell what DAYTONA_API_KEY may do", advice)
    missing = [scope for scope in SCOPES if scope not in key.permissions]
    if missing:
        advice = "Make a key with it in Daytona's dashboard, under Keys."
        return failed(name, f"DAYTONA_API_KEY has no {' and no '.join(missing)}", advice)
    builds = (
        "" if BUILD_SCOPE in key.permissions else f"; without {BUILD_SCOPE} it builds no snapshot"
    )
    ends = f"; it ends at {key.expires_at}" if key.expires_at else ""
    return ok(name, f"{', '.join(SCOPES)}{builds}{ends}")


async def check_cli(
    daytona: DaytonaSettings, environ: Mapping[str, str], folder: Path, *, is_alone: bool
) -> list[Check]:
    """`folder`: for its private files; `is_alone`: the chain has no other provider of Daytona."""
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
        _flags(flags, has_target=daytona.create.target is not None),
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
    needed = (*FLAGS, "target") if has_target else FLAGS
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
