"""The realm of Daytona's sandboxes: the address of the API and the organisation of the key.

Newer releases name a key's organisation; older ones name it in its snapshots and sandboxes.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from launcher.providers.daytona.api_client import DaytonaApiClient
from launcher.providers.daytona.cli_client import DaytonaCliClient
from launcher.providers.daytona.errors import NoSuchRoute
from launcher.providers.daytona.schema import (
    LISTED,
    ApiKey,
    Sandbox,
    Snapshot,
    SnapshotPage,
    page_of,
)
from launcher.providers.protocol import ProviderError

UNKNOWN: Final = ProviderError(
    "realm_missing",
    "Daytona does not tell the key's organisation while that has neither a snapshot nor a "
    "sandbox of its own. Make the snapshot first, or set SLIPGATE_REALM to a name of your own",
)


async def realm_by_api(http: DaytonaApiClient, url: str) -> str:
    """Raises `ProviderError` if the organisation is unknown."""
    organisation = await _of_key(http)
    if organisation is None:
        query = {"page": "1", "limit": "100"}
        snapshots = await http.get("/snapshots", SnapshotPage, query=query)
        organisation = _of_snapshots(snapshots.items)
    if organisation is None:
        listed = await http.get("/sandbox", LISTED, query={"limit": "1"})
        organisation = _of_sandboxes(page_of(listed).items)
    return _realm(url, organisation)


async def realm_by_cli(cli: DaytonaCliClient, url: str) -> str:
    """Raises `ProviderError` if the organisation is unknown."""
    snapshots = await cli.document(tuple[Snapshot, ...], "snapshot", "list")
    organisation = _of_snapshots(snapshots)
    if organisation is None:
        listed = await cli.document(LISTED, "sandbox", "list", "--limit=1")
        organisation = _of_sandboxes(page_of(listed).items)
    return _realm(url, organisation)


async def find_key(http: DaytonaApiClient) -> ApiKey | None:
    """The key's description; None from a release of the API that has none."""
    try:
        return await http.find("/api-keys/current", ApiKey)
    except NoSuchRoute:
        return None


async def _of_key(http: DaytonaApiClient) -> str | None:
    try:
        key = await find_key(http)
    except ProviderError as error:
        if error.retryable:
            raise
        return None  # an older release has no such path; any other error will come again
    return key.organization_id if key else None


def _of_snapshots(snapshots: Iterable[Snapshot]) -> str | None:
    own = (each.organization_id for each in snapshots if not each.general)
    return next(filter(None, own), None)


def _of_sandboxes(sandboxes: Iterable[Sandbox]) -> str | None:
    return next((each.organization_id for each in sandboxes if each.organization_id), None)


def _realm(url: str, organisation: str | None) -> str:
    if organisation is None:
        raise UNKNOWN
    return f"{urlsplit(url).netloc}/{organisation}"
