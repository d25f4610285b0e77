"""`slipgate doctor` as it is typed: what it prints, how it ends, and that Ctrl-C leaves nothing."""

import asyncio
import json
import signal
from asyncio.subprocess import PIPE, Process

from tests.daytona.api import Api
from tests.daytona.organisation import Habits
from tests.doctor.patient import Patient
from tests.forks.programs import slipgate


async def _typed(patient: Patient, *words: str) -> Process:
    return await asyncio.create_subprocess_exec(
        *(slipgate(), "doctor", *words), env=patient.environ, stdout=PIPE, stderr=PIPE
    )


async def test_one_document_holds_all_that_was_found_and_its_exit_code_says_whether_it_is_well(
    patient: Patient,
) -> None:
    process = await _typed(patient, "--live", "--json")
    out, err = await process.communicate()
    found = json.loads(out)
    ill = [check["name"] for check in found["checks"] if check["outcome"] == "failed"]
    assert (process.returncode, found["ok"], ill) == (1, False, ["public URL"]), err.decode()
    (trial,) = found["trials"]
    assert (trial["provider"], trial["isDeleted"]) == ("daytona-api", True)
    assert "nothing to report" in found["verdict"]
    for secret in ("DAYTONA_API_KEY", "GITHUB_TOKEN", "SLIPGATE_API_KEY"):
        assert patient.environ[secret] not in out.decode()


async def test_people_get_a_line_for_each_check_and_what_to_do_below(
    api: Api, patient: Patient
) -> None:
    patient.environ["DAYTONA_API_KEY"] = "dtn_revoked_key"
    process = await _typed(patient, "--live")
    out, err = await process.communicate()
    assert process.returncode == 1
    assert "failed   Daytona API" in out.decode()
    assert "→ Look at DAYTONA_API_KEY" in out.decode()
    assert "No sandbox is made" in err.decode()
    assert "dtn_revoked_key" not in out.decode() + err.decode()
    assert api.organisation.sandboxes == {}


async def test_ctrl_c_deletes_what_was_made(api: Api, patient: Patient) -> None:
    api.organisation.habits = Habits(start_seconds=10_000)
    process = await _typed(patient, "--live")
    async with asyncio.timeout(50):
        while not api.organisation.living():  # noqa: ASYNC110 - the stand-in knows no events
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
    assert process.returncode == 1
    assert "interrupted" in err.decode()
    assert "Traceback" not in err.decode()
    assert api.organisation.living() == []
