"""kill -9 of gateways, launchers and PostgreSQL: 0 lost, 0 doubled, 0 out of order."""

import random
from pathlib import Path

import pytest

from tests.gateways.installation import installation
from tests.gateways.report import report
from tests.gateways.storm import Size
from tests.postgres.cluster import MISSING, programs

SECONDS = 4.0


@pytest.mark.skipif(programs() is None, reason=MISSING)
@pytest.mark.timeout(0)  # it bounds itself
async def test_nothing_is_lost_doubled_or_out_of_order_whatever_dies(tmp_path: Path) -> None:
    size = Size(seconds=SECONDS, seed=random.getrandbits(32))
    print(f"seed {size.seed}")
    async with installation(tmp_path, size, log=print) as storm:
        await storm.rage()
        print("\n".join(report(storm)))
        assert storm.problems() == []
