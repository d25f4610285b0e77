"""The stand-in docker against the real one's behaviour."""

import asyncio
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.docker.cli import install
from tests.docker.daemon import ID
from tests.launcher.agents import ENDS_WITH_7, WAITS, program
from tests.launcher.conditions import until

RUN = ("run", "-d", "--pull=never", "--network=n", "--name=ab")


class CommandResult(NamedTuple):
    """Result of a run."""

    code: int
    out: bytes
    err: str


class Cli:
    """The executable and its daemon, with one network."""

    def __init__(self, folder: Path) -> None:
        self.path, self.daemon = install(folder)
        self.daemon.add_image("agent:1", WAITS, {"maintainer": "x"})
        self.daemon.create_network("n", {})

    async def run(self, *arguments: str, stdin: bytes = b"", **variables: str) -> CommandResult:
        process = await asyncio.create_subprocess_exec(
            self.path,
            *arguments,
            env={"PATH": os.defpath, **variables},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate(stdin)
        return CommandResult(process.returncode or 0, out, err.decode())

    def status(self) -> tuple[str, int]:
        (found,) = self.daemon.containers()
        return found["State"]["Status"], found["State"]["ExitCode"]


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[Cli]:
    made = Cli(tmp_path)
    yield made
    made.daemon.close()


async def test_run_prints_the_id_of_a_container_that_runs(cli: Cli) -> None:
    ran = await cli.run(*RUN, "--label=k=v=w", "--", "agent:1")
    (found,) = cli.daemon.containers()
    assert (ran.code, ran.out.decode().strip(), ran.err) == (0, found["Id"], "")
    assert found["Config"]["Labels"] == {"k": "v=w", "maintainer": "x"}
    assert cli.status() == ("running", 0)


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        pytest.param(
            (*RUN, "--", "nowhere"),
            125,
            "docker: Error response from daemon: No such image: nowhere:latest\n\n"
            "Run 'docker run --help' for more information\n",
            id="image",
        ),
        pytest.param((*RUN, "--", "-bad"), 125, "docker: invalid reference format\n", id="name"),
        pytest.param(
            ("run", "--bogus", "agent:1"), 125, "unknown flag: --bogus\n\nUsage:", id="flag"
        ),
        pytest.param(
            ("stop", "gone"), 1, "Error response from daemon: No such container: gone\n", id="stop"
        ),
        pytest.param(
            ("rm", "-f", "gone"), 0, "Error response from daemon: No such container", id="rm -f"
        ),
        pytest.param(
            ("network", "inspect", "x"),
            1,
            "Error response from daemon: network x not",
            id="network",
        ),
    ],
)
async def test_failures_have_the_texts_of_docker(
    cli: Cli, arguments: tuple[str, ...], code: int, text: str
) -> None:
    ran = await cli.run(*arguments)
    assert (ran.code, ran.err.startswith(text)) == (code, True), ran.err
    assert cli.daemon.containers() == []


async def test_create_makes_what_start_runs_and_files_go_in_before_that(cli: Cli) -> None:
    shows = program("import os; print(open(os.environ['SLIPGATE_STATE_DIR'] + '/f').read())")
    cli.daemon.add_image("shows:1", shows)
    state = "--env=SLIPGATE_STATE_DIR=/tmp/s"
    made = await cli.run("create", *RUN[2:], state, "--", "shows:1")
    assert (made.code, made.out.decode().strip()) == (0, cli.daemon.containers()[0]["Id"])
    assert cli.status() == ("created", 0)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        member = tarfile.TarInfo("s/f")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"word"))
    put = await cli.run("cp", "--archive", "-", "ab:/tmp", stdin=archive.getvalue())
    assert put == CommandResult(0, b"", "")
    for _ in range(2):
        assert await cli.run("start", "--attach", "ab") == CommandResult(0, b"word\n", "")


async def test_create_fails_with_1_where_run_fails_with_125(cli: Cli) -> None:
    ran = await cli.run("create", *RUN[2:], "--", "nowhere")
    assert ran == CommandResult(
        1, b"", "Error response from daemon: No such image: nowhere:latest\n"
    )


async def test_a_name_is_taken_once(cli: Cli) -> None:
    await cli.run(*RUN, "--", "agent:1")
    ran = await cli.run(*RUN, "--", "agent:1")
    assert ran.code == 125
    assert 'Conflict. The container name "/ab" is already in use by container "' in ran.err
    assert len(cli.daemon.containers()) == 1


async def test_an_entrypoint_that_is_not_there_leaves_a_container_with_the_reason(cli: Cli) -> None:
    cli.daemon.add_image("broken:1", ("/nowhere/x",))
    ran = await cli.run(*RUN, "--", "broken:1")
    assert ran.code == 127
    assert 'exec: "/nowhere/x": stat /nowhere/x: no such file or directory' in ran.err
    (found,) = cli.daemon.containers()
    assert (found["State"]["Status"], found["State"]["ExitCode"]) == ("created", 127)
    assert "unable to start container process" in found["State"]["Error"]


async def test_variables_come_from_the_file_and_from_its_own_environment(cli: Cli) -> None:
    stdin = b'A=1\n# no\n\nQ="quoted"\nS= lead and trail \nM\nUNSET\nE=\nCR=x\r\n'
    await cli.run(
        *RUN,
        "--env-file=/dev/stdin",
        "--env=N",
        "--",
        "agent:1",
        stdin=stdin,
        M="multi\nline",
        N="n",
    )
    (found,) = cli.daemon.containers()
    assert found["Config"]["Env"] == [
        "A=1",
        'Q="quoted"',
        "S= lead and trail ",
        "M=multi\nline",
        "E=",
        "CR=x",
        "N=n",
    ]


async def test_a_line_of_64_kib_is_too_long(cli: Cli) -> None:
    stdin = b"A=" + b"x" * 70_000
    ran = await cli.run(*RUN, "--env-file=/dev/stdin", "--", "agent:1", stdin=stdin)
    assert (ran.code, "token too long" in ran.err) == (125, True)


async def test_exec_needs_a_running_container_and_cp_does_not(cli: Cli) -> None:
    writes = program("open('f', 'w').write('word')")
    cli.daemon.add_image("writes:1", writes)
    await cli.run(*RUN, "--", "writes:1")
    await until(lambda: cli.status() == ("exited", 0))
    ran = await cli.run("exec", "ab", "true")
    assert (ran.code, "is not running" in ran.err) == (1, True)
    copied = await cli.run("cp", "ab:/f", "-")
    with tarfile.open(fileobj=io.BytesIO(copied.out)) as tar:
        content = tar.extractfile("f")
        assert content
        assert content.read() == b"word"
    missing = await cli.run("cp", "ab:/g", "-")
    text = "Error response from daemon: Could not find the file /g in container ab\n"
    assert (missing.code, missing.err) == (1, text)


async def test_a_command_in_a_container_has_its_variables_and_its_exit_code(cli: Cli) -> None:
    await cli.run(*RUN, "--env-file=/dev/stdin", "--", "agent:1", stdin=b"A=here\n")
    ran = await cli.run("exec", "ab", "sh", "-c", 'echo "$A"; exit 3')
    assert (ran.code, ran.out) == (3, b"here\n")


async def test_stop_ends_it_and_keeps_it_and_rm_does_not(cli: Cli) -> None:
    await cli.run(*RUN, "--", "agent:1")
    refused = await cli.run("rm", "ab")
    assert (refused.code, "You cannot remove a running container" in refused.err) == (1, True)
    await cli.run("stop", "-t", "5", "ab")
    assert cli.status() == ("exited", 143)
    await cli.run("rm", "--force", "--volumes", "ab")
    assert cli.daemon.containers() == []


async def test_the_end_of_both_outputs_comes_apart(cli: Cli) -> None:
    cli.daemon.add_image(
        "prints:1",
        program("import sys; print('1\\n2\\n3'); print('e', file=sys.stderr); sys.exit(7)"),
    )
    await cli.run(*RUN, "--", "prints:1")
    await until(lambda: cli.status() == ("exited", 7))
    assert await cli.run("logs", "--tail=2", "ab") == CommandResult(0, b"2\n3\n", "e\n")


async def test_inspect_shows_those_that_are_there_and_names_those_that_are_not(cli: Cli) -> None:
    await cli.run(*RUN, "--", "agent:1")
    ran = await cli.run("container", "inspect", "--", "ab", "nobody")
    assert (ran.code, ran.err) == (1, "Error response from daemon: No such container: nobody\n")
    assert [each["Name"] for each in json.loads(ran.out)] == ["/ab"]


async def test_ps_shows_by_label_and_stopped_ones_only_with_all(cli: Cli) -> None:
    cli.daemon.add_image("ends:1", ENDS_WITH_7)
    await cli.run(*RUN, "--label=k=v", "--", "ends:1")
    await until(lambda: cli.status() == ("exited", 7))
    assert (await cli.run("ps", "--quiet", "--filter=label=k=v")).out == b""
    ran = await cli.run("ps", "--all", "--no-trunc", "--quiet", "--filter=label=k=v")
    (found,) = cli.daemon.containers()
    assert ran.out.decode() == f"{found['Id']}\n"
    assert (await cli.run("ps", "--all", "--quiet", "--filter=label=k=w")).out == b""
    only = ("--filter=status=dead", "--filter=label=k", '--format={{.Label "k"}} {{.Names}}')
    assert (await cli.run("ps", "--all", *only)).out == b""
    assert (await cli.run("ps", "--all", "--filter=status=exited", *only)).out == b"v ab\n"


async def test_info_tells_the_daemons_id_or_that_there_is_no_daemon(cli: Cli) -> None:
    assert (await cli.run("info", "--format={{.ID}}")).out.decode() == f"{ID}\n"
    cli.daemon.goes(down=True)
    ran = await cli.run("info", "--format={{.ID}}")
    assert (ran.code, ran.err.startswith("Cannot connect to the Docker daemon at")) == (1, True)
