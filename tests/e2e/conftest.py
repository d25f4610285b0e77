"""The house of a module, clean for each of its tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.house import House
from tests.e2e.lodging import Lodging

pytest.register_assert_rewrite("tests.e2e.settled")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when tests of this folder are named on the command line, as `make kill` does."""
    parser.addoption("--kill-seconds", help="how long programs are killed at random")
    parser.addoption("--kill-seed", help="which programs, in which order")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lodging(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lodging]:
    """Starting and stopping the processes takes longer than a task."""
    shared = Lodging(lambda: tmp_path_factory.mktemp("house"))
    yield shared
    await shared.close()


@pytest_asyncio.fixture(loop_scope="module")
async def it(lodging: Lodging) -> House:
    """The house."""
    return await lodging.enter()
