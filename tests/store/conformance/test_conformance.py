"""Every store gives what the store in memory gives, in whole runs of the simulation."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import pytest

from tests.simulation.play import play
from tests.store.conformance.differential import DifferentialStores, StoreUnderTest
from tests.store.conformance.postgres import open_postgres_under_test
from tests.store.conformance.sqlite import open_sqlite_under_test

Open = Callable[[Path], AbstractContextManager[StoreUnderTest]]
STORES: Final[dict[str, Open]] = {
    "sqlite": open_sqlite_under_test,
    "postgres": open_postgres_under_test,
}
SEEDS: Final = range(2_000, 2_004)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("open_store", STORES.values(), ids=STORES)
def test_a_run_on_the_store_is_a_run_in_memory(open_store: Open, seed: int, tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        assert play(seed, open_store=DifferentialStores(store)).failure is None
