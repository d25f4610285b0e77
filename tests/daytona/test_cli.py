"""The stand-in CLI against the facts about the real one."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio

from tests.daytona.api import Api, opened
from tests.daytona.cli import FAULTS, install
from tests.daytona.faults import Fault
from tests.daytona.machine import Machine
from tests.daytona.organisation import Organisation, Snapshot
from tests.launcher.conditions import until

OLD, NEW = "0.116.0", "0.205.1"
CREATE = ("sandbox", "create", "--snapshot", "agent-1", "--name", "a")


class CommandResult(NamedTuple):
    """Result of a run."""

    code: int
    out: str
    err: str


class Cli:
    """The executable of one release, in a directory of its own."""

    def __init__(self, folder: Path, api: Api, version: str) -> None:
        self.folder = folder
        self.path = install(folder, version)
        self.environ = {
            "PATH": os.defpath,
            "HOME": str(folder),
            "DAYTONA_API_URL": api.url,
            "DAYTONA_API_KEY": "dtn_key",
            "DAYTONA_CONFIG_DIR": str(folder / "config"),
        }

    async def run(self, *arguments: str) -> CommandResult:
        process = await asyncio.create_subprocess_exec(
            self.path,
            *arguments,
            cwd=self.folder,
            env=self.environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return CommandResult(process.returncode or 0, out.decode(), err.decode())


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    """An organisation with one snapshot of ours, on the machine's clock."""
    organisation = Organisation(asyncio.get_running_loop().time)
    organisation.add_snapshot(Snapshot(name="agent-1"))
    async with opened(Api(organisation=organisation, machine=Machine(tmp_path))) as made:
        yield made


@pytest.fixture
def cli(tmp_path: Path, api: Api) -> Cli:
    """The CLI of a recent release."""
    return Cli(tmp_path, api, NEW)


async def test_success_is_printed_before_the_sandbox_has_started(api: Api, cli: Cli) -> None:
    ran = await cli.run(*CREATE, "--env", "A=1=2", "--env", "dropped", "--auto-stop", "0")
    assert ran.code == 0
    assert " Sandbox 'a' created successfully\n" in ran.out
    (made,) = api.organisation.living()
    assert (made.env, made.settings["autoStopInterval"]) == ({"A": "1=2"}, 0)


async def test_it_fails_although_the_sandbox_was_made(api: Api, cli: Cli) -> None:
    api.faults.plan("GET /sandbox/{name}/ports/{port}/preview-url", Fault(kind="html"))
    ran = await cli.run(*CREATE)
    assert (ran.code, len(api.organisation.living())) == (1, 1)
    assert "invalid character '<' looking for beginning of value" in ran.err


@pytest.mark.parametrize(
    ("version", "arguments", "message"),
    [
        pytest.param(NEW, ("--repo", "x"), "unknown flag: --repo", id="no --repo"),
        pytest.param(NEW, ("--output", "json"), "unknown flag: --output", id="no --output"),
        pytest.param("0.101.0", ("--name", "a"), "unknown flag: --name", id="no --name yet"),
        pytest.param("0.190.0", ("--ttl", "9"), "unknown flag: --ttl", id="no --ttl yet"),
    ],
)
async def test_a_flag_of_another_release_is_refused(
    tmp_path: Path, api: Api, version: str, arguments: Sequence[str], message: str
) -> None:
    ran = await Cli(tmp_path, api, version).run("sandbox", "create", *arguments)
    assert (ran.code, ran.out) == (1, "")
    assert f'level=fatal msg="{message}"' in ran.err


async def test_an_old_release_sends_auto_stop_unasked_and_a_new_one_does_not(
    tmp_path: Path, api: Api
) -> None:
    for version, name in (("0.190.0", "old"), (NEW, "new")):
        await Cli(tmp_path, api, version).run("create", "--snapshot", "agent-1", "--name", name)
    stops = {each.name: each.settings.get("autoStopInterval") for each in api.organisation.living()}
    assert stops == {"old": 15, "new": None}


async def test_the_short_form_came_with_135(tmp_path: Path, api: Api) -> None:
    old = await Cli(tmp_path, api, "0.134.0").run("create", "--snapshot", "agent-1")
    assert (old.code, 'unknown command \\"create\\"' in old.err) == (1, True)


async def test_info_is_the_document_of_the_api(cli: Cli) -> None:
    await cli.run(*CREATE, "--label", "k=v", "--env", "SECRET=clear")
    ran = await cli.run("sandbox", "info", "a", "--format", "json")
    found = json.loads(ran.out)
    assert (found["name"], found["labels"], found["env"]) == ("a", {"k": "v"}, {"SECRET": "clear"})
    assert list(found) == sorted(found)
    assert ran.err == ""


async def test_the_short_form_warns_of_a_newer_api_on_stderr_alone(cli: Cli) -> None:
    await cli.run(*CREATE)
    ran = await cli.run("info", "a", "--format", "json")
    assert json.loads(ran.out)["name"] == "a"
    assert "Version mismatch: Daytona CLI is on v0.205.1 and API is on v0.214.3" in ran.err


async def test_both_variables_are_needed_and_the_first_run_leaves_traces(
    tmp_path: Path, cli: Cli
) -> None:
    del cli.environ["DAYTONA_API_URL"]
    cli.environ["SHELL"] = "/bin/bash"
    ran = await cli.run("sandbox", "list")
    assert "no profiles found. Run `daytona login` to authenticate" in ran.err
    assert (tmp_path / "config" / "config.json").exists()
    assert "daytona completion" in (tmp_path / ".bashrc").read_text()


async def test_releases_before_the_environment_counted_want_a_login(
    tmp_path: Path, api: Api
) -> None:
    cli = Cli(tmp_path, api, OLD)
    assert "no profiles found" in (await cli.run("sandbox", "list")).err
    assert (await cli.run("login", "--api-key", "dtn_key")).code == 0
    ran = await cli.run("sandbox", "list", "--format", "json")
    assert json.loads(ran.out) == {"items": [], "total": 0, "page": 1, "totalPages": 0}


async def test_an_older_release_reads_the_dotenv_of_its_directory(tmp_path: Path, api: Api) -> None:
    cli = Cli(tmp_path, api, "0.190.0")
    key = cli.environ.pop("DAYTONA_API_KEY")
    (tmp_path / ".env").write_text(f"DAYTONA_API_KEY={key}\n")
    assert (await cli.run("list")).code == 0
    assert (await Cli(tmp_path, api, NEW).run("list")).code == 0


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        pytest.param(
            Fault(kind="status", status=429, message="ThrottlerException"),
            "Too Many Requests: ThrottlerException",
            id="429",
        ),
        pytest.param(
            Fault(kind="partial"), "no value given for required property", id="field missing"
        ),
        pytest.param(Fault(kind="lost"), "EOF", id="answer lost"),
    ],
)
async def test_every_failure_is_exit_code_1_with_its_reason_on_stderr(
    api: Api, cli: Cli, fault: Fault, message: str
) -> None:
    api.faults.plan("POST /sandbox", fault)
    ran = await cli.run(*CREATE)
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err


async def test_wrong_keys_come_with_advice(cli: Cli) -> None:
    cli.environ["DAYTONA_API_KEY"] = "nope"
    ran = await cli.run(*CREATE)
    assert "Unauthorized: Invalid credentials - run 'daytona login' to reauthenticate" in ran.err


@pytest.mark.parametrize(
    ("version", "out"),
    [pytest.param(NEW, "a  b\n", id="quoted"), pytest.param("0.190.0", "a b\n", id="joined")],
)
async def test_exec_quotes_since_205_1_and_gives_the_remote_exit_code(
    tmp_path: Path, api: Api, version: str, out: str
) -> None:
    cli = Cli(tmp_path, api, version)
    await cli.run(*CREATE)
    assert (await cli.run("sandbox", "exec", "a", "--", "echo", "a  b")).out == out
    ran = await cli.run("sandbox", "exec", "a", "--", "sh -c 'exit 7'")
    assert ran.code == 7
    assert "Command failed with exit code 7\n" in ran.err


async def test_a_refusal_of_the_daemon_is_printed_as_it_came(
    tmp_path: Path, api: Api, cli: Cli
) -> None:
    api.machine = Machine(tmp_path)
    await cli.run(*CREATE)
    ran = await cli.run("sandbox", "exec", "--timeout=1", "a", "--", "sh -c 'echo x; sleep 60'")
    assert (ran.code, ran.out) == (1, "")
    words = "request timeout: command execution timeout"
    assert (
        f'request failed with status 408: {{\\"statusCode\\":408,\\"message\\":\\"{words}'
        in ran.err
    )
    ran = await cli.run("sandbox", "exec", "a", "--", " ")
    assert (ran.code, "request failed with status 400" in ran.err) == (1, True)


async def test_exec_is_refused_unless_started(api: Api, cli: Cli) -> None:
    await cli.run(*CREATE)
    api.organisation.stop("a")
    ran = await cli.run("sandbox", "exec", "a", "--", "true")
    assert "sandbox is stopped. Start it with: daytona sandbox start a" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("sandbox", "exec", "a", "--", "true"), id="a later command"),
        pytest.param(("sandbox", "nope"), id="no command"),
        pytest.param(("sandbox",), id="nothing"),
        pytest.param(("snapshot", "build", "x"), id="of snapshots"),
    ],
)
async def test_what_is_no_command_of_a_release_prints_help_and_is_called_a_success(
    tmp_path: Path, api: Api, arguments: Sequence[str]
) -> None:
    ran = await Cli(tmp_path, api, "0.134.0").run(*arguments)
    assert (ran.code, ran.err, api.faults.calls) == (0, "", [])
    assert "Available Commands:\n" in ran.out
    assert "  exec " not in ran.out


async def test_a_flag_of_a_later_command_is_refused(tmp_path: Path, api: Api) -> None:
    ran = await Cli(tmp_path, api, "0.134.0").run("sandbox", "exec", "--timeout=9", "a")
    assert (ran.code, "unknown flag: --timeout" in ran.err) == (1, True)


async def test_exec_empties_the_profiles_for_a_moment_and_another_run_finds_nothing(
    tmp_path: Path, api: Api, cli: Cli
) -> None:
    await cli.run("login", "--api-key", "dtn_key")
    await cli.run(*CREATE)
    config = tmp_path / "config"
    (config / "wait").touch()
    first = asyncio.ensure_future(cli.run("sandbox", "exec", "a", "--", "echo hi"))
    await until((config / "empty").exists)
    second = await cli.run("sandbox", "exec", "a", "--", "echo hi")
    assert (second.code, "unexpected end of JSON input" in second.err) == (1, True)
    (config / "go-on").touch()
    assert (await first).out == "hi\n"
    assert "toolboxProxyUrls" in (config / "config.json").read_text()


@pytest.mark.parametrize(
    ("release", "call", "keys"),
    [
        pytest.param("0.101.0", "GET /sandbox", None, id="all at once"),
        pytest.param("0.179.0", "GET /sandbox/paginated", {"items", "page", "total"}, id="pages"),
        pytest.param("0.180.0", "GET /sandbox", {"items", "nextCursor"}, id="cursors"),
    ],
)
async def test_each_release_lists_in_its_own_way(
    tmp_path: Path, api: Api, release: str, call: str, keys: set[str] | None
) -> None:
    api.lists_all_at_once = release == "0.101.0"
    cli = Cli(tmp_path, api, release)
    if release == "0.101.0":
        await cli.run("login", "--api-key", "dtn_key")
    api.organisation.create({"name": "a", "snapshot": "agent-1"})
    listed = json.loads((await cli.run("sandbox", "list", "--format", "json")).out)
    assert api.faults.calls == [call]
    assert isinstance(listed, list) if keys is None else listed.keys() >= keys


async def test_the_warning_comes_before_an_error(cli: Cli) -> None:
    ran = await cli.run("sandbox", "delete", "nope")
    warning, fatal = ran.err.splitlines()
    assert ("Version mismatch" in warning, "Not Found" in fatal) == (True, True)


async def test_the_entrypoint_of_a_dockerfile_is_its_last_line_of_that_name(
    tmp_path: Path, api: Api, cli: Cli
) -> None:
    file = tmp_path / "Dockerfile"
    file.write_text('FROM x\nENTRYPOINT ["/bin/bash", "/app/execution.sh"]\nCMD ["x"]\n')
    ran = await cli.run("snapshot", "create", "agent-2", "--dockerfile", str(file))
    assert ran.code == 0, ran.err
    assert api.organisation.snapshots["agent-2"].entrypoint == ("/bin/bash", "/app/execution.sh")
    listed = json.loads((await cli.run("snapshot", "list", "--format", "json")).out)
    assert [each["name"] for each in listed] == ["daytonaio/sandbox:0.4.3", "agent-1", "agent-2"]


async def test_a_planned_run_is_killed_or_prints_malformed_output(tmp_path: Path, cli: Cli) -> None:
    planned = [{"kind": "killed"}, {"kind": "print", "text": "}{", "code": 0}]
    (tmp_path / FAULTS).write_text(json.dumps(planned))
    assert (await cli.run("sandbox", "list")).code == -9
    assert await cli.run("sandbox", "list") == (0, "}{", "")
    assert (await cli.run("sandbox", "list")).code == 0


@pytest.mark.parametrize(
    ("image", "message"),
    [
        pytest.param("x:latest", "tag 'latest' not allowed", id="latest"),
        pytest.param("registry:5000/x:1", "must contain exactly one colon", id="a port"),
        pytest.param("x:1", "not found locally", id="not here"),
    ],
)
async def test_only_a_tagged_image_of_this_host_can_be_pushed(
    cli: Cli, image: str, message: str
) -> None:
    ran = await cli.run("snapshot", "push", image, "--name", "agent-2")
    assert (ran.code, message in ran.err) == (1, True)
