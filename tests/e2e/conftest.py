"""The installation of a module, clean for each of its tests."""

from collections.abc import AsyncIterator, Generator
from functools import partial

import pytest
import pytest_asyncio

from tests.e2e.evidence import evidence
from tests.e2e.installation import Installation
from tests.e2e.shared_installation import SharedInstallation
from tests.stores import STORES, new_database

pytest.register_assert_rewrite("tests.e2e.settled")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Known when tests of this folder are named on the command line, as `make kill` does."""
    parser.addoption("--kill-seconds", help="how long programs are killed at random")
    parser.addoption("--kill-seed", help="which programs, in which order")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test runs on each store, unless its rows take turns with them (`tests.e2e.stores`)."""
    marks = metafunc.definition.iter_markers("parametrize")
    if "shared" in metafunc.fixturenames and not any("shared" in mark.args[0] for mark in marks):
        metafunc.parametrize("shared", STORES, indirect=True, scope="module")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure comes with what its installation shows."""
    report = yield
    it = item.funcargs.get("it") if isinstance(item, pytest.Function) else None
    if report.failed and isinstance(it, Installation):
        report.sections += evidence(it)
    return report


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[SharedInstallation]:
    """Starting and stopping the processes takes longer than a task."""
    shared = SharedInstallation(
        lambda: tmp_path_factory.mktemp("installation"), partial(new_database, request.param)
    )
    yield shared
    await shared.close()


@pytest_asyncio.fixture(loop_scope="module")
async def it(shared: SharedInstallation) -> Installation:
    """The installation."""
    return await shared.enter()
