"""The name space of Daytona's sandboxes: the address of the API and the organisation of the key.

No call tells a key's organisation, but what belongs to it names it: its snapshots and sandboxes.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from launcher.providers.daytona.documents import Sandbox, SandboxPage, Snapshot, SnapshotPage
from launcher.providers.daytona.http import DaytonaHttp
from launcher.providers.daytona.terminal import Terminal
from launcher.providers.protocol import ProviderError

UNKNOWN: Final = ProviderError(
    "realm_missing",
    "Daytona does not tell the key's organisation while that has neither a snapshot nor a "
    "sandbox of its own. Make the snapshot first, or set SLIPGATE_REALM to a name of your own",
    retryable=False,
)


async def realm_by_api(http: DaytonaHttp, url: str) -> str:
    """The realm.

    Raises:
        ProviderError: nothing of the organisation is there, or the API cannot be asked.
    """
    query = {"page": "1", "limit": "100"}
    snapshots = await http.get("/snapshots", SnapshotPage, query=query)
    organisation = _of_snapshots(snapshots.items)
    if organisation is None:
        page = await http.get("/sandbox", SandboxPage, query={"limit": "1"})
        organisation = _of_sandboxes(page.items)
    return _realm(url, organisation)


async def realm_by_cli(terminal: Terminal, url: str) -> str:
    """The same, asked of the CLI."""
    snapshots = await terminal.document(tuple[Snapshot, ...], "snapshot", "list")
    organisation = _of_snapshots(snapshots)
    if organisation is None:
        page = await terminal.document(SandboxPage, "sandbox", "list", "--limit=1")
        organisation = _of_sandboxes(page.items)
    return _realm(url, organisation)


def _of_snapshots(snapshots: Iterable[Snapshot]) -> str | None:
    own = (each.organization_id for each in snapshots if not each.general)
    return next(filter(None, own), None)


def _of_sandboxes(sandboxes: Iterable[Sandbox]) -> str | None:
    return next((each.organization_id for each in sandboxes if each.organization_id), None)


def _realm(url: str, organisation: str | None) -> str:
    if organisation is None:
        raise UNKNOWN
    return f"{urlsplit(url).netloc}/{organisation}"
