"""Sandboxes at Daytona: created, adopted, refused, found and removed, by API and by CLI."""

import asyncio
from typing import get_args

import pytest

from gateway.wire.launcher import Created, Done, JobSandbox, Trying
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job
from launcher.providers.protocol import Key, Provider, ProviderError
from tests.daytona.faults import Fault, Kind
from tests.daytona.organisation import Habits, Snapshot
from tests.launcher.conditions import until
from tests.launcher.daytona.world import LOG, REALM, World, job
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import INSTANCE, KEY, LABELS, NAME, a_spec

LONG = f"no space left on device, {'and so on, ' * 500}says runner r-17"


async def test_a_create_asks_for_our_snapshot_name_labels_and_no_auto_stop(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    world.api.organisation.habits = Habits(start_seconds=4)
    assert await run_job(context, job("create", env={"A": "1"}), LOG)
    (made,) = world.api.organisation.living()
    assert (made.name, made.snapshot, dict(made.labels)) == (NAME, "slipgate-agent-1", LABELS)
    assert made.settings["autoStopInterval"] == 0
    assert made.settings["ttlMinutes"] == 90
    trying, created, done = (report for _, verb, report in gateway.reports if verb != "renew")
    assert isinstance(trying, Trying)
    assert (trying.provider, trying.realm) == (context.providers[0].name, REALM)
    assert trying.name == NAME
    assert isinstance(created, Created)
    assert (created.sandbox.id, created.sandbox.state) == (made.id, "creating")
    assert done == gateway.done()
    sandbox = gateway.done().sandbox
    assert sandbox
    assert sandbox.state == "started"


@pytest.mark.parametrize("kind", sorted({*get_args(Kind)} - {"late", "slow", "status"}))
async def test_a_create_whose_answer_is_none_leaves_one_sandbox_that_is_ours(
    world: World, gateway: StubGateway, context: LauncherContext, kind: Kind
) -> None:
    world.api.faults.plan("POST /sandbox", Fault(kind=kind, seconds=0.5))
    assert await run_job(context, job("create"), LOG)
    assert world.alive == [NAME]
    assert gateway.verbs()[-2:] == ["created", "done"]


async def test_a_taken_name_is_adopted_if_its_labels_are_ours(
    world: World, gateway: StubGateway, context: LauncherContext, provider: Provider
) -> None:
    first = await provider.create(a_spec())
    assert await run_job(context, job("create"), LOG)
    assert world.alive == [NAME]
    created = next(report for _, verb, report in gateway.reports if verb == "created")
    assert isinstance(created, Created)
    assert created.sandbox.id == first.id


async def test_a_taken_name_with_other_labels_ends_the_job(
    world: World, gateway: StubGateway, context: LauncherContext, provider: Provider
) -> None:
    await provider.create(a_spec(labels=LABELS | {"slipgate-task": "task_other"}))
    assert not await run_job(context, job("create"), LOG)
    assert (gateway.failed().error.code, gateway.failed().error.retryable) == ("name_taken", False)
    assert world.alive == [NAME]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param((401, "Invalid credentials"), "provider_auth", id="key"),
        pytest.param((403, "Forbidden"), "provider_auth", id="scope"),
        pytest.param(
            (400, "Snapshot agent-1 not found. Did you …"), "snapshot_not_found", id="unknown"
        ),
        pytest.param((400, "Snapshot agent-1 is inactive"), "snapshot_inactive", id="rests"),
        pytest.param((400, "name must be shorter"), "provider_refused", id="anything else"),
    ],
)
async def test_a_permanent_error_ends_the_job_with_advice(
    world: World, gateway: StubGateway, context: LauncherContext, fault: tuple[int, str], code: str
) -> None:
    status, message = fault
    world.api.faults.plan("POST /sandbox", Fault(kind="status", status=status, message=message))
    assert not await run_job(context, job("create"), LOG)
    error = gateway.failed().error
    assert (error.code, error.retryable, gateway.count("trying")) == (code, False, 1)
    assert world.alive == []


TRANSIENT = [
    (400, "Total CPU limit exceeded. Maximum allowed: 10."),
    (429, "ThrottlerException: Too Many Requests"),
    (409, "Sandbox state change in progress"),
    (500, "An unexpected error occurred."),
    (400, "Snapshot slipgate-agent-1 is pulling"),
]


async def test_a_transient_error_is_retried_and_the_next_attempt_notes_it(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    faults = [Fault(kind="status", status=each, message=message) for each, message in TRANSIENT]
    world.api.faults.plan("POST /sandbox", *faults)
    assert await run_job(context, job("create"), LOG)
    first, *notes = [report.note for _, _, report in gateway.reports if isinstance(report, Trying)]
    assert first is None
    for note, (_, message) in zip(notes, TRANSIENT, strict=True):
        assert message[:20] in str(note)
    assert world.alive == [NAME]


async def test_a_launch_that_never_succeeds_is_given_back_after_the_launch_clock(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    world.time.pace = 30
    world.api.faults.otherwise = lambda call: (
        Fault(kind="status", status=503) if call == "POST /sandbox" else None
    )
    assert not await run_job(context, job("create"), LOG)
    assert gateway.failed().error.retryable
    assert world.time.now >= 300


async def test_a_sandbox_that_fails_to_start_is_deleted_and_tried_again(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    world.api.organisation.habits = Habits(fails_to_start=LONG, start_seconds=2)
    async with asyncio.TaskGroup() as group:
        working = group.create_task(run_job(context, job("create"), LOG))
        await until(lambda: gateway.count("trying") >= 2)
        world.api.organisation.habits = Habits()
    assert working.result()
    notes = [report.note or "" for _, _, report in gateway.reports if isinstance(report, Trying)]
    assert "no space left on device" in notes[1]
    assert notes[1].endswith("says runner r-17")
    assert world.alive == [NAME]


async def test_a_sandbox_of_another_snapshot_is_reported_and_destroyed(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    world.api.organisation.habits = Habits(ignores_snapshot=True, destroy_seconds=3)
    assert not await run_job(context, job("create"), LOG)
    created = next(report for _, verb, report in gateway.reports if verb == "created")
    assert isinstance(created, Created)
    assert created.sandbox.snapshot == "daytonaio/sandbox:0.4.3"
    error = gateway.failed().error
    assert (error.code, error.retryable) == ("wrong_snapshot", False)
    assert world.alive == []


@pytest.mark.parametrize("by", ["id", "name"])
async def test_a_snapshot_may_be_asked_for_by_its_id_or_its_name(
    world: World, gateway: StubGateway, context: LauncherContext, by: str
) -> None:
    snapshot = world.api.organisation.snapshots["slipgate-agent-1"]
    asked = snapshot.id if by == "id" else snapshot.name
    world.api.organisation.habits = Habits(start_seconds=4)
    assert await run_job(context, job("create", snapshot=asked), LOG)
    assert world.alive == [NAME]
    sandbox = JobSandbox(name=NAME, provider=context.providers[0].name, realm=REALM)
    assert await run_job(context, job("inspect", snapshot=asked, sandbox=sandbox), LOG)
    sandboxes = [
        report.sandbox for _, _, report in gateway.reports if isinstance(report, Created | Done)
    ]
    assert [each and each.snapshot for each in sandboxes] == [asked] * 3


async def test_what_it_was_made_from_need_not_be_known_to_destroy_it(
    world: World, context: LauncherContext
) -> None:
    snapshot = world.api.organisation.snapshots["slipgate-agent-1"]
    world.api.organisation.create({"name": NAME, "snapshot": snapshot.id, "labels": LABELS})
    world.api.faults.otherwise = lambda call: (
        Fault(kind="status", status=500) if "/snapshots" in call else None
    )
    assert await run_job(context, job("destroy", snapshot=snapshot.id), LOG)
    assert world.alive == []


async def test_the_id_of_another_snapshot_is_a_wrong_snapshot(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    other = world.api.organisation.add_snapshot(Snapshot(name="slipgate-agent-2"))
    world.api.organisation.habits = Habits(ignores_snapshot=True)
    assert not await run_job(context, job("create", snapshot=other.id), LOG)
    assert gateway.failed().error.code == "wrong_snapshot"
    assert world.alive == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("property ttlMinutes should not exist", id="unknown field"),
        pytest.param("TTL limit exceeded. Maximum allowed: {max}", id="like a quota"),
        pytest.param("Requested lifespan is over the organization's {max} minutes", id="lifespan"),
        pytest.param("The sandbox's time to live ({ttl}) is too long", id="time to live"),
    ],
)
async def test_a_lifespan_that_is_refused_is_not_asked_for_again(
    world: World, gateway: StubGateway, context: LauncherContext, text: str
) -> None:
    world.api.organisation.habits = Habits(max_lifespan_minutes=60, lifespan_text=text)
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    assert "ttlMinutes" not in made.settings
    assert made.settings["autoStopInterval"] == 0
    assert (world.api.faults.calls.count("POST /sandbox"), gateway.count("trying")) == (2, 1)


async def test_a_suspended_organisation_has_a_code_of_its_own(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    world.api.organisation.habits = Habits(suspended="Payment method required")
    assert not await run_job(context, job("create"), LOG)
    error = gateway.failed().error
    assert (error.code, error.retryable) == ("provider_suspended", False)
    assert "Organization is suspended: Payment method required" in error.message
    assert "scope" not in error.message


@pytest.mark.parametrize(
    ("message", "about_scopes"),
    [
        pytest.param("Forbidden resource", True, id="scope"),
        pytest.param("Insufficient permissions", True, id="permissions"),
        pytest.param("Region eu is not available to the organization", False, id="region"),
    ],
)
async def test_only_a_403_about_the_key_advises_on_scopes(
    world: World, gateway: StubGateway, context: LauncherContext, message: str, about_scopes: bool
) -> None:
    world.api.faults.plan("POST /sandbox", Fault(kind="status", status=403, message=message))
    assert not await run_job(context, job("create"), LOG)
    error = gateway.failed().error
    assert (error.code, error.retryable) == ("provider_auth", False)
    assert message in error.message
    assert ("write:sandboxes" in error.message) is about_scopes


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        pytest.param("inactive", ("snapshot_inactive", "--activate"), id="rests"),
        pytest.param("build_failed", ("snapshot_broken", "snapshot build"), id="build failed"),
        pytest.param("error", ("snapshot_broken", "snapshot build"), id="broken"),
        pytest.param("removing", ("snapshot_not_found", "another one"), id="on its way out"),
    ],
)
async def test_an_unusable_snapshot_is_reported_by_its_state(
    world: World,
    gateway: StubGateway,
    context: LauncherContext,
    state: str,
    expected: tuple[str, str],
) -> None:
    code, text = expected
    world.api.organisation.snapshots["slipgate-agent-1"].state = state
    assert not await run_job(context, job("create"), LOG)
    error = gateway.failed().error
    assert (error.code, error.retryable) == (code, False)
    assert text in error.message
    assert ("ctivate" in error.message) is (state == "inactive")


@pytest.mark.parametrize(
    ("is_spot", "text"),
    [
        pytest.param(True, "a spot sandbox", id="evicted"),
        pytest.param(False, "no room for it in time", id="queue"),
    ],
)
async def test_what_is_destroyed_and_still_answered_is_gone_for_the_reason_it_tells(
    world: World, gateway: StubGateway, context: LauncherContext, is_spot: bool, text: str
) -> None:
    world.api.organisation.habits = Habits(shows_destroyed_seconds=86_400)
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    world.api.organisation.evict(made.id, is_spot=is_spot)
    name = context.providers[0].name
    sandbox = JobSandbox(name=NAME, id=made.id, provider=name, realm=REALM)
    assert await run_job(context, job("inspect", sandbox=sandbox), LOG)
    done = gateway.done()
    assert done.sandbox
    assert (done.sandbox.id, done.sandbox.state) == (made.id, "destroyed")
    assert text in (done.diagnosis or "")
    assert await run_job(context, job("destroy", sandbox=sandbox), LOG)
    assert gateway.done().sandbox == done.sandbox


async def test_a_removal_ends_when_what_is_destroyed_is_still_answered(
    world: World, provider: Provider
) -> None:
    world.api.organisation.habits = Habits(destroy_seconds=5, shows_destroyed_seconds=86_400)
    made = await provider.create(a_spec())
    await provider.remove(made.key)
    assert 5 <= world.time.now < 30
    again = await provider.create(a_spec())
    assert (again.id != made.id, world.alive) == (True, [NAME])


async def test_a_sandbox_that_daytona_gave_up_while_it_started_is_tried_again(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    world.api.organisation.habits = Habits(start_seconds=600, shows_destroyed_seconds=86_400)
    async with asyncio.TaskGroup() as group:
        working = group.create_task(run_job(context, job("create"), LOG))
        await until(lambda: gateway.count("created") == 1)
        world.api.organisation.habits = Habits(shows_destroyed_seconds=86_400)
        for made in world.api.organisation.living():
            world.api.organisation.evict(made.id, is_spot=False)
    assert working.result()
    notes = [report.note for _, _, report in gateway.reports if isinstance(report, Trying)]
    assert "no room for it in time" in (notes[1] or "")
    assert world.alive == [NAME]


async def test_an_unknown_state_is_transient(world: World, provider: Provider) -> None:
    await provider.create(a_spec())
    (made,) = world.api.organisation.living()
    made.move(world.api.organisation.clock(), (0.0, "teleporting"))
    made.settings = {**made.settings, "autoTeleport": {"to": ["eu"]}}
    found = await provider.find(KEY)
    assert found
    assert found.state == "creating"


@pytest.mark.parametrize(
    "status", [pytest.param(502, id="the daemon"), pytest.param(400, id="the proxy before it")]
)
async def test_a_destroy_does_not_depend_on_the_spool(
    world: World, gateway: StubGateway, context: LauncherContext, status: int
) -> None:
    assert await run_job(context, job("create"), LOG)
    call = "POST /{id}/process/execute"
    world.api.faults.otherwise = lambda asked: (
        Fault(kind="status", status=status, message="failed to get runner info")
        if asked == call
        else None
    )
    assert await run_job(context, job("destroy"), LOG)
    sandbox = gateway.done().sandbox
    assert sandbox
    assert (sandbox.state, world.alive) == ("destroyed", [])
    assert world.api.faults.calls.count(call) == 5, "four stops, and a look at what is there"
    assert "spool could not be read" in (gateway.done().diagnosis or "")


async def test_a_command_whose_success_has_no_exit_code_has_succeeded(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    world.api.omits_exit_code = True
    assert await run_job(context, job("create"), LOG)
    assert await run_job(context, job("inspect"), LOG)
    assert gateway.done().process is not None


async def test_a_sandbox_is_gone_only_when_its_id_is(world: World, provider: Provider) -> None:
    world.api.organisation.habits = Habits(destroy_seconds=5)
    made = await provider.create(a_spec())
    world.api.organisation.destroy(made.id)
    assert await provider.find(KEY) is None
    found = await provider.find(Key(instance=INSTANCE, name=NAME, id=made.id))
    assert found
    assert found.state == "unknown"
    world.time.now += 5
    assert await provider.find(Key(instance=INSTANCE, name=NAME, id=made.id)) is None


async def test_removing_waits_until_nothing_is_found(world: World, provider: Provider) -> None:
    world.api.organisation.habits = Habits(destroy_seconds=20)
    made = await provider.create(a_spec())
    world.time.pace = 4
    await provider.remove(made.key)
    assert world.time.now >= 20
    await provider.remove(made.key)


async def test_a_removal_that_is_not_confirmed_is_an_error(
    world: World, provider: Provider
) -> None:
    world.api.organisation.habits = Habits(destroy_seconds=600)
    made = await provider.create(a_spec())
    world.time.pace = 30
    with pytest.raises(ProviderError, match="still destroying"):
        await provider.remove(made.key)


async def test_a_list_reads_every_page(world: World, provider: Provider) -> None:
    for number in range(230):
        labels = LABELS | {"slipgate-attempt": str(number)}
        world.api.organisation.create(
            {"name": f"n{number}", "snapshot": "slipgate-agent-1", "labels": labels}
        )
    world.api.organisation.create({"name": "foreign", "snapshot": "slipgate-agent-1"})
    found = await provider.list_sandboxes(INSTANCE)
    assert len({each.id for each in found}) == 230


async def test_a_long_error_keeps_both_ends(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    world.api.faults.plan("POST /sandbox", Fault(kind="status", status=400, message=LONG))
    assert not await run_job(context, job("create"), LOG)
    message = gateway.failed().error.message
    assert "no space left on device" in message
    assert message.endswith("says runner r-17")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param("Total CPU limit exceeded.", "provider_quota", id="quota"),
        pytest.param("Snapshot x is inactive", "snapshot_inactive", id="snapshot"),
    ],
)
async def test_text_in_the_middle_of_a_long_error_counts(
    world: World, gateway: StubGateway, context: LauncherContext, text: str, code: str
) -> None:
    around = "and so on, " * 300
    fault = Fault(kind="status", status=400, message=f"{around}{text} {around}")
    world.api.faults.plan("POST /sandbox", *[fault] * 40)
    world.time.pace = 30
    await run_job(context, job("create"), LOG)
    notes = [report.note or "" for _, _, report in gateway.reports if isinstance(report, Trying)]
    assert gateway.failed().error.code == code, notes
