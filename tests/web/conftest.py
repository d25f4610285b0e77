"""A gateway for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, open_gateway


@pytest_asyncio.fixture
async def gateway(database: NewDatabase) -> AsyncIterator[GatewayHarness]:
    """A gateway on a new database; nobody waits for a workspace's sandbox."""
    async with open_gateway(database, SLIPGATE_WORKSPACE_WAIT_SECONDS="0") as opened:
        yield opened
