"""A gateway, and a browser before it."""

from collections.abc import AsyncIterator

import pytest

from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, open_gateway
from tests.web.dashboard.browser import Browser, browser_of


@pytest.fixture
async def gateway(database: NewDatabase) -> AsyncIterator[GatewayHarness]:
    async with open_gateway(database) as opened:
        yield opened


@pytest.fixture
async def browser(gateway: GatewayHarness) -> AsyncIterator[Browser]:
    opened = browser_of(gateway)
    async with opened.http:
        yield opened
