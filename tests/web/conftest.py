"""A gateway for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.web.callers import GatewayHarness, open_gateway


@pytest_asyncio.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewayHarness]:
    """A gateway on a new database."""
    async with open_gateway(tmp_path) as opened:
        yield opened
