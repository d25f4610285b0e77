"""The local provider, with real processes."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from launcher.providers.local.directory import REMOVED, load_record, prepare
from launcher.providers.local.processes import Supervisor, members
from launcher.providers.local.provider import SUPERVISOR, LocalProvider
from launcher.providers.local.supervisor import write_whole
from launcher.providers.protocol import Key, ProviderError
from tests.launcher.agents import DEAF, ENDS_WITH_7, HAS_GRANDCHILDREN, TELLS_ITS_ENVIRONMENT, WAITS
from tests.launcher.conditions import record, until, with_agent
from tests.launcher.conftest import MakeLocal
from tests.launcher.jobs import INSTANCE, KEY, LABELS, NAME, a_spec


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "state" / INSTANCE / NAME


def dig(folder: Path) -> None:
    """Make more folders in it, one in the other, than a path has room for."""
    make = "import os\nfor _ in range(3000): os.mkdir('a'); os.chdir('a')\nos.chmod('.', 0)"
    subprocess.run([sys.executable, "-c", make], cwd=folder, check=True)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def supervised(directory: Path, variables: bytes) -> subprocess.CompletedProcess[bytes]:
    """The end of a supervisor that was told no more than this."""
    return subprocess.run(
        [sys.executable, "-I", "-S", SUPERVISOR, directory, "true"],
        input=variables,
        capture_output=True,
        check=False,
    )


async def exited(local: LocalProvider) -> int | None:
    """The agent's exit code, once it has one."""
    while True:
        found = await local.find(KEY)
        assert found
        if found.process.state == "exited":
            return found.process.exit_code
        await asyncio.sleep(0.01)


async def test_a_created_sandbox_runs_and_carries_labels_and_snapshot(
    make_local: MakeLocal,
) -> None:
    found = await make_local(WAITS).create(a_spec())
    assert found.state == "started"
    assert found.process.state == "running"
    assert dict(found.labels) == LABELS
    assert found.snapshot == "slipgate-agent-1"


async def test_the_agent_sees_its_own_environment_and_nothing_of_the_hosts(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(TELLS_ITS_ENVIRONMENT)
    await local.create(a_spec({"TASK_ID": "task_ä", "HOME": "/root", "PATH": "/evil"}))
    assert await exited(local) == 0
    seen = json.loads((directory / "home" / "environment.json").read_text())
    assert seen.pop("LC_CTYPE", None) in (None, "C.UTF-8")
    assert set(seen) == {
        "HOME",
        "LANG",
        "PATH",
        "SLIPGATE_HIDDEN",
        "SLIPGATE_PYTHON",
        "SLIPGATE_STATE_DIR",
    }
    environment = directory / "state" / "environment.json"
    assert json.loads(environment.read_text()) == {"TASK_ID": "task_ä"}
    assert environment.stat().st_mode & 0o777 == 0o600
    assert seen["HOME"] == str(directory / "home")
    assert seen["PATH"] == os.environ["PATH"]
    assert seen["SLIPGATE_STATE_DIR"] == str(directory / "state")
    assert seen["SLIPGATE_HIDDEN"] == str(directory.parents[1])


async def test_no_process_shows_the_variables_of_an_agent(
    make_local: MakeLocal, directory: Path
) -> None:
    await make_local(WAITS).create(a_spec({"GITHUB_TOKEN": "ghp_of_the_task"}))
    for pid in members(await with_agent(directory)):
        for name in ("environ", "cmdline"):
            assert b"ghp_of_the_task" not in Path(f"/proc/{pid}/{name}").read_bytes()


async def test_directories_an_agent_has_closed_are_deleted(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    closed = directory / "home" / "go" / "pkg"
    closed.mkdir(parents=True)
    (closed / "file").touch()
    closed.chmod(0o500)
    closed.parent.chmod(0)
    await local.remove(KEY)
    assert not directory.exists()


async def test_folders_one_in_the_other_are_deleted_however_many(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    dig(directory / "home")
    await local.remove(KEY)
    assert not directory.exists()


async def test_a_way_that_an_agent_has_closed_is_open_again(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    for path in (directory, directory.parent, directory.parents[1]):
        path.chmod(0)
    assert await local.find(KEY)
    modes = [path.stat().st_mode & 0o777 for path in (directory, *directory.parents[:2])]
    assert modes == [0o700] * 3


@pytest.mark.parametrize("name", ["sandbox.json", "process.json", "lock"])
async def test_a_record_that_an_agent_has_closed_is_read(
    make_local: MakeLocal, directory: Path, name: str
) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    (directory / name).chmod(0)
    found = await local.find(KEY)
    assert found is not None
    assert found.process.state == "running"
    assert await local.ended() == frozenset()
    assert (directory / name).stat().st_mode & 0o777 == 0o600


def replace_by(stands_there: str, path: Path, kept: Path) -> None:
    """Moves a file away, and puts something else in its place."""
    path.rename(kept)
    if stands_there == "a pipe":
        os.mkfifo(path)
    elif stands_there == "a link":
        path.symlink_to(kept)
    else:
        path.mkdir()


@pytest.mark.parametrize("stands_there", ["a pipe", "a link", "a folder"])
async def test_nothing_but_a_file_is_taken_for_a_record(
    make_local: MakeLocal, directory: Path, tmp_path: Path, stands_there: str
) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    for name in ("sandbox.json", "output.log"):
        replace_by(stands_there, directory / name, tmp_path / name)
    with pytest.raises(ProviderError, match="cannot be read"):
        await local.find(KEY)
    assert await local.read_log(KEY) == ""


@pytest.mark.parametrize("stands_there", ["a pipe", "a link", "a folder"])
async def test_a_sandbox_whose_lock_its_agent_has_replaced_is_looked_at_and_removed(
    make_local: MakeLocal, directory: Path, tmp_path: Path, stands_there: str
) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    replace_by(stands_there, directory / "lock", tmp_path / "kept")
    assert await local.ended() == {KEY}
    found = await local.find(KEY)
    assert found is not None
    assert found.process.state == "running"
    await local.remove(KEY)
    assert not directory.exists()


async def test_ended_processes_are_found_by_records_and_locks_alone(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    assert await local.ended() == frozenset()
    os.kill(record(directory).pid, signal.SIGKILL)
    later = make_local(WAITS)
    while await later.ended() != {KEY}:  # noqa: ASYNC110 - an agent holds the lock until its exec
        await asyncio.sleep(0.01)
    await local.remove(KEY)
    assert await local.ended() == frozenset()
    await make_local(ENDS_WITH_7).create(a_spec())
    assert await exited(local) == 7
    assert await local.ended() == {KEY}


async def test_two_creates_under_one_name_start_one_agent(
    make_local: MakeLocal, directory: Path
) -> None:
    first, second = make_local(WAITS), make_local(WAITS)
    await asyncio.gather(*(each.create(a_spec()) for each in (first, second, first, second)))
    assert len(members(await with_agent(directory))) == 2, "one supervisor, one agent"


@pytest.mark.parametrize("variables", [b"", b'{"AGENT_PROMPT": "me'], ids=["none", "a part"])
async def test_a_launcher_that_dies_before_it_has_passed_all_variables_starts_no_agent(
    make_local: MakeLocal, directory: Path, variables: bytes
) -> None:
    """kill -9 between the start of the supervisor and the last byte on its standard input."""
    local = make_local(ENDS_WITH_7)
    prepare(directory, a_spec())
    started = await asyncio.to_thread(supervised, directory, variables)
    assert started.returncode == 1
    assert b"before it had passed all variables" in started.stderr
    found = await local.find(KEY)
    assert found
    assert found.state == "creating"
    await local.create(a_spec())
    assert await exited(local) == 7


def test_a_record_that_comes_and_goes_is_there_or_not(tmp_path: Path) -> None:
    """Another launcher, or the supervisor, works in the same directory."""
    path, is_over = tmp_path / "process.json", threading.Event()

    def come_and_go() -> None:
        while not is_over.is_set():
            write_whole(path, '{"pid": 1, "birth": null}')
            path.unlink()

    with ThreadPoolExecutor(1) as pool:
        working = pool.submit(come_and_go)
        try:
            found = [load_record(path, Supervisor) for _ in range(10_000)]
        finally:
            is_over.set()
        working.result()
    assert {each.pid for each in found if each} <= {1}


async def test_the_name_of_another_sandbox_is_not_taken_over(make_local: MakeLocal) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    with pytest.raises(ProviderError) as raised:
        await local.create(a_spec(labels=LABELS | {"slipgate-task": "task_other"}))
    assert raised.value.code == "name_taken"


async def test_the_exit_code_is_known_to_a_later_launcher(make_local: MakeLocal) -> None:
    await make_local(ENDS_WITH_7).create(a_spec())
    assert await exited(make_local(ENDS_WITH_7)) == 7


async def test_a_missing_program_is_an_exit_code_and_a_line_of_output(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(("/nowhere/execution.sh",))
    await local.create(a_spec())
    assert await exited(local) == 127
    assert "/nowhere/execution.sh" in (directory / "output.log").read_text()


@pytest.mark.parametrize("value", ["x" * 200_000, "a\0b"], ids=["too long", "NUL"])
async def test_an_environment_linux_does_not_take_fails_for_good(
    make_local: MakeLocal, value: str
) -> None:
    with pytest.raises(ProviderError) as raised:
        await make_local(WAITS).create(a_spec({"AGENT_PROMPT": value}))
    assert (raised.value.code, raised.value.retryable) == ("invalid_environment", False)


async def test_an_agent_whose_supervisor_was_killed_is_still_found(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    supervisor = await with_agent(directory)
    os.kill(supervisor.pid, signal.SIGKILL)
    await until(lambda: not supervisor.is_alive())
    found = await local.find(KEY)
    assert found
    assert found.process.state == "running"
    await local.remove(KEY)
    assert not members(supervisor)


async def test_an_agent_that_vanished_without_an_exit_record_is_stopped(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    fields = {"pid": record(directory).pid, "birth": "another-boot:1"}
    await local.stop(KEY)
    (directory / "exit.json").unlink()
    (directory / "process.json").write_text(json.dumps(fields))
    found = await local.find(KEY)
    assert found
    assert (found.state, found.process.state) == ("stopped", "exited")


async def test_a_number_that_now_is_anothers_process_is_not_killed(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    await local.stop(KEY)
    bystander = await asyncio.create_subprocess_exec(*WAITS, start_new_session=True)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    fields = {"pid": bystander.pid, "birth": f"{boot}:1"}
    (directory / "process.json").write_text(json.dumps(fields))
    await local.remove(KEY)
    assert bystander.returncode is None
    assert is_alive(bystander.pid)
    bystander.kill()
    await bystander.wait()


async def test_removing_kills_grandchildren_that_left_the_session_too(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(HAS_GRANDCHILDREN)
    await local.create(a_spec())
    home = directory / "home"
    notes = [home / "grandchild-False", home / "grandchild-True"]
    await until(lambda: all(note.exists() and note.read_text() for note in notes))
    pids = [int(note.read_text()) for note in notes]
    assert all(is_alive(pid) for pid in pids)
    await local.remove(KEY)
    assert not any(is_alive(pid) for pid in pids)
    assert not directory.exists()


async def test_an_agent_that_ignores_sigterm_is_killed(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(DEAF, grace=0.3)
    await local.create(a_spec())
    await until((directory / "home" / "deaf").exists)
    await local.stop(KEY)
    assert await exited(local) == -signal.SIGKILL


async def test_removing_twice_is_removing_once(make_local: MakeLocal, directory: Path) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    await local.remove(KEY)
    await local.remove(KEY)
    assert await local.find(KEY) is None
    assert list(directory.parent.iterdir()) == []


async def test_a_removal_that_was_cut_short_is_finished_by_the_next_one(
    make_local: MakeLocal, directory: Path
) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    supervisor = record(directory)
    directory.rename(directory.with_name(f"{REMOVED}{uuid.uuid4().hex}-{directory.name}"))
    await local.remove(KEY)
    assert not members(supervisor)
    assert list(directory.parent.iterdir()) == []


async def test_two_launchers_may_remove_the_same_sandbox(
    make_local: MakeLocal, directory: Path
) -> None:
    first, second = make_local(WAITS), make_local(WAITS)
    await first.create(a_spec())
    for number in range(500):
        (directory / "home" / f"file-{number}").touch()
    await asyncio.gather(*(each.remove(KEY) for each in (first, second, first, second)))
    assert list(directory.parent.iterdir()) == []


async def test_a_list_has_the_sandboxes_of_one_instance(make_local: MakeLocal) -> None:
    local = make_local(WAITS)
    await local.create(a_spec())
    assert [found.key for found in await local.list_sandboxes(INSTANCE)] == [KEY]
    assert await local.list_sandboxes("inst_2") == []


@pytest.mark.parametrize("name", ["..", "../x", "a/b", "", "-x", "a\nb", "a" * 300])
async def test_a_name_never_leaves_the_state_directory(make_local: MakeLocal, name: str) -> None:
    local = make_local(WAITS)
    for key in (Key(instance=INSTANCE, name=name), Key(instance=name, name=NAME)):
        with pytest.raises(ProviderError) as raised:
            await local.remove(key)
        assert raised.value.code == "invalid_name"


async def test_the_realm_is_kept_in_the_state_directory(
    make_local: MakeLocal, tmp_path: Path
) -> None:
    realm = make_local(WAITS).realm
    # Of a launcher that was killed: in a container the next one has the same number.
    (tmp_path / "state" / f"realm.{os.getpid()}.draft").hardlink_to(tmp_path / "state" / "realm")
    assert make_local(ENDS_WITH_7).realm == realm
    assert make_local(WAITS).realm == realm
