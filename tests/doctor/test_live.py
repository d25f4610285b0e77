"""One sandbox per provider: its result is shown, and it is deleted."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from launcher.doctor.live import LiveCheck
from launcher.doctor.report import Check
from launcher.doctor.trial import INSTANCE, TrialRunner
from launcher.settings import inspect_settings
from launcher.snapshots.scripts import compute_digest
from tests.daytona.api import Api
from tests.daytona.faults import Fault
from tests.daytona.machine import Machine
from tests.daytona.organisation import ORGANISATION, Habits
from tests.doctor.installation import SNAPSHOT, Installation
from tests.launcher.agents import WAITS
from tests.launcher.clock import Time

CHAIN = "daytona-api,daytona-cli"


class LiveRun:
    """A run of the trials on a simulated clock."""

    def __init__(self, installation: Installation, api: Api, providers: str) -> None:
        self.time = Time()
        self.messages: list[str] = []
        self.checks: list[Check] = []
        organisation_time = self.time
        api.organisation.clock = lambda: 1_790_000_000.0 + organisation_time.now
        settings, problems = inspect_settings(
            {**installation.environ, "SLIPGATE_PROVIDERS": providers}
        )
        assert not problems
        self.live = LiveCheck(
            settings=settings,
            environ=installation.environ,
            snapshot=SNAPSHOT,
            runner=TrialRunner(
                log=self.messages.append, clock=self.time.clock, sleep=self.time.sleep
            ),
        )

    async def run(self) -> Sequence[Check]:
        async for check in self.live.run():
            self.checks.append(check)
        return self.checks

    def outcome(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for check in self.checks:
            found.setdefault(check.name, []).append(check.outcome)
        return found


async def test_every_provider_makes_compares_and_deletes_one_sandbox(
    installation: Installation, api: Api
) -> None:
    api.organisation.habits = Habits(start_seconds=4)
    live_run = LiveRun(installation, api, CHAIN)
    await live_run.run()
    assert live_run.outcome() == {"live daytona-api": ["ok"] * 4, "live daytona-cli": ["ok"] * 4}
    by_api, by_cli = live_run.live.trials
    for trial in (by_api, by_cli):
        assert (trial.asked, trial.got, trial.is_deleted) == (SNAPSHOT, SNAPSHOT, True)
        assert trial.scripts == await compute_digest()
        assert (trial.started_seconds or 0) >= 4
    assert api.organisation.living() == []
    assert all(not made.env for made in api.organisation.sandboxes.values())
    assert all(made.settings["ttlMinutes"] == 15 for made in api.organisation.sandboxes.values())
    assert "nothing to report" in live_run.live.support_report


async def test_an_ignored_snapshot_makes_a_report_for_daytonas_support(
    installation: Installation, api: Api
) -> None:
    api.organisation.habits = Habits(ignores_snapshot=True)
    live_run = LiveRun(installation, api, "daytona-api")
    await live_run.run()
    (trial,) = live_run.live.trials
    report = live_run.live.support_report
    assert "failed" in live_run.outcome()["live daytona-api"]
    for needed in ("ignored `snapshot`", SNAPSHOT, "daytonaio/sandbox:0.4.3", trial.sandbox_id):
        assert str(needed) in report
    assert f"organisation {trial_realm(api)}" in report
    assert "HTTP 200" in report
    assert "API v0.214.3" in report
    assert installation.environ["DAYTONA_API_KEY"] not in report
    assert api.organisation.living() == []


def trial_realm(api: Api) -> str:
    """The realm as every launcher names it."""
    return f"{api.url.removeprefix('http://').removesuffix('/api')}/{ORGANISATION}"


async def test_a_refusal_costs_nothing_and_is_reported(
    installation: Installation, api: Api
) -> None:
    api.organisation.snapshots[SNAPSHOT].state = "inactive"
    live_run = LiveRun(installation, api, "daytona-api")
    await live_run.run()
    assert live_run.outcome() == {"live daytona-api": ["failed", "ok"]}
    assert "is inactive" in live_run.live.support_report
    assert api.organisation.sandboxes == {}


async def test_a_sandbox_that_does_not_start_is_reported_and_deleted(
    installation: Installation, api: Api
) -> None:
    api.organisation.habits = Habits(fails_to_start="no runner", start_seconds=2)
    live_run = LiveRun(installation, api, "daytona-api")
    await live_run.run()
    assert "no runner" in live_run.live.support_report
    assert api.organisation.living() == []


async def test_an_entrypoint_without_output_is_reported(
    installation: Installation, api: Api, tmp_path: Path
) -> None:
    api.machine = Machine(tmp_path, program=WAITS)
    live_run = LiveRun(installation, api, "daytona-api")
    await live_run.run()
    assert live_run.live.trials[0].entrypoint_ran is False
    assert live_run.outcome()["live daytona-api"] == ["ok", "ok", "failed", "ok"]
    await api.machine.close()


@pytest.mark.parametrize("providers", ["daytona-api", "daytona-cli"])
async def test_an_interrupted_trial_deletes_its_sandbox_first(
    installation: Installation, api: Api, providers: str
) -> None:
    api.organisation.habits = Habits(start_seconds=10_000)
    live_run = LiveRun(installation, api, providers)
    running = asyncio.ensure_future(live_run.run())
    async with asyncio.timeout(60):
        while not api.organisation.living():  # noqa: ASYNC110 - the stand-in knows no events
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert api.organisation.living() == []


async def test_an_interrupted_create_is_looked_up_until_it_may_have_landed(
    installation: Installation, api: Api
) -> None:
    api.faults.plan("POST /sandbox", Fault(kind="late", seconds=0.3))
    live_run = LiveRun(installation, api, "daytona-api")
    live_run.live.runner = TrialRunner(log=live_run.messages.append)
    running = asyncio.ensure_future(live_run.run())
    async with asyncio.timeout(60):
        while "POST /sandbox" not in api.faults.calls:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(api.organisation.sandboxes) == 1
    assert api.organisation.living() == []


async def test_what_a_doctor_that_was_killed_has_left_is_deleted_by_the_next(
    installation: Installation, api: Api
) -> None:
    labels = {"slipgate-instance": INSTANCE}
    for name in ("old", "foreign"):
        wanted = {"name": name, "snapshot": SNAPSHOT}
        api.organisation.create(wanted | ({"labels": labels} if name == "old" else {}))
    live_run = LiveRun(installation, api, "daytona-api")
    await live_run.run()
    assert [each.name for each in api.organisation.living()] == ["foreign"]
    assert any("old" in aside for aside in live_run.messages)


async def test_a_provider_that_cannot_be_opened_does_not_stop_the_others(
    installation: Installation, api: Api
) -> None:
    installation.environ["PATH"] = "/nowhere"
    live_run = LiveRun(installation, api, "daytona-cli,daytona-api")
    await live_run.run()
    assert live_run.outcome()["live daytona-cli"] == ["failed"]
    assert live_run.outcome()["live daytona-api"] == ["ok"] * 4


async def test_sandboxes_that_a_workflow_makes_are_not_tried(
    installation: Installation, api: Api
) -> None:
    actions = {"SLIPGATE_REALM": "ours", "SLIPGATE_GITHUB_ACTIONS_REPO": "acme/slipgate"}
    installation.environ.update(actions)
    live_run = LiveRun(installation, api, "github-actions")
    await live_run.run()
    assert live_run.outcome() == {"live github-actions": ["warning"]}
    assert api.organisation.sandboxes == {}
