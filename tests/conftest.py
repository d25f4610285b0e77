"""Settings of every test: a slow machine is no failure of the code."""

import gc
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from tests.forks.programs import server

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

# The programs under test are started hundreds of times: each is compiled once, whatever the
# surroundings say, and `python3` is the one that we run on, no version manager's script before it.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A shell that starts the tests in the background has these ignored, and every program with them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
OWN_PYTHON = str(Path(sys.base_prefix) / "bin")
if OWN_PYTHON not in os.environ["PATH"].split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([OWN_PYTHON, os.environ["PATH"]])

MEMORY: Final = Path("/dev/shm")
IN_MEMORY: Final = frozenset({"app", "cli", "loops", "store", "web"})
"""Folders of tests that wait for nothing as much as for a disk. Where commands are confined, files
lie on a real one: a confined command may write to shared memory."""
LONG: Final = frozenset({"benchmarks", "e2e", "github_actions", "launches", "simulation"})
"""Folders of tests that take seconds each."""
WORKERS_PER_CORE = 3
"""Tests of real programs wait for them most of the time."""


def pytest_configure() -> None:
    """One fork server for all that run side by side: they inherit its address."""
    server()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long ones first in the share of each worker, so that none is left alone with one."""
    workers: int = getattr(config, "workerinput", {}).get("workercount", 1)
    longs = [item for item in items if item.path.parent.name in LONG]
    rest = [item for item in items if item.path.parent.name not in LONG]
    shares = [longs[number::workers] + rest[number::workers] for number in range(workers)]
    items[:] = [item for share in shares for item in share]


def pytest_collection_finish() -> None:
    """Imports and collected tests stay: no collection of garbage looks at them again."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The number of workers with `-n auto`."""
    return WORKERS_PER_CORE * (os.cpu_count() or 1)


@pytest.fixture
def tmp_path(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A folder of the test's own: in memory where that is enough and there is one."""
    if request.path.parent.name in IN_MEMORY and MEMORY.is_dir():
        with tempfile.TemporaryDirectory(prefix="slipgate-", dir=MEMORY) as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp(re.sub(r"\W", "_", request.node.name)[:30])
