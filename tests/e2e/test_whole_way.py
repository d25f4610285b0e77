"""One task from POST to pull request, by real processes that leave nothing behind."""

from pathlib import Path

import pytest

from gateway.demo.git import git
from gateway.demo.sample import SLUG
from gateway.demo.script import ADD_FILE, SUBMIT
from tests.e2e.installation import installation
from tests.e2e.settled import settle
from tests.stores import NewDatabase

pytestmark = pytest.mark.timeout(600)
WORK = (ADD_FILE[1], SUBMIT)
"""A change each time, in two turns: `tests.e2e.test_demo` has the whole conversation."""


async def test_a_task_ends_with_a_pull_request_a_callback_and_nothing_left_and_goes_on(
    tmp_path: Path, database: NewDatabase
) -> None:
    async with installation(tmp_path, database=database, choose=lambda _: WORK) as it:
        task = await it.frontend.create(validate=[["true"]])
        shown = await task.until_over()
        await settle(it, task)
        (pull,) = it.world.pulls(shown["branchName"])
        assert shown["status"] == "completed"
        assert shown["prUrl"] == pull.html_url
        assert shown["commitSha"] == it.world.pushed(shown["branchName"])
        assert len(it.seen_agents) == 1
        read = await it.frontend.call("GET", f"/v1/tasks/{shown['id']}/receipts")
        receipts = read.json()
        assert receipts["verified"] is True
        assert [one["status"] for one in receipts["data"]] == ["passed"]
        first = shown["commitSha"]
        task = await it.frontend.create(
            repoUrl=None, continueOf=shown["id"], prompt="Add a note.", validate=[["true"]]
        )
        again = await task.until_over()
        await settle(it, task)
        assert (again["status"], again["branchName"]) == ("completed", shown["branchName"])
        assert again["prUrl"] == pull.html_url
        assert it.world.pulls(shown["branchName"]) == [it.world.github.pulls(SLUG)[-1]]
        assert again["commitSha"] == it.world.pushed(shown["branchName"]) != first
        git("merge-base", "--is-ancestor", first, again["commitSha"], folder=it.world.sample.bare)
