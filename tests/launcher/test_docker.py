"""The docker provider against the stand-in: jobs, faults at every step, and leftovers."""

import asyncio
import base64
import json
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateway.wire.launcher import Created, JobKind, JobSandbox, RescuedPiece, Trying
from launcher.client import Client
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job
from launcher.providers.docker.cli import open_docker_cli
from launcher.providers.docker.provider import STATE, Docker
from launcher.providers.factory import open_providers
from launcher.providers.protocol import Key, ProviderError
from launcher.settings import DockerSettings, read_settings
from tests.docker.cli import CALLS, FAULTS, install
from tests.docker.daemon import ID, Daemon
from tests.launcher.agents import ENDS_WITH_7, FINAL_EVENT, WAITS, program
from tests.launcher.clock import Time
from tests.launcher.conditions import until
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import INSTANCE, KEY, LABELS, NAME, a_job, a_spec

LOG: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
    structlog.testing.CapturingLogger(), processors=[]
)
IMAGE = "slipgate-agent-1"
ICC = "com.docker.network.bridge.enable_icc"


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    _, made = install(tmp_path)
    made.add_image(IMAGE, WAITS)
    yield made
    made.close()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def docker(daemon: Daemon, tmp_path: Path, time: Time) -> Docker:
    environ = {"PATH": f"{tmp_path}:{os.defpath}", "HOME": "/root", "SECRET": "of the host"}
    return Docker(
        open_docker_cli(tmp_path / "state", environ=environ),
        realm=ID,
        settings=DockerSettings(memory="4g", cpus="2", pids=1024, images={"other": IMAGE}),
        sleep=time.sleep,
        clock=time.clock,
    )


@pytest.fixture
def context(client: Client, docker: Docker, time: Time) -> LauncherContext:
    return LauncherContext(
        client=client, providers=(docker,), forwarded_env={}, clock=time.clock, sleep=time.sleep
    )


async def do(context: LauncherContext, kind: JobKind, **fields: Any) -> bool:
    """A job whose lease needs no renewal."""
    return await run_job(context, a_job(kind, lease_seconds=36_000, **fields), LOG)


def plan(daemon: Daemon, *faults: dict[str, Any]) -> None:
    """Plans the next faults."""
    (daemon.folder / FAULTS).write_text(json.dumps(faults))


def calls(daemon: Daemon) -> list[tuple[list[str], list[str]]]:
    """Every run of the CLI: its arguments, and the names of its variables."""
    rows = (daemon.folder / CALLS).read_text().splitlines()
    return [(arguments, names) for arguments, names in map(json.loads, rows)]


def exited(daemon: Daemon) -> bool:
    """True once the agent has ended."""
    return [each["State"]["Status"] for each in daemon.containers()] == ["exited"]


async def test_a_create_runs_the_image_confined_and_reports_its_realm(
    daemon: Daemon, gateway: StubGateway, context: LauncherContext
) -> None:
    assert await do(context, "create", env={"A": "1"})
    (made,) = daemon.containers()
    host = made["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["Cpus"]) == ("4g", "4g", "2")
    assert (host["PidsLimit"], host["Init"], host["RestartPolicy"]) == ("1024", "", "no")
    assert (host["SecurityOpt"], host["CapDrop"]) == (["no-new-privileges"], ["ALL"])
    assert host["NetworkMode"] == f"slipgate-{INSTANCE}"
    assert made["Config"]["Labels"].items() >= LABELS.items()
    trying, created, done = (report for _, verb, report in gateway.reports if verb != "renew")
    assert isinstance(trying, Trying)
    assert (trying.provider, trying.realm, trying.name) == ("docker", ID, NAME)
    assert isinstance(created, Created)
    assert (created.sandbox.id, created.sandbox.snapshot) == (made["Id"], IMAGE)
    assert done == gateway.done()
    assert gateway.done().process


async def test_sandboxes_of_an_instance_share_a_network_on_which_they_cannot_meet(
    daemon: Daemon, docker: Docker
) -> None:
    for number in ("1", "2"):
        await docker.create(
            a_spec(labels=LABELS | {"slipgate-attempt": number}, name=f"s-{number}")
        )
    (network,) = daemon.networks()
    assert network["Options"] == {ICC: "false"}
    assert len([each for each, _ in calls(daemon) if each[:2] == ["network", "create"]]) == 1


async def test_a_network_of_that_name_on_which_they_could_meet_is_refused(
    daemon: Daemon, docker: Docker
) -> None:
    daemon.create_network(f"slipgate-{INSTANCE}", {})
    with pytest.raises(ProviderError, match="docker network rm") as refused:
        await docker.create(a_spec())
    assert not refused.value.retryable
    assert daemon.containers() == []


async def test_a_network_that_was_removed_is_made_again(daemon: Daemon, docker: Docker) -> None:
    await docker.remove((await docker.create(a_spec())).key)
    (daemon.folder / "networks" / f"slipgate-{INSTANCE}.json").unlink()
    with pytest.raises(ProviderError, match="not found") as failed:
        await docker.create(a_spec())
    assert failed.value.retryable
    assert daemon.containers() == []
    assert (await docker.create(a_spec())).state == "started"


VALUES = {
    "PLAIN": "a b=c #d",
    "EMPTY": "",
    "SPACES": "  both  ",
    "AGENT_PROMPT": "several\nlines\n",
    "WINDOWS": "ends with\r",
    "QUOTED": '"quoted"',
    "LONG": "x" * 100_000,
    "UMLAUT": "ä\u2028ö",
    "DOCKER_HOST": "tcp://evil:2375",
    "HTTP_PROXY": "http://evil",
}


async def test_every_value_is_handed_over_as_it_was_and_nothing_shows_it(
    daemon: Daemon, docker: Docker
) -> None:
    await docker.create(a_spec(VALUES))
    (made,) = daemon.containers()
    file = Path(f"{daemon.root(made)}{STATE}") / "environment.json"
    assert json.loads(file.read_text()) == VALUES
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert made["Config"]["Env"] == [f"SLIPGATE_STATE_DIR={STATE}"]
    for arguments, names in calls(daemon):
        assert not [value for value in VALUES.values() if value and value in " ".join(arguments)]
        assert VALUES.keys().isdisjoint(names)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("A", "x" * 140_000, id="too long"),
        pytest.param("A", "a\0b", id="NUL"),
        pytest.param("A B", "x", id="no name"),
    ],
)
async def test_a_variable_no_container_can_have_ends_the_job(
    daemon: Daemon, docker: Docker, name: str, value: str
) -> None:
    with pytest.raises(ProviderError) as refused:
        await docker.create(a_spec({name: value}))
    assert (refused.value.code, refused.value.retryable) == ("invalid_environment", False)
    assert daemon.containers() == []


async def test_a_missing_image_ends_the_job_with_advice(
    daemon: Daemon, gateway: StubGateway, context: LauncherContext
) -> None:
    (daemon.folder / "images.json").write_text("{}")
    assert not await do(context, "create")
    error = gateway.failed().error
    assert (error.code, error.retryable) == ("snapshot_not_found", False)
    assert "slipgate snapshot image" in error.message
    assert gateway.count("trying") == 1


async def test_a_snapshot_can_stand_for_an_image_of_another_name(
    daemon: Daemon, docker: Docker
) -> None:
    found = await docker.create(a_spec(snapshot="other"))
    (made,) = daemon.containers()
    assert (made["Config"]["Image"], found.snapshot) == (IMAGE, "other")


async def test_a_daemon_that_is_away_is_waited_for(
    daemon: Daemon, gateway: StubGateway, context: LauncherContext
) -> None:
    daemon.goes(down=True)
    assert not await do(context, "create")
    error = gateway.failed().error
    assert (error.code, error.retryable) == ("provider_unavailable", True)
    assert "Cannot connect to the Docker daemon" in error.message
    daemon.goes(down=False)
    assert await do(context, "create", lease=2)


async def test_an_entrypoint_that_is_not_there_ends_the_job_and_leaves_nothing(
    daemon: Daemon, gateway: StubGateway, context: LauncherContext
) -> None:
    daemon.add_image(IMAGE, ("/app/execution.sh",))
    assert not await do(context, "create")
    error = gateway.failed().error
    assert (error.code, error.retryable) == ("sandbox_error", False)
    assert "/app/execution.sh" in error.message
    assert daemon.containers() == []


STEPS = [
    "network create answered",
    "create",
    "create answered",
    "cp",
    "cp answered",
    "start",
    "start answered",
]
"""Of one creation, in their order."""


async def test_a_cli_that_is_killed_at_each_step_leaves_one_container_that_runs(
    daemon: Daemon, context: LauncherContext
) -> None:
    plan(daemon, *({"at": step, "kind": "killed"} for step in STEPS))
    assert await do(context, "create")
    assert json.loads((daemon.folder / FAULTS).read_text()) == [], "it was killed at all of them"
    assert [each["State"]["Status"] for each in daemon.containers()] == ["running"]
    assert len(daemon.networks()) == 1


async def test_a_network_that_another_launcher_has_made_meanwhile_is_shared(
    daemon: Daemon, docker: Docker
) -> None:
    daemon.create_network(f"slipgate-{INSTANCE}", {ICC: "false"})
    plan(daemon, {"at": "network inspect", "kind": "print", "out": "[]"})
    assert (await docker.create(a_spec())).state == "started"


async def test_a_taken_name_is_adopted_if_its_labels_are_ours(docker: Docker) -> None:
    first = await docker.create(a_spec())
    assert (await docker.create(a_spec())).id == first.id
    with pytest.raises(ProviderError) as refused:
        await docker.create(a_spec(labels=LABELS | {"slipgate-task": "task_other"}))
    assert (refused.value.code, refused.value.retryable) == ("name_taken", False)


async def _until_spooled(context: LauncherContext, gateway: StubGateway) -> None:
    async with asyncio.timeout(60):
        while True:
            await do(context, "inspect", sandbox=JobSandbox(name=NAME, provider="docker", realm=ID))
            if gateway.done().spool:
                return
            await asyncio.sleep(0.02)  # each look starts programs


SPOOLS = """
import fcntl, json, os, pathlib, signal, sys
state = pathlib.Path(os.environ['SLIPGATE_STATE_DIR'])
state.mkdir(parents=True, exist_ok=True)
lock = open(state / 'lock', 'w')
fcntl.flock(lock, fcntl.LOCK_EX)
word = {'id': 'w1', 'timestamp': 1, 'signature': 'v1,x', 'body': 'AAAA'}
(state / 'draft').write_text(json.dumps(word) + chr(10))
(state / 'draft').rename(state / 'spool.jsonl')
"""
WORD_AND_WAIT = program(SPOOLS + "signal.pause()")
WORD_AND_END = program(SPOOLS + "print('out'); print('of memory', file=sys.stderr); sys.exit(9)")


async def test_the_spool_of_a_running_agent_is_copied_and_nothing_runs_beside_it(
    daemon: Daemon, gateway: StubGateway, context: LauncherContext
) -> None:
    daemon.add_image(IMAGE, WORD_AND_WAIT)
    assert await do(context, "create")
    await _until_spooled(context, gateway)
    done = gateway.done()
    assert done.process
    assert (done.process.state, [each.id for each in done.spool]) == ("running", ["w1"])
    assert not [each for each, _ in calls(daemon) if each[0] == "exec"]
    (made,) = daemon.containers()
    spool = Path(f"{daemon.root(made)}{STATE}") / "spool.jsonl"
    assert done.spool_offset == spool.stat().st_size
    assert await do(context, "destroy", spool_offset=done.spool_offset or 0)
    sandbox = gateway.done().sandbox
    assert sandbox
    assert sandbox.state == "destroyed"
    assert daemon.containers() == []


async def test_an_agent_that_ended_early_is_reported_with_spool_exit_code_and_last_lines(
    daemon: Daemon, docker: Docker, gateway: StubGateway, context: LauncherContext
) -> None:
    daemon.add_image(IMAGE, WORD_AND_END)
    assert await do(context, "create")
    await until(lambda: exited(daemon))
    assert await do(context, "create", lease=2), "by a launcher that never said it was there"
    assert await do(context, "inspect")
    done = gateway.done()
    assert done.process
    assert (done.process.state, done.process.exit_code) == ("exited", 9)
    assert [each.id for each in done.spool] == ["w1"]
    assert "out\nof memory" in (done.diagnosis or "")
    (made,) = daemon.containers()
    (Path(f"{daemon.root(made)}{STATE}") / "spool.acknowledged").write_text("99999")
    past_its_end = await docker.read_spool(KEY, 88_888)
    assert [each.id for each in past_its_end.lines] == ["w1"], "nothing is hidden"


async def test_the_final_spool_of_a_stopped_agent_is_reported_before_its_removal(
    daemon: Daemon, gateway: StubGateway, context: LauncherContext
) -> None:
    daemon.add_image(IMAGE, FINAL_EVENT)
    assert await do(context, "create")
    (made,) = daemon.containers()
    await until((daemon.root(made) / "ready").exists)
    assert await do(context, "destroy")
    assert [each.id for each in gateway.done().spool] == ["last"]
    assert len(daemon.containers()) == 1
    assert await do(context, "destroy", lease=2, spool_offset=gateway.done().spool_offset or 0)
    assert daemon.containers() == []


async def test_a_spool_of_many_windows_comes_out_of_a_stopped_container_in_whole_lines(
    daemon: Daemon, docker: Docker
) -> None:
    daemon.add_image(IMAGE, ENDS_WITH_7)
    await docker.create(a_spec())
    await until(lambda: exited(daemon))
    (made,) = daemon.containers()
    state = Path(f"{daemon.root(made)}{STATE}")
    body = base64.b64encode(b"x" * 300_000).decode()
    lines = [
        json.dumps({"id": f"w{n}", "timestamp": 1, "signature": "v1,x", "body": body}) + "\n"
        for n in range(4)
    ]
    (state / "spool.jsonl").write_text("".join((*lines, "y" * 2_500_000, "\n", lines[0])))
    (state / "spool.acknowledged").write_text(str(len(lines[0])))
    offset, names, more = 0, [], True
    while more:
        piece = await docker.read_spool(KEY, offset)
        names += [each.id for each in piece.lines]
        offset, more = piece.offset, piece.has_more
    assert names == ["w1", "w2", "w3", "w0"]


async def test_a_spool_that_is_no_file_is_no_spool(daemon: Daemon, docker: Docker) -> None:
    daemon.add_image(IMAGE, ENDS_WITH_7)
    await docker.create(a_spec())
    await until(lambda: exited(daemon))
    (made,) = daemon.containers()
    spool = Path(f"{daemon.root(made)}{STATE}") / "spool.jsonl"
    link, folder, pipe = (spool.with_name(kind) for kind in ("link", "folder", "pipe"))
    link.symlink_to("/etc/passwd")
    folder.mkdir()
    os.mkfifo(pipe)
    for other in (link, folder, pipe):
        other.rename(spool)
        piece = await docker.read_spool(KEY, 0)
        assert (piece.lines, piece.offset, piece.has_more, piece.skipped) == ((), 0, False, 0)
        spool.rename(other)


async def test_a_spool_that_grows_while_it_is_copied_is_read_as_far_as_it_was(
    daemon: Daemon, docker: Docker
) -> None:
    daemon.add_image(IMAGE, WORD_AND_WAIT)
    found = await docker.create(a_spec())
    (made,) = daemon.containers()
    await until((Path(f"{daemon.root(made)}{STATE}") / "spool.jsonl").exists)
    refused = "Error response from daemon: archive/tar: write too long\n"
    plan(daemon, {"at": "cp answered", "kind": "print", "err": refused, "code": 1})
    assert [each.id for each in (await docker.read_spool(found.key, 0)).lines] == ["w1"]


RESCUES = program("""
import os, pathlib, sys
state = pathlib.Path(os.environ['SLIPGATE_STATE_DIR'])
if (state / 'rescue').exists():
    piece = '{"offset":0,"chunk":"+a","size":2,"partial":true,"baseSha":"' + 'a' * 40 + '"}'
    print(piece)
else:
    print('an agent')
""")


async def test_what_an_ended_agent_left_is_saved_before_its_container_goes(
    daemon: Daemon, gateway: StubGateway, context: LauncherContext
) -> None:
    daemon.add_image(IMAGE, RESCUES)
    assert await do(context, "create")
    await until(lambda: exited(daemon))
    assert await do(context, "destroy", rescue=True)
    (piece,) = (report for _, verb, report in gateway.reports if verb == "patch")
    assert isinstance(piece, RescuedPiece)
    assert (piece.chunk, piece.size, piece.partial) == ("+a", 2, True)
    assert daemon.containers() == []


async def test_a_list_has_running_and_ended_ones_of_this_instance_and_one_call_those_that_ended(
    daemon: Daemon, docker: Docker
) -> None:
    await docker.create(a_spec(name="runs"))
    daemon.add_image(IMAGE, ENDS_WITH_7)
    await docker.create(a_spec(name="ends"))
    await until(lambda: any(each["State"]["Status"] == "exited" for each in daemon.containers()))
    before = len(calls(daemon))
    assert await docker.ended() == {Key(instance=INSTANCE, name="ends")}
    assert len(calls(daemon)) == before + 1
    await docker.create(a_spec(name="foreign", labels=LABELS | {"slipgate-instance": "inst_2"}))
    found = {each.key.name: each for each in await docker.list_sandboxes(INSTANCE)}
    assert set(found) == {"runs", "ends"}
    assert (found["ends"].process.exit_code, found["runs"].process.state) == (7, "running")
    assert await docker.list_sandboxes("inst_3") == []


async def test_what_is_gone_is_gone_however_often_it_is_removed(docker: Docker) -> None:
    made = await docker.create(a_spec())
    beginning = a_spec(name=made.id[:12]).key
    assert await docker.find(beginning) is None, "the beginning of an id is nobody's name"
    for _ in range(2):
        await docker.stop(made.key)
        await docker.remove(made.key)
    assert await docker.find(KEY) is None
    assert await docker.find(made.key) is None


ASKED: dict[str, Callable[[Docker, Key], Awaitable[object]]] = {
    "container inspect": lambda docker, key: docker.find(key),
    "rm": lambda docker, key: docker.remove(key),
    "stop": lambda docker, key: docker.stop(key),
    "ps": lambda docker, key: docker.list_sandboxes(key.instance),
    "cp": lambda docker, key: docker.read_spool(key, 0),
}


async def test_malformed_output_is_a_transient_error(daemon: Daemon, docker: Docker) -> None:
    made = await docker.create(a_spec())
    garbage = {"kind": "print", "out": "}{", "err": "unexpected EOF\n", "code": 1}
    for at, ask in ASKED.items():
        plan(daemon, {"at": at, **garbage})
        with pytest.raises(ProviderError) as failed:
            await ask(docker, made.key)
        assert failed.value.retryable, at


async def test_the_realm_is_the_daemons_id(daemon: Daemon, tmp_path: Path) -> None:
    engine = open_docker_cli(tmp_path / "state", environ={"PATH": f"{tmp_path}:{os.defpath}"})
    assert await engine.identity() == ID
    daemon.goes(down=True)
    with pytest.raises(ProviderError, match="Start docker on the launcher's host") as failed:
        await engine.identity()
    assert failed.value.retryable


async def test_the_words_of_release_20_10_mean_the_same(daemon: Daemon, docker: Docker) -> None:
    daemon.becomes_old()
    made = await docker.create(a_spec())
    assert (await docker.read_spool(made.key, 0)).lines == ()
    await docker.remove(made.key)
    assert await docker.find(made.key) is None
    (daemon.folder / "images.json").write_text("{}")
    with pytest.raises(ProviderError) as missing:
        await docker.create(a_spec())
    assert missing.value.code == "snapshot_not_found"
    daemon.goes(down=True)
    with pytest.raises(ProviderError, match="Start docker on the launcher's host"):
        await docker.cli.identity()


async def test_a_missing_docker_is_reported_with_advice(tmp_path: Path) -> None:
    engine = open_docker_cli(tmp_path / "state", environ={"PATH": str(tmp_path)})
    with pytest.raises(ProviderError, match="Install docker's CLI") as failed:
        await engine.identity()
    assert not failed.value.retryable


async def test_a_launcher_opens_docker_in_its_daemons_realm_whatever_another_is_called(
    daemon: Daemon, tmp_path: Path
) -> None:
    environ = {
        "PATH": f"{tmp_path}:{os.defpath}",
        "SLIPGATE_URL": "http://127.0.0.1:9",
        "SLIPGATE_API_KEY": "k",
        "SLIPGATE_PROVIDERS": "docker",
        "SLIPGATE_REALM": "daytonas",
        "SLIPGATE_LAUNCHER_STATE": str(tmp_path / "state"),
    }
    async with open_providers(read_settings(environ), environ) as (docker,):
        assert (docker.name, docker.realm) == ("docker", ID)
