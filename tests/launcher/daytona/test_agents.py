"""Agents in sandboxes at Daytona: their spool, their end, and what they left."""

import asyncio
import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.wire.launcher import JobKind, JobSandbox, Process
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job
from launcher.providers.daytona.sandboxes import Sandboxes
from launcher.providers.protocol import Key, Provider, Rescues
from tests.daytona.faults import Fault
from tests.daytona.machine import LOG as LOG_FILE
from tests.daytona.machine import Executed, Machine
from tests.daytona.releases import LAST_DAEMON, Version
from tests.launcher.agents import program
from tests.launcher.conditions import until
from tests.launcher.daytona.world import LOG, REALM, World, job
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import INSTANCE, NAME, a_spec

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
(state / 'lock').write_text(str(os.getpid()))
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
            await asyncio.sleep(0.02)  # each look starts programs


@pytest.mark.parametrize("release", [(0, 150, 0), (0, 155, 0), LAST_DAEMON])
async def test_inspect_brings_spool_and_process_and_destroy_ends_the_agent_first(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path, release: Version
) -> None:
    world.api.machine = Machine(tmp_path, program=SPOOLS, release=release)
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
            if process and process.exit_code is not None:
                break
            await asyncio.sleep(0.02)
    assert process.exit_code == 9
    assert gateway.done().diagnosis == "it printed last: out of memory"


FAILS_AT_ONCE = program("print('git is missing'); raise SystemExit(2)")
"""An agent that has not yet taken its lock."""


@pytest.mark.parametrize("release", [(0, 150, 0), (0, 155, 0), LAST_DAEMON])
async def test_an_agent_that_never_began_has_ended_all_the_same(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path, release: Version
) -> None:
    machine = world.api.machine = Machine(tmp_path, program=FAILS_AT_ONCE, release=release)
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    await until(lambda: machine.exit_code(made.id) is not None)
    assert await run_job(context, job("inspect"), LOG)
    assert gateway.done().process == Process(state="exited", exit_code=2)
    assert "git is missing" in (gateway.done().diagnosis or "")
    log = machine.log_file(made.id)
    if log.with_name("cmd.sh").exists():  # up to v0.161 the log may end after the code is there
        os.utime(log, (moment := log.stat().st_mtime + 1_000, moment))
        assert await run_job(context, job("inspect"), LOG)
        assert gateway.done().process == Process(state="exited", exit_code=2)


BEGINS = program("""
import os, pathlib, signal
state = pathlib.Path(os.environ['SLIPGATE_STATE_DIR'])
state.mkdir()
(state / 'lock').touch()
signal.pause()
""")
"""An agent that has opened its lock, and is about to take it."""


async def test_an_agent_that_does_not_hold_its_lock_yet_has_not_ended(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    world.api.machine = Machine(tmp_path, program=BEGINS)
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    await until((tmp_path / made.id / "state" / "lock").exists)
    assert await run_job(context, job("inspect"), LOG)
    assert gateway.done().process == Process(state="unknown")


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


async def test_a_sandbox_that_starts_again_tells_the_exit_code_of_its_last_start(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    """It is killed twice, then stopped, and never holds its lock; its daemon has a shell."""
    machine = world.api.machine = Machine(tmp_path, program=COUNTS_ITS_STARTS)
    assert await run_job(context, job("create"), LOG)
    (made,) = world.api.organisation.living()
    for number, end in enumerate((machine.end, machine.end, machine.stop, machine.end), 1):
        await until(lambda: machine.exit_code(made.id) is not None)
        assert await run_job(context, job("inspect"), LOG)
        assert gateway.done().process == Process(state="exited", exit_code=number)
        await end(made.id)
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
    machine = world.api.machine = Machine(tmp_path, program=BEGINS_AGAIN)
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
    "import pathlib; pathlib.Path('state').mkdir(); pathlib.Path('state/lock').write_text('1')"
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
        self, sandbox_id: str, env: Mapping[str, str], command: str, timeout: float | None
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
        self, sandbox_id: str, env: Mapping[str, str], command: str, timeout: float | None
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


class Ready(Machine):
    """Starts a sandbox only as fast as its runner begins: the clock of the launcher, which gives up
    waiting for it, is no real one."""

    async def start(self, sandbox_id: str, env: Mapping[str, str]) -> None:
        await super().start(sandbox_id, env)
        lock = self.home(sandbox_id) / "state" / "lock"
        runner = str(self._running[sandbox_id].pid)
        await until(lambda: lock.exists() and lock.read_text() == runner)


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
    machine = world.api.machine = Ready(tmp_path, program=SPOOLS, app=tmp_path / "app")
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
    assert await run_job(context, job("create"), LOG), "of a launcher that never said it was there"
    found = gateway.done().sandbox
    assert found
    assert found.state == "stopped"
    assert await run_job(context, job("destroy"), LOG)
    assert [each.id for each in gateway.done().spool] == ["w1"]
    assert await run_job(context, job("destroy", spool_offset=gateway.done().spool_offset), LOG)
    assert world.alive == []


async def test_a_stopped_sandbox_that_cannot_be_started_again_ends_without_its_spool(
    world: World, gateway: StubGateway, context: LauncherContext, tmp_path: Path
) -> None:
    world.api.machine = Machine(tmp_path, program=SPOOLS)
    await _stopped(world, context, gateway)
    quota = Fault(kind="status", status=400, message="Total CPU limit exceeded. Maximum allowed: 1")
    world.api.faults.plan("POST /sandbox/{name}/start", *[quota] * 18)
    kinds: list[tuple[JobKind, str]] = [("inspect", "stopped"), ("destroy", "destroyed")]
    for kind, state in kinds:
        assert await run_job(context, job(kind), LOG)
        done = gateway.done()
        assert done.sandbox
        assert done.sandbox.state == state
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
