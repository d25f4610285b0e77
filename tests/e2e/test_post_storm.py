"""kill -9 of a gateway that delivers to a receiver of many moods: 0 lost, 0 out of order."""

import random
from pathlib import Path

import pytest

from tests.e2e.post_storm import post_storm

SECONDS = 5.0


@pytest.mark.timeout(0)  # it takes as long as it is asked to, and bounds itself
async def test_every_webhook_arrives_in_order_or_is_dead_with_its_reason(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    seed = int(pytestconfig.getoption("--kill-seed", None) or random.getrandbits(32))
    seconds = float(pytestconfig.getoption("--kill-seconds", None) or SECONDS)
    print(f"seed {seed}")  # noqa: T201 - pytest shows it with a failure
    async with post_storm(tmp_path, seed=seed, log=print) as storm:
        await storm.rage(seconds)
        outcomes = storm.outcomes()
        did = storm.lines[1].receiver.did
        print(f"{storm.kills} kills, {storm.words} words, {dict(outcomes)}, {dict(did)}")  # noqa: T201 - as above
        assert storm.problems() == []
        assert [line.receiver.forged for line in storm.lines] == [0, 0]
        assert outcomes.keys() <= {"delivered", "superseded", "dead"}
