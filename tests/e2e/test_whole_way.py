"""One task from POST to pull request, by real processes that leave nothing behind."""

from pathlib import Path

import pytest

from tests.e2e.house import house

pytestmark = pytest.mark.timeout(90)


async def test_a_task_ends_with_a_pull_request_a_callback_and_nothing_left(tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        task = await it.frontend.create(it.sample.url)
        shown = await task.until_over()
        await it.settle(task)
        (pull,) = it.pulls(shown["branchName"])
        assert shown["status"] == "completed"
        assert shown["prUrl"] == pull.html_url
        assert shown["commitSha"] == it.pushed(shown["branchName"])
        assert it.duplicates == 0
        assert len(it.seen_agents) == 1
