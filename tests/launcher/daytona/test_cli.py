"""`daytona-cli` alone: the program, its release and its environment."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio
from msgspec.structs import replace

from gateway.wire.launcher import Trying
from launcher.client import Client
from launcher.jobs.context import LauncherContext
from launcher.jobs.run import run_job
from launcher.providers.daytona.api import DaytonaApi
from launcher.providers.daytona.api_client import DaytonaApiClient, open_daytona
from launcher.providers.daytona.cli import DaytonaCli
from launcher.providers.daytona.cli_client import DaytonaCliClient, open_cli_client
from launcher.providers.program import Program
from launcher.providers.protocol import ProviderError, ProviderUnusable
from launcher.settings import CreateOptions
from tests.daytona.api import Api, opened
from tests.daytona.cli import FAULTS, install
from tests.daytona.faults import Fault
from tests.daytona.machine import Executed, Machine
from tests.daytona.organisation import Organisation, Snapshot
from tests.launcher.clock import Time
from tests.launcher.conditions import until
from tests.launcher.gateway_stub import StubGateway
from tests.launcher.jobs import INSTANCE, KEY, LABELS, NAME, a_job, a_spec
from tests.launcher.lines import LOG

WITHOUT_EXEC = ("0.101.0", "0.116.0", "0.134.0")


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    organisation = Organisation(asyncio.get_running_loop().time)
    organisation.add_snapshot(Snapshot(name="slipgate-agent-1"))
    async with opened(Api(organisation=organisation, machine=Machine(tmp_path))) as made:
        yield made


def terminal(folder: Path, api: Api, release: str) -> DaytonaCliClient:
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    return open_cli_client(
        folder / "cli",
        path=str(install(programs, release)),
        url=api.url,
        api_key="dtn_key",
        environ={"PATH": os.defpath, "SHELL": "/bin/bash", "SECRET": "of the host"},
    )


def provider(folder: Path, api: Api, release: str = "0.205.1") -> DaytonaCli:
    time = Time()
    return DaytonaCli(
        terminal(folder, api, release),
        realm="r",
        options=CreateOptions(ttl_minutes=90),
        sleep=time.sleep,
        clock=time.clock,
    )


@pytest.mark.parametrize(
    ("release", "ttl"),
    [
        pytest.param("0.135.0", None, id="the first with exec"),
        pytest.param("0.190.0", None, id="before --ttl"),
        pytest.param("0.205.1", 90, id="recent"),
    ],
)
async def test_every_release_with_exec_makes_the_same_sandbox(
    tmp_path: Path, api: Api, release: str, ttl: int | None
) -> None:
    found = await provider(tmp_path, api, release).create(a_spec({"A": "--b=c"}))
    (made,) = api.organisation.living()
    assert (found.id, made.name, dict(made.env)) == (made.id, NAME, {"A": "--b=c"})
    assert made.settings["autoStopInterval"] == 0
    assert made.settings.get("ttlMinutes") == ttl


@pytest.mark.parametrize("release", WITHOUT_EXEC)
async def test_a_release_without_exec_is_refused_before_anything_is_made(
    tmp_path: Path, api: Api, release: str
) -> None:
    with pytest.raises(ProviderUnusable, match=r"v0\.135 or later") as refused:
        await provider(tmp_path, api, release).create(a_spec())
    assert not refused.value.retryable
    assert api.organisation.living() == []


@pytest.mark.parametrize("release", WITHOUT_EXEC[1:])
async def test_what_was_made_before_is_found_and_destroyed_without_exec(
    tmp_path: Path, api: Api, client: Client, gateway: StubGateway, release: str
) -> None:
    api.organisation.create({"name": NAME, "snapshot": "slipgate-agent-1", "labels": LABELS})
    time = Time()
    there = provider(tmp_path, api, release)
    context = LauncherContext(
        client=client, providers=(there,), forwarded_env={}, sleep=time.sleep, clock=time.clock
    )
    assert await run_job(context, a_job("inspect", lease_seconds=36_000), LOG)
    seen = gateway.done()
    assert seen.sandbox
    assert (seen.sandbox.state, seen.process) == ("started", None)
    assert "v0.135 or later" in (seen.diagnosis or "")
    assert await run_job(context, a_job("destroy", lease_seconds=36_000), LOG)
    assert gateway.done().sandbox == replace(seen.sandbox, state="destroyed")
    assert api.organisation.living() == []


async def test_a_cli_that_cannot_be_used_leaves_the_launch_to_the_others_of_the_chain(
    tmp_path: Path, api: Api, client: Client, gateway: StubGateway
) -> None:
    api.faults.plan("POST /sandbox", Fault(kind="status", status=503))
    time = Time()
    async with open_daytona(api.url, "dtn_key") as http:
        first = DaytonaApi(
            DaytonaApiClient(http),
            realm="r",
            options=CreateOptions(),
            sleep=time.sleep,
            clock=time.clock,
        )
        context = LauncherContext(
            client=client,
            providers=(first, provider(tmp_path, api, "0.134.0")),
            forwarded_env={},
            sleep=time.sleep,
            clock=time.clock,
        )
        assert await run_job(context, a_job("create", lease_seconds=36_000), LOG)
    assert [each.name for each in api.organisation.living()] == [NAME]
    notes = [report.note for _, _, report in gateway.reports if isinstance(report, Trying)]
    assert ["v0.135" in (note or "") for note in notes] == [False, False, True]


@pytest.mark.parametrize(
    ("release", "has_profile"),
    [
        pytest.param("0.127.0", True, id="before variables counted"),
        pytest.param("0.128.0", False, id="since"),
        pytest.param("0.0.0", False, id="a developer's build"),
    ],
)
async def test_only_a_release_that_needs_a_profile_gets_one(
    tmp_path: Path, api: Api, release: str, has_profile: bool
) -> None:
    await terminal(tmp_path, api, release).try_run("sandbox", "--help")
    settings = (tmp_path / "cli" / "configuration" / "config.json").read_text()
    assert ("dtn_key" in settings) is has_profile
    assert has_profile or json.loads(settings) == {"activeProfile": "", "profiles": []}


@pytest.mark.parametrize("release", ["0.135.0", "0.205.1"])
async def test_runs_beside_each_other_never_find_an_emptied_configuration(
    tmp_path: Path, api: Api, release: str
) -> None:
    made = await provider(tmp_path, api, release).create(a_spec())
    cli = terminal(tmp_path, api, release)
    (tmp_path / "cli" / "configuration" / "wait").touch()
    runs = (cli.run("sandbox", "exec", made.id, "--", "echo hi") for _ in range(4))
    assert await asyncio.gather(*runs) == ["hi\n"] * 4
    assert not (tmp_path / "cli" / "configuration" / "empty").exists()


async def test_a_command_is_given_the_time_that_ending_an_agent_takes(
    tmp_path: Path, api: Api
) -> None:
    there = provider(tmp_path, api)
    made = await there.create(a_spec())
    asked: list[float | None] = []

    class Watched(Machine):
        async def execute(
            self, sandbox_id: str, env: Mapping[str, str], command: str, timeout: float | None
        ) -> Executed:
            asked.append(timeout)
            return Executed(0, "")

    api.machine = Watched(tmp_path)
    await there.stop(made.key)
    assert asked == [15.0]


@pytest.mark.parametrize(
    "release", [pytest.param("0.179.0", id="numbered pages"), pytest.param("0.180.0", id="cursors")]
)
async def test_old_and_new_lists_are_read_to_the_end(
    tmp_path: Path, api: Api, release: str
) -> None:
    for number in range(120):
        labels = {"slipgate-instance": INSTANCE}
        api.organisation.create({"name": f"n{number}", "labels": labels})
    api.organisation.create({"name": "foreign"})
    found = await provider(tmp_path, api, release).list_sandboxes(INSTANCE)
    assert len({each.id for each in found}) == 120


async def test_the_program_finds_a_home_of_its_own_and_nothing_of_ours(
    tmp_path: Path, api: Api
) -> None:
    cli = terminal(tmp_path, api, "0.205.1")
    await cli.run("sandbox", "list")
    home = tmp_path / "cli" / "home"
    assert list(home.iterdir()) == []
    assert list((tmp_path / "cli" / "empty").iterdir()) == []
    assert (tmp_path / "cli" / "configuration" / "config.json").stat().st_mode & 0o777 == 0o600
    environment = Program("/usr/bin/env", environ=cli.environ, folder=tmp_path)
    shown = (await environment.run(seconds=20)).out
    assert "SHELL" not in shown
    assert "of the host" not in shown


async def test_a_create_that_was_killed_is_looked_up(tmp_path: Path, api: Api) -> None:
    made = provider(tmp_path, api)
    await made.create(a_spec())
    planned = [{"kind": "killed"}]
    (tmp_path / "bin" / FAULTS).write_text(json.dumps(planned))
    assert (await made.create(a_spec())).key.id == api.organisation.living()[0].id


HELP = """\x1b[1mCreate a new sandbox\x1b[0m

Flags:
      --auto-stop int32   Minutes; see --ttl for
                          --name and the like
  -e, --env stringArray   Variables
"""


async def test_a_flag_is_known_by_its_definition_not_by_the_text_of_another(
    tmp_path: Path, api: Api
) -> None:
    cli = terminal(tmp_path, api, "0.205.1")
    version = {"kind": "print", "text": "Daytona CLI version v0.205.1"}
    (tmp_path / "bin" / FAULTS).write_text(json.dumps([version, {"kind": "print", "text": HELP}]))
    assert await cli.flags("sandbox", "create") == {"auto-stop", "env"}


@pytest.mark.parametrize(
    ("release", "state", "seen"),
    [
        pytest.param("0.135.0", "paused", "stopped", id="printed as an error"),
        pytest.param("0.150.0", "teleporting", "creating", id="unknown and printed"),
        pytest.param("0.168.0", "resizing", "creating", id="known"),
        pytest.param("0.180.0", "paused", "creating", id="a number in its place"),
    ],
)
async def test_a_state_that_a_release_does_not_know_hides_no_sandbox(
    tmp_path: Path, api: Api, release: str, state: str, seen: str
) -> None:
    there = provider(tmp_path, api, release)
    made = await there.create(a_spec({"LINES": 'a\n"b\\n"'}))
    api.organisation.find(made.id).changes = [(0.0, state)]
    found = await there.find(made.key)
    assert found
    assert (found.id, found.state, found.labels) == (made.id, seen, LABELS)
    assert [each.state for each in await there.list_sandboxes(INSTANCE)] == [seen]
    await there.remove(made.key)
    assert api.organisation.living() == []


async def test_a_release_that_hides_an_unknown_state_asks_for_a_newer_one(
    tmp_path: Path, api: Api
) -> None:
    there = provider(tmp_path, api, "0.168.0")
    made = await there.create(a_spec())
    api.organisation.find(made.id).changes = [(0.0, "paused")]
    with pytest.raises(ProviderError, match=r"state `paused`\. Install a newer release") as failed:
        await there.find(made.key)
    assert failed.value.retryable


async def test_notices_around_a_document_are_no_part_of_it(tmp_path: Path, api: Api) -> None:
    there = provider(tmp_path, api)
    made = await there.create(a_spec())
    shown = json.dumps({"id": made.id, "name": NAME, "labels": LABELS, "state": "started"})
    nulls = json.dumps({"id": made.id, "name": NAME, "labels": None, "state": None}, indent=2)
    planned = [
        f"[notice] a newer release is there\n\x1b[33m{{beta}}\x1b[0m\n{shown}\nBye.\n",
        f"\x1b[?25l{nulls}\n\x1b[?25h[done]\n",
    ]
    faults = [{"kind": "print", "text": text} for text in planned]
    (tmp_path / "bin" / FAULTS).write_text(json.dumps(faults))
    states = [found.state for _ in planned if (found := await there.find(KEY))]
    assert states == ["started", "creating"]


async def test_malformed_output_is_no_result(tmp_path: Path, api: Api) -> None:
    made = provider(tmp_path, api)
    await made.create(a_spec())
    (tmp_path / "bin" / FAULTS).write_text(json.dumps([{"kind": "print", "text": "}{"}]))
    with pytest.raises(ProviderError, match="no JSON") as failed:
        await made.find(KEY)
    assert failed.value.retryable


async def test_a_program_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    script = tmp_path / "hangs"
    script.write_text(
        "#!/bin/sh\n(sleep 600 & echo $! > child; wait) &\n"
        "while ! [ -s child ]; do sleep 0.01; done; echo half; exec sleep 600\n"
    )
    script.chmod(0o755)
    ran = await Program(str(script), environ={"PATH": os.defpath}, folder=tmp_path).run(seconds=1.5)
    assert (ran.code, ran.out) == (None, "half\n")
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}")
    await until(lambda: not child.exists() or " Z " in (child / "stat").read_text())


async def test_output_beyond_the_limit_is_discarded(tmp_path: Path) -> None:
    script = tmp_path / "prints"
    script.write_text("#!/bin/sh\nhead -c 20000000 /dev/zero | tr '\\0' x\n")
    script.chmod(0o755)
    ran = await Program(str(script), environ={"PATH": os.defpath}, folder=tmp_path).run(seconds=30)
    assert (ran.code, len(ran.out)) == (0, 16 * 1024 * 1024)


async def test_an_answer_that_an_old_release_prints_is_not_passed_on(
    tmp_path: Path, api: Api
) -> None:
    there = provider(tmp_path, api)
    text = 'time="T" level=fatal msg="{\\"items\\":[{\\"env\\":{\\"KEY\\":\\"of another\\"}}]}"'
    script = tmp_path / "bin" / "daytona"
    script.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{text}\nEND\nexit 1\n")
    with pytest.raises(ProviderError, match="cannot read what the API answers") as failed:
        await there.find(KEY)
    assert "of another" not in failed.value.message
    assert failed.value.retryable


async def test_a_missing_cli_is_reported_with_advice(tmp_path: Path) -> None:
    missing = open_cli_client(
        tmp_path, path="daytona-not-here", url="http://127.0.0.1:9/api", api_key="k", environ={}
    )
    with pytest.raises(ProviderError, match="Install Daytona's CLI") as failed:
        await missing.version()
    assert not failed.value.retryable
