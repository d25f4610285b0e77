"""A gateway for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.web.callers import House, open_house


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A gateway on a new database."""
    async with open_house(tmp_path) as opened:
        yield opened
