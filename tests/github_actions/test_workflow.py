"""The shipped workflow: its permissions, its inputs, and its steps."""

import hashlib
import re
from pathlib import Path

import pytest

from gateway.wire.environment import SettingsError
from launcher.providers.github_actions import WORKFLOW_PROVIDERS
from launcher.settings import read_settings
from tests.github_actions.workflow import Runner, Workflow

INSTALL = "Install Daytona's CLI, by its checksum"
BINARY = "#!/bin/sh\necho stand-in\n"


@pytest.fixture
def workflow() -> Workflow:
    return Workflow()


def test_it_may_do_nothing_and_is_given_one_thing(workflow: Workflow) -> None:
    assert workflow.document["permissions"] == {}
    assert "permissions" not in workflow.job
    assert list(workflow.inputs) == ["job"]
    assert list(workflow.document[True]) == ["workflow_dispatch"]


def test_no_script_holds_an_expression(workflow: Workflow) -> None:
    scripts = [step["run"] for step in workflow.steps if "run" in step]
    assert len(scripts) == 4
    assert not [script for script in scripts if "${{" in script]


def test_everything_from_elsewhere_is_pinned(workflow: Workflow) -> None:
    used = [step["uses"] for step in workflow.steps if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", name) for name in used)
    assert re.fullmatch(r"[0-9a-f]{64}", workflow.step(INSTALL)["env"]["SHA256"])
    assert "latest" not in workflow.text
    checkout = next(step for step in workflow.steps if "uses" in step)
    assert checkout["with"] == {"persist-credentials": False}


def test_runs_of_one_job_wait_for_each_other_and_are_found_by_it(workflow: Workflow) -> None:
    assert workflow.document["run-name"] == "slipgate ${{ inputs.job }}"
    assert workflow.document["concurrency"] == {
        "group": "slipgate-${{ inputs.job }}",
        "cancel-in-progress": False,
    }
    assert workflow.job["timeout-minutes"] <= 15


def test_secrets_are_given_to_the_last_step_alone(workflow: Workflow) -> None:
    with_secrets = [step["name"] for step in workflow.steps if "secrets." in str(step)]
    assert with_secrets == ["Do the job"]
    assert "secrets." not in str(workflow.job["env"])


def test_its_launcher_has_the_providers_for_whose_jobs_it_is_asked(workflow: Workflow) -> None:
    given = workflow.step("Do the job")["env"]
    assert tuple(given["SLIPGATE_PROVIDERS"].split(",")) == WORKFLOW_PROVIDERS
    needed = {"SLIPGATE_URL": "http://127.0.0.1:9", "SLIPGATE_API_KEY": "k", "DAYTONA_API_KEY": "k"}
    empty = {name: "" if "${{" in str(text) else str(text) for name, text in given.items()}
    assert read_settings({**empty, **needed}).providers == WORKFLOW_PROVIDERS
    with pytest.raises(SettingsError) as raised:
        read_settings(empty)
    assert {problem.split()[0] for problem in raised.value.problems} == set(needed)


def test_its_launcher_gets_all_that_a_sandboxs_pull_request_needs(workflow: Workflow) -> None:
    given = workflow.step("Do the job")["env"]
    app = ("SLIPGATE_GITHUB_APP_ID", "SLIPGATE_GITHUB_APP_PRIVATE_KEY")
    pulls = ("SLIPGATE_PULL_REQUESTS", "SLIPGATE_SIGNING_KEY")
    for name in (*app, "SLIPGATE_GITHUB_APP_WORKFLOWS", *pulls):
        kind = "secrets" if name.endswith("_KEY") else "vars"
        assert given[name] == f"${{{{ {kind}.{name} }}}}"


@pytest.mark.parametrize(
    ("job", "code"),
    [
        pytest.param("job_01k9-1-create", 0, id="a job"),
        pytest.param("job_1-2-inspect-3", 0, id="another"),
        pytest.param("", 2, id="nothing"),
        pytest.param("$(touch evil)", 2, id="a command"),
        pytest.param("job_x\ntouch evil", 2, id="two lines"),
        pytest.param("--help", 2, id="an option"),
    ],
)
async def test_only_the_id_of_a_job_gets_further(
    workflow: Workflow, tmp_path: Path, job: str, code: int
) -> None:
    runner = Runner(workspace=tmp_path, workflow=workflow)
    assert (await runner.step("Is it the id of a job?", job)).code == code
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_genuine", [True, False], ids=["genuine", "changed"])
async def test_a_cli_of_another_checksum_is_not_used(
    workflow: Workflow, tmp_path: Path, is_genuine: bool
) -> None:
    curl = tmp_path / "curl"
    curl.write_text(
        '#!/bin/sh\nfor word; do address=$word; done\necho "$address" > address\n'
        f"printf '%s' '{BINARY}' > bin/daytona\n"
    )
    curl.chmod(0o755)
    checksum = hashlib.sha256(BINARY.encode()).hexdigest()
    runner = Runner(
        workspace=tmp_path,
        workflow=workflow,
        path=f"{tmp_path}:/usr/bin:/bin",
        env={"SHA256": checksum} if is_genuine else {},
    )
    ran = await runner.step(INSTALL, "job_1")
    assert (ran.code == 0) is is_genuine, ran.out
    assert bool((tmp_path / "bin" / "daytona").stat().st_mode & 0o100) is is_genuine
    version = workflow.step(INSTALL)["env"]["VERSION"]
    assert (
        f"/releases/download/v{version}/daytona-linux-amd64" in (tmp_path / "address").read_text()
    )
