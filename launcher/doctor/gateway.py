"""Checks the gateway: if it answers, accepts our key, and can be reached by sandboxes."""

import contextlib
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import httpx
import msgspec

from gateway.wire.launcher import GatewayView
from launcher.doctor.report import Check, failed, ok, warning
from launcher.egress import DIRECT, Egress
from launcher.providers.github_actions import NEEDED_URL, NEEDS_CALLBACKS, GitHubActions
from launcher.settings import DAYTONA

SECONDS: Final = 10.0
_START: Final = (
    "Start it (`slipgate up` or `slipgate gateway`), or set SLIPGATE_URL to where it runs."
)
_SET_URL: Final = "Set SLIPGATE_PUBLIC_URL of the gateway to an address that sandboxes reach"
_TIERS: Final = (
    "; sandboxes of Daytona's tiers 1 and 2 may not reach it all the same: then their spool is read"
)
_KEYS: Final = "`slipgate keys create --scope launcher --name NAME` makes one"


async def check_gateway(
    url: str, key: str, *, egress: Egress = DIRECT
) -> tuple[GatewayView | None, list[Check]]:
    async with egress.to_gateway(url, timeout=SECONDS) as http:
        try:
            health = await http.get("/healthz")
            response = await http.get("/v1/launcher", headers={"authorization": f"Bearer {key}"})
        except httpx.HTTPError as error:
            message = f"nobody answers at {url} ({type(error).__name__})"
            return None, [failed("gateway", message, _START)]
    if not health.is_success:
        advice = "Look at its log; if a proxy answers for it, at the proxy."
        return None, [failed("gateway", f"{url} answers HTTP {health.status_code}", advice)]
    view = None
    with contextlib.suppress(msgspec.MsgspecError):
        if response.is_success:
            view = msgspec.json.decode(response.content, type=GatewayView)
    warnings = [
        warning("gateway", f"{each.code}: {each.detail}", each.hint)
        for each in (view.warnings if view else ())
    ]
    return view, [ok("gateway", f"{url} answers"), _key(response, view), *warnings]


async def check_public_url(
    view: GatewayView, providers: Sequence[str], *, egress: Egress = DIRECT
) -> Check:
    name, url = "public URL", view.public_url
    if url is None:
        return _without_url(name, providers)
    if set(providers) != {"local"} and _is_of_this_machine(url):
        return failed(
            name,
            f"{url} is this machine's name for itself: no sandbox but a local one reaches it",
            f"{_SET_URL} (a tunnel will do), or unset it: then spools are read every 5 s.",
        )
    try:
        async with egress.to_gateway(url, timeout=SECONDS) as http:
            status = (await http.get(f"{url}/healthz")).status_code
    except httpx.HTTPError as error:
        return failed(
            name,
            f"nobody answers at {url} ({type(error).__name__})",
            "Look at SLIPGATE_PUBLIC_URL of the gateway, its DNS, and the tunnel or proxy.",
        )
    if status != httpx.codes.OK:
        advice = "Something else answers there: look at SLIPGATE_PUBLIC_URL of the gateway."
        return failed(name, f"{url} answers HTTP {status}", advice)
    return ok(name, f"{url} answers here{_TIERS if set(providers) & set(DAYTONA) else ''}")


def _without_url(name: str, providers: Sequence[str]) -> Check:
    if GitHubActions.name in providers:
        return failed(name, f"the gateway has none: {NEEDS_CALLBACKS}", NEEDED_URL)
    message = "the gateway has none: sandboxes only write their spool, which is read every 5 s"
    return warning(name, message, f"{_SET_URL}.")


def _key(response: httpx.Response, view: GatewayView | None) -> Check:
    name = "key"
    if view is not None:
        return ok(name, f"SLIPGATE_API_KEY may launch; instance {view.instance_id}")
    if response.status_code == httpx.codes.UNAUTHORIZED:
        return failed(name, "SLIPGATE_API_KEY is no key of this gateway, or revoked", f"{_KEYS}.")
    if response.status_code == httpx.codes.FORBIDDEN:
        advice = f"The launcher needs one of scope launcher: {_KEYS}."
        return failed(name, "SLIPGATE_API_KEY has another scope", advice)
    return warning(
        name,
        f"the gateway does not tell about itself (HTTP {response.status_code})",
        "It is of another version than this launcher: compare versions.",
    )


def _is_of_this_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
