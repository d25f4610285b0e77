"""Daytona's API: whether our key opens it, what the key may do, and whose it is."""

from typing import Final

from launcher.doctor.check import Check, failed, ok, warning
from launcher.providers.daytona.api_client import DaytonaApiClient
from launcher.providers.daytona.realm import realm_by_api
from launcher.providers.daytona.schema import LISTED, ApiKey
from launcher.providers.protocol import ProviderError
from launcher.settings import DaytonaSettings

NEEDED: Final = ("write:sandboxes", "delete:sandboxes")
BUILDS: Final = "write:snapshots"


async def check_api_key(http: DaytonaApiClient, daytona: DaytonaSettings) -> list[Check]:
    """The key's own description, where this release of the API has it; else one that it opens."""
    try:
        key = await http.find("/api-keys/current", ApiKey)
        if key is None:
            await http.get("/sandbox", LISTED, query={"limit": "1"})
    except ProviderError as error:
        advice = "Look at DAYTONA_API_KEY and DAYTONA_API_URL, and at the way to that address."
        return [failed("Daytona API", f"{daytona.api_url}: {error.message}", advice)]
    open_regular = ok("Daytona API", f"{daytona.api_url} takes DAYTONA_API_KEY")
    return [open_regular, _scopes(key)]


async def check_realm(http: DaytonaApiClient, daytona: DaytonaSettings, given: str | None) -> Check:
    """The name space of the sandboxes."""
    name = "organisation"
    if given is not None:
        return ok(name, f"SLIPGATE_REALM says {given}")
    try:
        return ok(name, await realm_by_api(http, daytona.api_url))
    except ProviderError as error:
        advice = "Until it is known no launcher starts."
        return failed(name, error.message, advice)


def _scopes(key: ApiKey | None) -> Check:
    name = "key's scopes"
    if key is None:
        advice = f"It needs {' and '.join(NEEDED)}: `slipgate doctor --live` tries them."
        return warning(name, "this API does not tell what DAYTONA_API_KEY may do", advice)
    missing = [scope for scope in NEEDED if scope not in key.permissions]
    if missing:
        advice = "Make a key with it in Daytona's dashboard, under Keys."
        return failed(name, f"DAYTONA_API_KEY has no {' and no '.join(missing)}", advice)
    builds = "" if BUILDS in key.permissions else f"; without {BUILDS} it builds no snapshot"
    ends = f"; it ends at {key.expires_at}" if key.expires_at else ""
    return ok(name, f"{', '.join(NEEDED)}{builds}{ends}")
