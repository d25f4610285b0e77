"""Faults during launches lose no task, start no sandbox twice, and leave none behind."""

from pathlib import Path

import pytest

from tests.launches.chaos import Size, run_chaos


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("providers", "tasks"), [("daytona-api", 20), ("daytona-api,daytona-cli", 12)]
)
async def test_launches_survive_faults_and_kills(
    tmp_path: Path, providers: str, tasks: int
) -> None:
    size = Size(tasks=tasks, launchers=3, capacity=5, kill_seconds=1.5, providers=providers)
    outcome = await run_chaos(tmp_path, size)
    assert sum(outcome.statuses.values()) == size.tasks
    assert outcome.statuses.keys() <= {"completed", "failed"}
    assert outcome.statuses["completed"] >= size.tasks * 0.8
    assert (outcome.doubles, outcome.orphans, outcome.problems) == (0, [], ())
    assert outcome.kills > 0
