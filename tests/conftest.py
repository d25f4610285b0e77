"""Settings of every test: a slow machine is no failure of the code."""

import gc
import inspect
import os
import re
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import Final

import execnet
import pytest
from hypothesis import HealthCheck, settings

from tests.forks.programs import ADDRESS, APART, server, worker
from tests.stores import STORES, NewDatabase, new_database

settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

# The programs under test are started hundreds of times: each is compiled once, whatever the
# surroundings say, and `python3` is the one that we run on, no version manager's script before it.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A shell that starts the tests in the background has these ignored, and every program with them.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # `nohup`
# Certificates of these surroundings would be loaded by each client of each test: 50 ms.
for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
    os.environ.pop(name, None)
OWN_PYTHON = str(Path(sys.base_prefix) / "bin")
if OWN_PYTHON not in os.environ["PATH"].split(os.pathsep):
    os.environ["PATH"] = os.pathsep.join([OWN_PYTHON, os.environ["PATH"]])

MEMORY: Final = Path("/dev/shm")
IN_MEMORY: Final = frozenset(
    {"app", "cli", "clients", "loops", "repositories", "snapshot", "store", "web"}
)
"""Folders of tests that wait for nothing as much as for a disk."""
ON_DISK: Final = frozenset(
    {"test_landlock", "test_misbehaving_agents", "test_outcomes", "test_setup"}
)
"""Files of tests that need a real one: a confined command may write to shared memory."""
LONG: Final = frozenset(
    {
        *("benchmarks", "browser", "e2e", "gateways", "github_actions", "launches"),
        *("repositories", "simulation"),
        *("test_kept_work", "test_misbehaving_agents", "test_outcomes"),
    }
)
"""Folders and files of tests that take seconds each."""
CLIENTS: Final = frozenset({"answer", "engine", "misbehaving_models", "prices", "protocols"})
"""Of the snapshot: tests of the providers' own clients, whose import takes four seconds."""
ALIKE: Final = frozenset(
    {
        *("test_access", "test_bulk_pages", "test_client_file", "test_docs_pages", "test_http"),
        *("test_ijson", "test_masking", "test_openapi", "test_redaction", "test_session"),
        *("test_stream_tokens", "test_traces", "test_views", "test_warnings"),
    }
)
"""Files of tests of what is decided before the store is asked, or after it has answered: of
requests that are refused, of text that is left out, of cookies, spans and pages, whose rows are
those of the API. A test that opens every page runs on each store."""
BROWSER: Final = "browser"
COMPANIONS: Final = 4
WORKERS_PER_CORE = 5
"""Tests of real programs wait for them most of the time."""


def pytest_configure() -> None:
    """The same fork servers for all that run side by side: they inherit the addresses."""
    for variable in (ADDRESS, *APART.values()):
        server(variable)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection() -> Generator[None, object, object]:
    """Imports and collected tests stay: no collection of garbage looks at them, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long ones first in the share of each worker, so that none is left alone with one; a few
    of those that share an installation, and the rest by file, so that what the tests of a file
    share is made once."""
    workers: int = getattr(config, "workerinput", {}).get("workercount", 1)
    kinds: dict[str, list[pytest.Item]] = {"long": [], "client": [], "": []}
    for item in items:
        kinds[_kind(item)].append(item)
    shares: list[list[pytest.Item]] = [[] for _ in range(workers)]
    for number, companions in enumerate(_companions(kinds["long"])):
        shares[number % workers] += companions
    shares[0] += kinds["client"]
    rest, left = iter(kinds[""]), len(items)
    for number, share in enumerate(shares):
        size = left // (workers - number)  # as xdist divides what is left among the others
        share.extend(islice(rest, max(0, size - len(share))))
        left -= size
    items[:] = [*chain.from_iterable(shares), *rest]


def _companions(items: Sequence[pytest.Item]) -> Iterator[list[pytest.Item]]:
    """Tests that share an installation, a few each time: to make one takes as long as a test. Those
    of the browser are together: it takes as long as several, and all of them half a minute."""
    found: defaultdict[object, list[pytest.Item]] = defaultdict(list)
    for item in items:
        found[_installation(item)].append(item)
    for shared, group in found.items():
        most = len(group) if shared == BROWSER else COMPANIONS
        for start in range(0, len(group), most):
            yield group[start : start + most]


def _installation(item: pytest.Item) -> object:
    """Equal for all tests of one; a test that shares none is by itself."""
    if isinstance(item, pytest.Function) and "shared" in item.fixturenames:
        return item.path, item.callspec.params["shared"]
    return BROWSER if item.path.parent.name == BROWSER else item


def _kind(item: pytest.Item) -> str:
    if not LONG.isdisjoint((item.path.parent.name, item.path.stem)):
        return "long"
    return "client" if item.path.stem.removeprefix("test_") in CLIENTS else ""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The number of workers with `-n auto`."""
    return WORKERS_PER_CORE * (os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: Sequence[execnet.XSpec]) -> None:
    """Workers are forks of a process that has imported what they will."""
    python = worker(config.args)
    for spec in specs:
        spec.python = python


@pytest.fixture
def tmp_path(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A folder of the test's own: in memory where that is enough and there is one. It is removed
    at once: left to pytest, a later run removes them all at its end, on one core."""
    is_in_memory = request.path.parent.name in IN_MEMORY and request.path.stem not in ON_DISK
    if is_in_memory and MEMORY.is_dir():
        with tempfile.TemporaryDirectory(prefix="slipgate-", dir=MEMORY) as made:
            yield Path(made)
    else:
        folder = tmp_path_factory.mktemp(re.sub(r"\W", "_", request.node.name)[:30])
        yield folder
        shutil.rmtree(folder, ignore_errors=True)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a database runs on each store, unless it is alike on all of them: the
    files above, requests that are refused before anything is read, and what rules decide of rows
    that at least three other tests read and write on each store, by the same statements. Without
    the fixture are tests that make a file of their own: the doctor, the operator's files, a damaged
    file."""
    if "database" in metafunc.fixturenames and not _has_its_own(metafunc.module):
        is_alike = Path(metafunc.module.__file__).stem in ALIKE
        is_marked = metafunc.definition.get_closest_marker("alike") is not None
        stores = STORES[:1] if is_alike or is_marked else STORES
        metafunc.parametrize("database", stores, indirect=True)


def _has_its_own(module: ModuleType) -> bool:
    """True if the `database` of its tests is not made of the fixture below."""
    own = getattr(module, "database", None)
    return own is not None and "database" not in inspect.signature(own).parameters


@pytest.fixture
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewDatabase]:
    """An empty database of the store that the test runs on."""
    with new_database(request.param, tmp_path) as database:
        yield database
