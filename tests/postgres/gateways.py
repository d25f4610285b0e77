"""Gateways on a PostgreSQL database, in the process of a test."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx

from gateway.app import opened
from gateway.cli.operations.minting import mint
from gateway.settings import read_settings
from tests.web.callers import MASTER, PUBLIC_URL, GatewayHarness
from tests.web.contract import Contract

SCOPES: Final = ("tasks", "launcher", "ops")


def keys_of(url: str) -> dict[str, str]:
    """A new key of each scope."""
    environ = {"SLIPGATE_SECRET_KEYS": f"k1:{MASTER}", "SLIPGATE_DATABASE_URL": url}
    return {scope: mint(environ, scope, "default", "test").key for scope in SCOPES}


@asynccontextmanager
async def gateway_on(
    url: str,
    keys: Mapping[str, str],
    receivers: httpx.AsyncBaseTransport | None = None,
    **environ: str,
) -> AsyncIterator[GatewayHarness]:
    """One of the gateways of the database; its answers are held against the contract."""
    settings = read_settings(
        {
            "SLIPGATE_SECRET_KEYS": f"k1:{MASTER}",
            "SLIPGATE_DATABASE_URL": url,
            "SLIPGATE_PUBLIC_URL": PUBLIC_URL,
            **environ,
        }
    )
    async with opened(settings, transport=receivers) as gateway:
        transport = httpx.ASGITransport(gateway.app, raise_app_exceptions=False)
        contract = Contract()
        async with httpx.AsyncClient(
            transport=transport, base_url=PUBLIC_URL, event_hooks={"response": [contract.hold]}
        ) as http:
            yield GatewayHarness(gateway.app, http, keys, contract)
