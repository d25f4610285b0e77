"""A gateway for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.web.callers import GatewayHarness, open_gateway


@pytest_asyncio.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewayHarness]:
    """A gateway on a new database; nobody waits for a workspace's sandbox."""
    async with open_gateway(tmp_path, SLIPGATE_WORKSPACE_WAIT_SECONDS="0") as opened:
        yield opened
