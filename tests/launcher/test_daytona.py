"""Both Daytona providers against the stand-ins: every way a call can go, and what is left."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
import pytest_asyncio
import structlog

from gateway.wire.launcher import Created, Done, Job, JobKind, JobSandbox, Process, Trying
from launcher.client import Client
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job
from launcher.providers.daytona.api import DaytonaApi
from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.providers.daytona.cli import DaytonaCli
from launcher.providers.daytona.cli_client import open_cli_client
from launcher.providers.daytona.sandboxes import Sandboxes
from launcher.providers.protocol import Key, Provider, ProviderError, Rescues
from launcher.settings import CreateOptions
from tests.daytona.api import Api, opened
from tests.daytona.cli import install
from tests.daytona.faults import Fault, Kind
from tests.daytona.machine import LOG as LOG_FILE
from tests.daytona.machine import Executed, Machine
from tests.daytona.organisation import ORGANISATION, Habits, Organisation, Snapshot
from tests.launcher.agents import program
from tests.launcher.clock import Time
from tests.launcher.conditions import until
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import INSTANCE, KEY, LABELS, NAME, a_job, a_spec

LOG: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
    structlog.testing.CapturingLogger(), processors=[]
)
REALM = f"app.daytona.io/{ORGANISATION}"


def job(kind: JobKind, **fields: Any) -> Job:
    """A job whose lease needs no renewal."""
    return a_job(kind, lease_seconds=36_000, **fields)


class World:
    """The cloud and the launcher on one simulated clock."""

    def __init__(self, api: Api, time: Time) -> None:
        self.api = api
        self.time = time

    @property
    def alive(self) -> list[str]:
        """Names of the sandboxes that are not being deleted."""
        return [each.name for each in self.api.organisation.living()]


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    time = Time()
    organisation = Organisation(lambda: 1_790_000_000 + time.now)
    organisation.add_snapshot(Snapshot(name="slipgate-agent-1"))
    async with opened(Api(organisation=organisation, machine=Machine(tmp_path))) as api:
        yield World(api, time)


@pytest_asyncio.fixture(params=["daytona-api", "daytona-cli"])
async def provider(
    request: pytest.FixtureRequest, world: World, tmp_path: Path
) -> AsyncIterator[Provider]:
    options = CreateOptions(ttl_minutes=90)
    if request.param == "daytona-cli":
        bin_ = tmp_path / "bin"
        bin_.mkdir()
        terminal = open_cli_client(
            tmp_path / "cli",
            path=str(install(bin_, "0.205.1")),
            url=world.api.url,
            api_key="dtn_key",
            environ={"PATH": os.defpath},
        )
        time = world.time
        yield DaytonaCli(terminal, realm=REALM, options=options, sleep=time.sleep, clock=time.clock)
        return
    async with open_daytona(world.api.url, "dtn_key") as http:
        yield DaytonaApi(
            DaytonaApiClient(http),
            realm=REALM,
            options=options,
            sleep=world.time.sleep,
            clock=world.time.clock,
        )


@pytest.fixture
def context(client: Client, world: World, provider: Provider) -> LauncherContext:
    return LauncherContext(
        client=client,
        providers=(provider,),
        forwarded_env={},
        clock=world.time.clock,
        sleep=world.time.sleep,
    )


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


@pytest.mark.parametrize(
    ("status", "message"),
    [
        pytest.param(400, "Total CPU limit exceeded. Maximum allowed: 10.", id="quota"),
        pytest.param(429, "ThrottlerException: Too Many Requests", id="rate"),
        pytest.param(409, "Sandbox state change in progress", id="busy"),
        pytest.param(500, "An unexpected error occurred.", id="server"),
        pytest.param(400, "Snapshot slipgate-agent-1 is pulling", id="snapshot on its way"),
    ],
)
async def test_a_transient_error_is_retried_and_the_next_attempt_notes_it(
    world: World, gateway: StubGateway, context: LauncherContext, status: int, message: str
) -> None:
    fault = Fault(kind="status", status=status, message=message)
    world.api.faults.plan("POST /sandbox", fault, fault)
    assert await run_job(context, job("create"), LOG)
    notes = [report.note for _, _, report in gateway.reports if isinstance(report, Trying)]
    assert notes[0] is None
    assert all(note is not None and message[:20] in note for note in notes[1:])
    assert len(notes) == 3
    assert world.alive == [NAME]


async def test_a_launch_that_never_succeeds_is_given_back_after_the_launch_clock(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    async def sleep(seconds: float) -> None:
        await world.time.sleep(seconds * 10)  # fewer rounds, the same clock

    world.api.faults.otherwise = lambda call: (
        Fault(kind="status", status=503) if call == "POST /sandbox" else None
    )
    assert not await run_job(replace(context, sleep=sleep), job("create"), LOG)
    assert gateway.failed().error.retryable
    assert world.time.now >= 300


async def test_a_sandbox_that_fails_to_start_is_deleted_and_tried_again(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    world.api.organisation.habits = Habits(fails_to_start="no runner", start_seconds=2)
    async with asyncio.TaskGroup() as group:
        working = group.create_task(run_job(context, job("create"), LOG))
        await until(lambda: gateway.count("trying") >= 2)
        world.api.organisation.habits = Habits()
    assert working.result()
    notes = [report.note for _, _, report in gateway.reports if isinstance(report, Trying)]
    assert "no runner" in (notes[1] or "")
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


async def test_a_destroy_does_not_depend_on_the_spool(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    assert await run_job(context, job("create"), LOG)
    call = "POST /{id}/process/execute"
    world.api.faults.otherwise = lambda asked: (
        Fault(kind="status", status=502) if asked == call else None
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
    await provider.remove(made.key)
    assert world.time.now >= 20
    await provider.remove(made.key)


async def test_a_removal_that_is_not_confirmed_is_an_error(
    world: World, provider: Provider
) -> None:
    world.api.organisation.habits = Habits(destroy_seconds=600)
    made = await provider.create(a_spec())
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


SPOOLS = program("""
import fcntl, json, os, pathlib, signal
state = pathlib.Path(os.environ['SLIPGATE_STATE_DIR'])
state.mkdir(exist_ok=True)
lock = open(state / 'lock', 'w')
fcntl.flock(lock, fcntl.LOCK_EX)
lock.write(str(os.getpid()))
lock.flush()
word = {'id': 'w1', 'timestamp': 1, 'signature': 'v1,x', 'body': 'AAAA'}
(state / 'draft').write_text(json.dumps(word) + chr(10))
(state / 'draft').rename(state / 'spool.jsonl')
signal.pause()
""")
"""Holds its lock and has written one webhook."""


ENDS = program("""
import os, pathlib
state = pathlib.Path(os.environ['SLIPGATE_STATE_DIR'])
state.mkdir(exist_ok=True)
(state / 'lock').touch()
print('out of memory')
raise SystemExit(9)
""")


async def _spooled(context: LauncherContext, gateway: StubGateway, offset: int = 0) -> list[str]:
    """Inspects until the agent is seen running."""
    async with asyncio.timeout(60):
        while True:
            sandbox = JobSandbox(name=NAME, provider=context.providers[0].name, realm=REALM)
            await run_job(context, job("inspect", sandbox=sandbox, spool_offset=offset), LOG)
            if gateway.done().spool:
                return [each.id for each in gateway.done().spool]
            await asyncio.sleep(0)


@pytest.mark.parametrize("has_shell", [False, True], ids=["words", "shell"])
async def test_inspect_brings_spool_and_process_and_destroy_ends_the_agent_first(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path, has_shell: bool
) -> None:
    world.api.machine = Machine(tmp_path, program=SPOOLS, has_shell=has_shell)
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    assert await _spooled(context, gateway) == ["w1"]
    done = gateway.done()
    assert done.process
    assert done.process.state == "running"
    assert done.spool_offset == (tmp_path / made.id / "state" / "spool.jsonl").stat().st_size
    offset = done.spool_offset or 0
    assert await run_job(context, job("destroy", spool_offset=offset), LOG)
    sandbox = gateway.done().sandbox
    assert sandbox
    assert sandbox.state == "destroyed"
    assert world.alive == []


async def test_an_ended_agent_is_reported_with_exit_code_and_last_lines(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    world.api.machine = Machine(tmp_path, program=ENDS)
    assert await run_job(context, job("create"), LOG)
    async with asyncio.timeout(60):
        while True:
            await run_job(context, job("inspect"), LOG)
            process = gateway.done().process
            if process and process.state == "exited":
                break
    assert process.exit_code == 9
    assert gateway.done().diagnosis == "it printed last: out of memory"


FAILS_AT_ONCE = program("raise SystemExit(2)")
"""An agent that has not yet taken its lock: git is missing."""


@pytest.mark.parametrize("has_shell", [False, True], ids=["words", "shell"])
async def test_an_agent_that_never_began_has_ended_all_the_same(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path, has_shell: bool
) -> None:
    world.api.machine = Machine(tmp_path, program=FAILS_AT_ONCE, has_shell=has_shell)
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    await until(lambda: world.api.machine.exit_code(made.id) is not None)
    assert await run_job(context, job("inspect"), LOG)
    assert gateway.done().process == Process(state="exited", exit_code=2)


async def test_the_end_of_an_earlier_start_is_not_that_of_this_one(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    world.api.machine = Machine(tmp_path, program=SPOOLS)
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    assert await _spooled(context, gateway) == ["w1"]
    log = tmp_path / made.id / LOG_FILE
    for file, moment in ((log.with_name("exit_code"), 1_000), (log, 2_000)):
        file.touch()
        os.utime(file, (moment, moment))
    (log.with_name("exit_code")).write_text("1")
    os.utime(log.with_name("exit_code"), (1_000, 1_000))
    (tmp_path / made.id / "state" / "lock").rename(tmp_path / "lock")
    assert await run_job(context, job("inspect"), LOG)
    assert gateway.done().process == Process(state="unknown")


COUNTS_ITS_STARTS = program("""
import pathlib
count = pathlib.Path('starts')
count.write_text(count.read_text() + '.' if count.exists() else '.')
raise SystemExit(len(count.read_text()))
""")


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_a_sandbox_that_starts_again_tells_the_exit_code_of_its_last_start(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path, how: str
) -> None:
    machine = world.api.machine = Machine(tmp_path, program=COUNTS_ITS_STARTS, has_shell=True)
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    for number in (1, 2, 3):
        await until(lambda: machine.exit_code(made.id) is not None)
        assert await run_job(context, job("inspect"), LOG)
        assert gateway.done().process == Process(state="exited", exit_code=number)
        await (machine.end if how == "killed" else machine.stop)(made.id)
        await machine.start(made.id, made.env)


BEGINS_AGAIN = program("""
import pathlib, signal
lock = pathlib.Path('state/lock')
if lock.exists():
    lock.with_name('again').touch()
    signal.pause()
lock.parent.mkdir()
lock.touch()
""")
"""A second start that has not yet taken the lock of the first one."""


async def test_an_agent_that_has_only_begun_again_is_not_taken_for_ended(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    machine = world.api.machine = Machine(tmp_path, program=BEGINS_AGAIN, has_shell=True)
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    await until(lambda: machine.exit_code(made.id) is not None)
    await machine.end(made.id)
    home = tmp_path / made.id
    for file in (home / LOG_FILE.with_name("exit_code"), home / "state" / "lock"):
        os.utime(file, (1_000, 1_000))  # a file system may count in whole seconds
    await machine.start(made.id, made.env)
    await until((tmp_path / made.id / "state" / "again").exists)
    assert await run_job(context, job("inspect"), LOG)
    assert gateway.done().process == Process(state="unknown")


LEAVES_ITS_LOCK = program(
    "import pathlib; pathlib.Path('state').mkdir(); pathlib.Path('state/lock').touch()"
)


async def test_an_agent_whose_end_the_daemon_could_not_write_down_has_ended_all_the_same(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    world.api.machine = Machine(tmp_path, program=LEAVES_ITS_LOCK)
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    await until(lambda: world.api.machine.exit_code(made.id) is not None)
    world.api.machine = Machine(tmp_path)
    assert await run_job(context, job("inspect"), LOG)
    assert gateway.done().process == Process(state="exited")


class Fails(Machine):
    """Sandboxes in which every command fails."""

    async def execute(
        self, sandbox_id: str, env: Mapping[str, str], command: str, timeout: float
    ) -> Executed:
        return Executed(2, f"sh: 1: tail: not found, {'and so on, ' * 500}it is a bare image\n")


async def test_a_failed_command_is_reported_by_its_output(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    assert await run_job(context, job("create"), LOG)
    world.api.machine = Fails(tmp_path)
    assert not await run_job(context, job("inspect"), LOG)
    error = gateway.failed().error
    assert (error.code, error.retryable) == ("provider_unavailable", True)
    assert "a command in the sandbox ended with 2: sh: 1: tail: not found" in error.message
    assert error.message.endswith("it is a bare image")


class Hangs(Machine):
    """Sandboxes in which every command times out."""

    async def execute(
        self, sandbox_id: str, env: Mapping[str, str], command: str, timeout: float
    ) -> Executed:
        raise TimeoutError


async def test_a_command_that_was_ended_inside_may_do_better_next_time(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    assert await run_job(context, job("create"), LOG)
    world.api.machine = Hangs(tmp_path)
    assert not await run_job(context, job("inspect"), LOG)
    error = gateway.failed().error
    assert (error.code, error.retryable) == ("provider_unavailable", True)
    assert "command execution timeout" in error.message


LONG = f"no space left on device, {'and so on, ' * 500}says runner r-17"


async def test_a_long_error_keeps_both_ends(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    world.api.faults.plan("POST /sandbox", Fault(kind="status", status=400, message=LONG))
    assert not await run_job(context, job("create"), LOG)
    message = gateway.failed().error.message
    assert "no space left on device" in message
    assert message.endswith("says runner r-17")


async def test_a_long_reason_of_a_failed_start_keeps_both_ends(
    world: World, gateway: StubGateway, context: LauncherContext
) -> None:
    world.api.organisation.habits = Habits(start_seconds=4, fails_to_start=LONG)
    await run_job(context, job("create"), LOG)
    notes = [report.note for _, _, report in gateway.reports if isinstance(report, Trying)]
    assert "no space left on device" in (notes[1] or "")
    assert (notes[1] or "").endswith("says runner r-17")


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
    await run_job(context, job("create"), LOG)
    notes = [report.note or "" for _, _, report in gateway.reports if isinstance(report, Trying)]
    assert gateway.failed().error.code == code, notes


RESCUES = """
import json, os, pathlib, sys
assert sys.argv[1] == '--rescue', sys.argv
state = pathlib.Path(sys.argv[2])
for name in (state / 'found').read_text().split():
    print(json.dumps({'name': name, 'keys': 'SECRET' in os.environ, 'chunk': 'x' * 400_000}))
print('trouble', file=sys.stderr)
"""
"""A runner that finds files to rescue."""


async def test_what_an_agent_left_comes_in_lines_and_without_its_keys(
    world: World, provider: Provider, tmp_path: Path
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "agent-runner.py").write_text(RESCUES)
    world.api.machine = Machine(tmp_path, program=("true",), app=app)
    made = await provider.create(a_spec({"SECRET": "key"}))
    assert isinstance(provider, Sandboxes)
    assert [line async for line in provider.rescue(made.key)] == []
    state = tmp_path / made.id / "state"
    state.mkdir()
    (state / "found").write_text("a b c d e f g")
    found = [json.loads(line) async for line in provider.rescue(made.key)]
    assert [(each["name"], each["keys"]) for each in found] == [(n, False) for n in "abcdefg"]


async def _stopped(world: World, context: LauncherContext, gateway: StubGateway) -> str:
    """The id of a sandbox that somebody stopped while its agent worked, with what it left."""
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    await until((world.api.machine.home(made.id) / "state" / "spool.jsonl").exists)
    await world.api.stop(made.id)
    return made.id


async def test_a_stopped_sandbox_is_started_again_to_read_what_its_agent_left(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "agent-runner.py").write_text(RESCUES)
    machine = world.api.machine = Machine(tmp_path, program=SPOOLS, app=tmp_path / "app")
    stopped = await _stopped(world, context, gateway)
    (machine.home(stopped) / "state" / "found").write_text("a b")
    assert await run_job(context, job("inspect"), LOG)
    done = gateway.done()
    assert done.sandbox
    assert (done.sandbox.state, [each.id for each in done.spool]) == ("stopped", ["w1"])
    await until(lambda: machine.exit_code(stopped) is not None)  # the runner that began again

    offset = done.spool_offset or 0
    assert await run_job(context, job("inspect", spool_offset=offset), LOG)
    again = gateway.done().sandbox
    assert again
    assert again.state == "stopped", "that it was started again was ours"
    assert isinstance(context.providers[0], Rescues)
    lines = [
        json.loads(line)
        async for line in context.providers[0].rescue(Key(instance=INSTANCE, name=NAME, id=stopped))
    ]
    assert [each["name"] for each in lines] == ["a", "b"]
    assert await run_job(context, job("destroy", spool_offset=offset), LOG)
    assert world.alive == []


async def test_destroy_starts_a_stopped_sandbox_for_its_spool(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    world.api.machine = Machine(tmp_path, program=SPOOLS)
    await _stopped(world, context, gateway)
    assert await run_job(context, job("destroy"), LOG)
    assert [each.id for each in gateway.done().spool] == ["w1"]
    assert await run_job(context, job("destroy", spool_offset=gateway.done().spool_offset), LOG)
    assert world.alive == []


@pytest.mark.parametrize("kind", ["inspect", "destroy"])
async def test_a_stopped_sandbox_that_cannot_be_started_again_ends_without_its_spool(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path, kind: JobKind
) -> None:
    world.api.machine = Machine(tmp_path, program=SPOOLS)
    await _stopped(world, context, gateway)
    quota = Fault(kind="status", status=400, message="Total CPU limit exceeded. Maximum allowed: 1")
    world.api.faults.plan("POST /sandbox/{name}/start", *[quota] * 9)
    assert await run_job(context, job(kind), LOG)
    done = gateway.done()
    assert done.sandbox
    assert done.sandbox.state == ("stopped" if kind == "inspect" else "destroyed")
    assert "limit exceeded" in str(done.diagnosis)


async def test_a_spool_of_many_windows_comes_in_whole_lines(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    world.api.machine = Machine(tmp_path, program=("sleep", "60"))
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    state = tmp_path / made.id / "state"
    state.mkdir()
    body = base64.b64encode(b"x" * 300_000).decode()
    lines = [
        json.dumps({"id": f"w{n}", "timestamp": 1, "signature": "v1,x", "body": body}) + "\n"
        for n in range(4)
    ]
    (state / "spool.jsonl").write_text("".join((*lines, "y" * 2_500_000, "\n", lines[0])))
    offset, names = 0, []
    for _ in range(12):
        await run_job(context, job("inspect", spool_offset=offset), LOG)
        names += [each.id for each in gateway.done().spool]
        offset = gateway.done().spool_offset or offset
    assert names == ["w0", "w1", "w2", "w3", "w0"]
