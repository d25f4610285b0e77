"""kill -9 at random under load: 0 lost, 0 duplicates, 0 left-overs."""

import random
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.installation import installation
from tests.e2e.settled import settle
from tests.e2e.storm import Storm

SECONDS = 8.0
LAUNCHERS = 2
CAPACITY = 3


@pytest.mark.timeout(0)  # it takes as long as it is asked to, and bounds itself
async def test_nothing_is_lost_doubled_or_left_over_whatever_dies(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    seed = int(pytestconfig.getoption("--kill-seed", None) or random.getrandbits(32))
    seconds = float(pytestconfig.getoption("--kill-seconds", None) or SECONDS)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it with a failure
    async with installation(
        tmp_path, launchers=LAUNCHERS, capacity=CAPACITY, from_entrypoint=True
    ) as it:
        storm = Storm(it, seed=seed, log=print)
        await storm.rage(seconds)
        await settle(it, *(order.task for order in storm.orders))
        assert storm.unlike_a_task() == []
        assert len(it.checks.tasks()) == len(storm.orders)
    outcomes = Counter(order.shown["status"] for order in storm.orders)
    print(f"killed {_listed(storm.kills)}")  # noqa: T201 - as above
    print(f"tasks {_listed(outcomes)}: none lost, doubled or left over")  # noqa: T201 - as above


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
