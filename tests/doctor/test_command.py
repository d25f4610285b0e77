"""The command `slipgate doctor`: output, exit code, and clean-up after Ctrl-C."""

import asyncio
import json
import signal
from asyncio.subprocess import PIPE, Process

from tests.daytona.api import Api
from tests.daytona.organisation import Habits
from tests.doctor.installation import Installation
from tests.forks.programs import shared, slipgate


async def _started(installation: Installation, *command: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *command, "--live", env=installation.environ, stdout=PIPE, stderr=PIPE
    )


def _doctor() -> str:
    """The program that `slipgate doctor` becomes, which one test starts as such."""
    return shared("doctor", "launcher.doctor.__main__:main")


async def test_json_holds_all_findings_and_the_exit_code_their_outcome(
    installation: Installation,
) -> None:
    process = await _started(installation, _doctor(), "--json")
    out, err = await process.communicate()
    found = json.loads(out)
    ill = [check["name"] for check in found["checks"] if check["outcome"] == "failed"]
    assert (process.returncode, found["ok"], ill) == (1, False, ["public URL"]), err.decode()
    (trial,) = found["trials"]
    assert (trial["provider"], trial["isDeleted"]) == ("daytona-api", True)
    assert "nothing to report" in found["supportReport"]
    for secret in ("DAYTONA_API_KEY", "GITHUB_TOKEN", "SLIPGATE_API_KEY"):
        assert installation.environ[secret] not in out.decode()


async def test_text_output_has_a_line_for_each_check_and_its_advice(
    api: Api, installation: Installation
) -> None:
    installation.environ["DAYTONA_API_KEY"] = "dtn_revoked_key"
    process = await _started(installation, _doctor())
    out, err = await process.communicate()
    assert process.returncode == 1
    assert "failed   Daytona API" in out.decode()
    assert "→ Look at DAYTONA_API_KEY" in out.decode()
    assert "No sandbox is made" in err.decode()
    assert "dtn_revoked_key" not in out.decode() + err.decode()
    assert api.organisation.sandboxes == {}


async def test_ctrl_c_deletes_what_was_made(api: Api, installation: Installation) -> None:
    api.organisation.habits = Habits(start_seconds=10_000)
    process = await _started(installation, slipgate(), "doctor")
    async with asyncio.timeout(60):
        while not api.organisation.living():  # noqa: ASYNC110 - the stand-in knows no events
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert process.returncode == 1
    assert "interrupted" in err.decode()
    assert "Traceback" not in err.decode()
    assert api.organisation.living() == []
