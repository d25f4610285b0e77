"""`daytona-cli` alone: what depends on the program, its release and its surroundings."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from launcher.providers.daytona.cli import DaytonaCli
from launcher.providers.daytona.sandboxes import Wishes
from launcher.providers.daytona.terminal import Terminal, open_terminal
from launcher.providers.program import Program
from launcher.providers.protocol import ProviderError
from tests.daytona.api import Api, opened
from tests.daytona.cli import FAULTS, install
from tests.daytona.machine import Machine
from tests.daytona.organisation import Organisation, Snapshot
from tests.launcher.clock import Time
from tests.launcher.jobs import INSTANCE, KEY, NAME, an_order
from tests.launcher.waiting import until


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    organisation = Organisation(asyncio.get_running_loop().time)
    organisation.add_snapshot(Snapshot(name="slipgate-agent-1"))
    async with opened(Api(organisation=organisation, machine=Machine(tmp_path))) as made:
        yield made


def terminal(folder: Path, api: Api, release: str) -> Terminal:
    """The CLI of a release."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    return open_terminal(
        folder / "cli",
        path=str(install(programs, release)),
        url=api.url,
        api_key="dtn_key",
        environ={"PATH": os.defpath, "SHELL": "/bin/bash", "SECRET": "of the host"},
    )


def provider(folder: Path, api: Api, release: str = "0.205.1") -> DaytonaCli:
    """The provider with that CLI."""
    time = Time()
    return DaytonaCli(
        terminal(folder, api, release),
        realm="r",
        wishes=Wishes(ttl_minutes=90),
        sleep=time.sleep,
        clock=time.clock,
    )


@pytest.mark.parametrize(
    ("release", "ttl"),
    [
        pytest.param("0.116.0", None, id="before variables counted"),
        pytest.param("0.190.0", None, id="before --ttl"),
        pytest.param("0.205.1", 90, id="recent"),
    ],
)
async def test_every_release_with_names_makes_the_same_sandbox(
    tmp_path: Path, api: Api, release: str, ttl: int | None
) -> None:
    found = await provider(tmp_path, api, release).create(an_order({"A": "--b=c"}))
    (made,) = api.organisation.living()
    assert (found.id, made.name, dict(made.env)) == (made.id, NAME, {"A": "--b=c"})
    assert made.settings["autoStopInterval"] == 0
    assert made.settings.get("ttlMinutes") == ttl


async def test_a_release_that_cannot_name_is_refused_before_anything_is_made(
    tmp_path: Path, api: Api
) -> None:
    with pytest.raises(ProviderError, match=r"v0\.110") as refused:
        await provider(tmp_path, api, "0.101.0").create(an_order())
    assert not refused.value.retryable
    assert api.organisation.living() == []


async def test_old_and_new_lists_are_read_to_the_end(tmp_path: Path, api: Api) -> None:
    for number in range(120):
        labels = {"slipgate-instance": INSTANCE}
        api.organisation.create({"name": f"n{number}", "labels": labels})
    api.organisation.create({"name": "foreign"})
    found = await provider(tmp_path, api).survey(INSTANCE)
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
    await made.create(an_order())
    planned = [{"kind": "killed"}]
    (tmp_path / "bin" / FAULTS).write_text(json.dumps(planned))
    assert (await made.create(an_order())).key.id == api.organisation.living()[0].id


async def test_rubbish_on_its_output_is_no_answer(tmp_path: Path, api: Api) -> None:
    made = provider(tmp_path, api)
    await made.create(an_order())
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


async def test_output_beyond_the_bound_is_thrown_away(tmp_path: Path) -> None:
    script = tmp_path / "prints"
    script.write_text("#!/bin/sh\nhead -c 20000000 /dev/zero | tr '\\0' x\n")
    script.chmod(0o755)
    ran = await Program(str(script), environ={"PATH": os.defpath}, folder=tmp_path).run(seconds=30)
    assert (ran.code, len(ran.out)) == (0, 16 * 1024 * 1024)


async def test_a_cli_that_is_not_installed_is_said_with_what_to_do(tmp_path: Path) -> None:
    missing = open_terminal(
        tmp_path, path="daytona-not-here", url="http://127.0.0.1:9/api", api_key="k", environ={}
    )
    with pytest.raises(ProviderError, match="Install Daytona's CLI") as failed:
        await missing.version()
    assert not failed.value.retryable
