"""The stand-in API against the facts about the real one."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.daytona.api import Api, opened
from tests.daytona.faults import Fault
from tests.daytona.machine import Machine
from tests.daytona.organisation import Habits, Organisation, Snapshot
from tests.daytona.releases import LAST_DAEMON, Version
from tests.launcher.conditions import until

REQUIRED = {
    *("id", "organizationId", "name", "user", "env", "labels", "public", "networkBlockAll"),
    *("target", "cpu", "gpu", "memory", "disk", "toolboxProxyUrl"),
}


class Clock:
    """A clock that is set by the test (seconds)."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def api(tmp_path: Path, clock: Clock) -> AsyncIterator[Api]:
    """An organisation with one snapshot of ours."""
    organisation = Organisation(clock)
    organisation.add_snapshot(Snapshot(name="agent-1"))
    async with opened(Api(organisation=organisation, machine=Machine(tmp_path))) as made:
        yield made


@pytest_asyncio.fixture
async def http(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": "Bearer dtn_key"}
    async with httpx.AsyncClient(base_url=api.url, headers=headers, timeout=60) as client:
        yield client


async def test_a_sandbox_is_answered_as_creating_and_found_by_id_and_name(
    http: httpx.AsyncClient,
) -> None:
    made = (await http.post("/sandbox", json={"name": "a", "snapshot": "agent-1"})).json()
    assert made["state"] == "creating"
    assert made.keys() >= REQUIRED
    for name in ("a", made["id"]):
        found = (await http.get(f"/sandbox/{name}")).json()
        assert (found["id"], found["state"], found["snapshot"]) == (
            made["id"],
            "started",
            "agent-1",
        )


@pytest.mark.parametrize(
    ("wanted", "status", "message"),
    [
        pytest.param({"name": "a", "snapshot": "agent-1"}, 409, "already exists", id="name"),
        pytest.param(
            {"snapshot": "nope"}, 400, "Did you add it through the Daytona Dashboard?", id="unknown"
        ),
        pytest.param({"snapshot": "old"}, 400, "Snapshot old is inactive", id="inactive"),
        pytest.param(
            {"snapshot": "agent-1", "cpu": 4}, 400, "Cannot specify Sandbox resources", id="cpu"
        ),
    ],
)
async def test_a_rejected_create_has_the_text_of_daytona(
    api: Api, http: httpx.AsyncClient, wanted: dict[str, object], status: int, message: str
) -> None:
    api.organisation.add_snapshot(Snapshot(name="old", state="inactive"))
    await http.post("/sandbox", json={"name": "a", "snapshot": "agent-1"})
    refused = await http.post("/sandbox", json=wanted)
    assert refused.status_code == status
    assert message in refused.json()["message"]
    assert refused.json()["statusCode"] == status


async def test_a_quota_is_a_400_that_only_its_text_tells_apart(
    api: Api, http: httpx.AsyncClient
) -> None:
    api.organisation.habits = Habits(max_sandboxes=0)
    refused = await http.post("/sandbox", json={"snapshot": "agent-1"})
    assert (refused.status_code, refused.json()["error"]) == (400, "Bad Request")
    assert "CPU limit exceeded" in refused.json()["message"]


async def test_a_blank_snapshot_and_an_ignored_one_give_the_default(
    api: Api, http: httpx.AsyncClient
) -> None:
    assert (await http.post("/sandbox", json={})).json()["snapshot"] == "daytonaio/sandbox:0.4.3"
    api.organisation.habits = Habits(ignores_snapshot=True)
    made = (await http.post("/sandbox", json={"snapshot": "agent-1"})).json()
    assert made["snapshot"] == "daytonaio/sandbox:0.4.3"


async def test_deleting_is_accepted_first_and_frees_the_name_at_once(
    api: Api, http: httpx.AsyncClient, clock: Clock
) -> None:
    api.organisation.habits = Habits(destroy_seconds=5)
    made = (await http.post("/sandbox", json={"name": "a", "snapshot": "agent-1"})).json()
    assert (await http.delete("/sandbox/a")).json()["state"] == "destroying"
    assert (await http.get("/sandbox/a")).status_code == 404
    assert (await http.get(f"/sandbox/{made['id']}")).json()["state"] == "destroying"
    clock.now += 5
    assert (await http.get(f"/sandbox/{made['id']}")).status_code == 404


async def test_a_failed_start_leaves_a_sandbox_that_holds_the_name(
    api: Api, http: httpx.AsyncClient
) -> None:
    api.organisation.habits = Habits(fails_to_start="no runner")
    refused = await http.post("/sandbox", json={"name": "a", "snapshot": "agent-1"})
    assert refused.json()["message"] == "Sandbox failed to start: no runner"
    left = (await http.get("/sandbox/a")).json()
    assert (left["state"], left["errorReason"]) == ("error", "no runner")


async def test_the_list_is_eventually_consistent(
    api: Api, http: httpx.AsyncClient, clock: Clock
) -> None:
    api.organisation.habits = Habits(list_lag_seconds=3)
    await http.post("/sandbox", json={"snapshot": "agent-1", "labels": {"k": "v"}})
    query = {"labels": '{"k": "v"}'}
    assert (await http.get("/sandbox", params=query)).json()["items"] == []
    clock.now += 3
    (listed,) = (await http.get("/sandbox", params=query)).json()["items"]
    assert "env" not in listed
    await http.delete(f"/sandbox/{listed['id']}")
    assert len((await http.get("/sandbox", params=query)).json()["items"]) == 1
    assert (await http.get("/sandbox", params={"labels": '{"k": "w"}'})).json()["items"] == []


async def test_auto_stop_stops_a_busy_sandbox_and_zero_means_never(
    http: httpx.AsyncClient, clock: Clock
) -> None:
    for name, interval in (("a", 15), ("b", 0)):
        wanted = {"name": name, "snapshot": "agent-1", "autoStopInterval": interval}
        await http.post("/sandbox", json=wanted)
    clock.now += 15 * 60
    assert (await http.get("/sandbox/a")).json()["state"] == "stopped"
    assert (await http.get("/sandbox/b")).json()["state"] == "started"


@pytest.mark.parametrize(
    ("key", "status"),
    [pytest.param("wrong", 401, id="unknown key"), pytest.param("weak", 403, id="missing scope")],
)
async def test_keys_and_scopes_are_checked(
    api: Api, http: httpx.AsyncClient, key: str, status: int
) -> None:
    api.keys["weak"] = frozenset()
    refused = await http.post("/sandbox", json={}, headers={"Authorization": f"Bearer {key}"})
    assert refused.status_code == status


async def test_a_response_can_be_lost_after_the_change(api: Api, http: httpx.AsyncClient) -> None:
    api.faults.plan("POST /sandbox", Fault(kind="lost"), Fault(kind="refused"), Fault(kind="html"))
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            await http.post("/sandbox", json={"name": "a", "snapshot": "agent-1"})
    page = await http.post("/sandbox", json={"name": "b", "snapshot": "agent-1"})
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html; charset=utf-8")
    assert [each.name for each in api.organisation.living()] == ["a"]


async def test_a_running_sandbox_executes_commands_and_shows_its_entrypoint(
    api: Api, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    api.machine = Machine(tmp_path, program=("sh", "-c", "echo hello; exit 3"))
    wanted = {"name": "a", "snapshot": "agent-1", "env": {"A": "1"}}
    made = (await http.post("/sandbox", json=wanted)).json()
    await http.get("/sandbox/a")
    base = f"{api.toolbox}/{made['id']}/process"
    done = (await http.post(f"{base}/execute", json={"command": "sh -c 'echo $A; exit 4'"})).json()
    assert done == {"exitCode": 4, "result": "1\n"}
    assert api.machine.log(made["id"]).endswith("hello\n")
    await http.post("/sandbox/a/stop")
    assert (await http.post(f"{base}/execute", json={"command": "true"})).status_code == 400


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        pytest.param((0, 150, 0), ("command execution timeout", "text/plain"), id="alone"),
        pytest.param(LAST_DAEMON, ("request timeout: command", "application/json"), id="group"),
    ],
)
async def test_a_command_that_takes_too_long_is_ended_as_its_release_does(
    api: Api, http: httpx.AsyncClient, tmp_path: Path, release: Version, expected: tuple[str, str]
) -> None:
    api.machine = Machine(tmp_path, release=release)
    made = (await http.post("/sandbox", json={"snapshot": "agent-1"})).json()
    command = {"command": "sh -c 'sleep 1; sleep 20'", "timeout": 0.1}
    refused = await http.post(f"{api.toolbox}/{made['id']}/process/execute", json=command)
    message, media_type = expected
    assert refused.status_code == 408
    assert refused.json()["message"].startswith(message)
    assert refused.headers["content-type"].startswith(media_type)


async def test_an_entrypoint_is_asked_to_end_before_its_sandbox_stops(
    api: Api, http: httpx.AsyncClient, tmp_path: Path
) -> None:
    waits = "trap 'touch asked; exit' TERM; touch begun; while :; do sleep 0.05; done"
    api.machine = Machine(tmp_path, program=("sh", "-c", waits))
    made = (await http.post("/sandbox", json={"name": "a", "snapshot": "agent-1"})).json()
    await http.get("/sandbox/a")
    await until((tmp_path / made["id"] / "begun").exists)
    await http.post("/sandbox/a/stop")
    assert (tmp_path / made["id"] / "asked").exists()
    assert not api.machine.log_file(made["id"]).exists()


async def test_a_key_describes_itself_without_showing_itself(
    api: Api, http: httpx.AsyncClient
) -> None:
    key = (await http.get("/api-keys/current")).json()
    assert key["permissions"] == ["delete:sandboxes", "write:sandboxes", "write:snapshots"]
    assert "dtn_key" not in key.values()
    api.tells_scopes = False
    assert (await http.get("/api-keys/current")).status_code == 404


async def test_a_snapshot_is_built_and_activated_in_a_while(
    api: Api, http: httpx.AsyncClient, clock: Clock
) -> None:
    api.organisation.habits = Habits(build_seconds=60)
    built = (await http.post("/snapshots", json={"name": "agent-2"})).json()
    assert (built["state"], built["entrypoint"]) == ("building", ["sleep", "infinity"])
    clock.now += 60
    assert (await http.get("/snapshots/agent-2")).json()["state"] == "active"
    api.organisation.snapshots["agent-2"].state = "inactive"
    woken = (await http.post(f"/snapshots/{built['id']}/activate")).json()
    assert woken["state"] == "pulling"
    clock.now += 60
    assert (await http.get("/snapshots/agent-2")).json()["state"] == "active"
    assert (await http.post(f"/snapshots/{built['id']}/activate")).status_code == 400


async def test_a_build_that_failed_stays_with_its_reason(api: Api, http: httpx.AsyncClient) -> None:
    api.organisation.habits = Habits(fails_to_build="no space left on device")
    await http.post("/snapshots", json={"name": "agent-2"})
    found = (await http.get("/snapshots/agent-2")).json()
    assert (found["state"], found["errorReason"]) == ("build_failed", "no space left on device")
