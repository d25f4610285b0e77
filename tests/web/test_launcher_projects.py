"""Launchers of one project beside those of another: nothing of the other is seen or changed."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from gateway.domain.launching.realm import LIVE_FOR
from tests.store.old import make_old
from tests.stores import FileDatabase, NewDatabase
from tests.web.callers import PROVIDER, GatewayHarness, Json, open_gateway, sandbox_of

OTHER = "other launcher"
REPORTS: dict[str, Json] = {
    "renew": {},
    "trying": {"provider": "local", "realm": "here", "name": "x", "try": 1},
    "created": {"sandbox": "of the job"},
    "done": {"sandbox": "of the job"},
    "failed": {"error": {"code": "x", "message": "x", "retryable": False}},
    "delegate": {"until": "2099-01-01T00:00:00Z", "note": "actions"},
    "patch": {"offset": 0, "chunk": "diff", "size": 4, "partial": True, "baseSha": "0" * 40},
}


class Clock:
    """Moved by hand (milliseconds)."""

    now = 1_790_000_000_000

    def __call__(self) -> int:
        return self.now


async def taken(gateway: GatewayHarness, scope: str) -> bool:
    """True if the name l1 is taken for this key."""
    claim = {"launcherId": "l1", "providers": [PROVIDER], "capacity": 0}
    response = await gateway.post("/v1/launcher/claim", claim, scope=scope)
    if response.status_code == 409:
        assert response.json()["code"] == "launcher_id_taken"
    return response.status_code == 409


def sweep_of(jobs: list[Json]) -> Json:
    (job,) = [job for job in jobs if job["kind"] == "sweep"]
    return job


def words_of(job: Json, verb: str) -> Json:
    words = dict(REPORTS[verb])
    if "sandbox" in words:
        words["sandbox"] = sandbox_of(job)
    if "name" in words:
        words["name"] = job["sandbox"]["name"]
    return words


async def test_a_launcher_gets_the_tasks_of_its_project_alone(gateway: GatewayHarness) -> None:
    own, others = await gateway.create(), await gateway.create("other")
    assert [job["taskId"] for job in await gateway.claim()] == [own["id"]]
    jobs = await gateway.claim(OTHER, launcherId="l2")
    assert [job["taskId"] for job in jobs] == [others["id"]]


async def test_a_launcher_for_all_projects_gets_the_tasks_of_all(gateway: GatewayHarness) -> None:
    wanted = {(await gateway.create())["id"], (await gateway.create("other"))["id"]}
    assert {job["taskId"] for job in await gateway.claim("every launcher")} == wanted


async def test_a_job_of_another_project_cannot_be_claimed_by_its_id(
    gateway: GatewayHarness,
) -> None:
    await gateway.create()
    (job,) = await gateway.claim()
    until = "2099-01-01T00:00:00Z"
    assert (await gateway.report(job, "delegate", until=until, note="actions")).status_code == 200
    assert await gateway.claim(OTHER, launcherId="l2", jobId=job["id"]) == []
    (again,) = await gateway.claim("second launcher", launcherId="l3", jobId=job["id"])
    assert again["id"] == job["id"]


@pytest.mark.parametrize("verb", REPORTS)
@pytest.mark.alike
async def test_a_job_of_another_project_is_not_there(gateway: GatewayHarness, verb: str) -> None:
    await gateway.create()
    (job,) = await gateway.claim()
    before = await gateway.task(job["taskId"])
    response = await gateway.report(job, verb, OTHER, **words_of(job, verb))
    assert (response.status_code, response.json()["code"]) == (404, "unknown_job")
    assert await gateway.task(job["taskId"]) == before
    assert (await gateway.report(job, "renew")).status_code == 200


async def test_clean_up_belongs_to_launchers_of_the_project(gateway: GatewayHarness) -> None:
    _, agent = await gateway.launch()
    await agent.emit("task.completed", "m1", summary="done")
    assert await gateway.claim(OTHER, launcherId="l2", capacity=0) == []
    (job,) = await gateway.claim(capacity=0)
    assert job["kind"] == "destroy"


async def test_a_process_of_another_project_is_not_ended(gateway: GatewayHarness) -> None:
    job, _ = await gateway.launch()
    ended = {
        "launcherId": "l2",
        "sandboxes": [
            {
                "provider": "local",
                "realm": "here",
                "name": job["sandbox"]["name"],
                "instanceId": job["instanceId"],
            }
        ],
    }
    assert (await gateway.post("/v1/launcher/ended", ended, scope=OTHER)).status_code == 200
    assert await gateway.claim(capacity=0) == []
    assert (await gateway.post("/v1/launcher/ended", ended, scope="launcher")).status_code == 200
    assert [job["kind"] for job in await gateway.claim(capacity=0)] == ["inspect"]


async def test_a_process_in_a_realm_that_its_launcher_does_not_serve_is_not_ended(
    gateway: GatewayHarness,
) -> None:
    job, _ = await gateway.launch()
    await gateway.claim(launcherId="l2", providers=["local@there"], capacity=0)
    sandbox = {
        "provider": "local",
        "realm": "here",
        "name": job["sandbox"]["name"],
        "instanceId": job["instanceId"],
    }
    for launcher, key, kinds in (
        ("l2", "launcher", []),
        ("unknown", "every launcher", []),
        ("l1", "launcher", ["inspect"]),
    ):
        ended = {"launcherId": launcher, "sandboxes": [sandbox]}
        assert (await gateway.post("/v1/launcher/ended", ended, scope=key)).status_code == 200
        assert [job["kind"] for job in await gateway.claim(capacity=0)] == kinds, launcher


async def test_a_sweep_sees_nothing_of_another_project(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.completed", "m1", summary="done")
    (destroy,) = await gateway.claim(capacity=0)
    await gateway.report(destroy, "done", sandbox=sandbox_of(destroy, "destroyed"))
    await gateway.claim(OTHER, launcherId="l2", capacity=0)
    assert (await gateway.post("/v1/sweeps", scope="ops")).status_code == 202
    found = {
        "id": "id-late",
        "name": job["sandbox"]["name"],
        "labels": job["labels"],
        "state": "started",
        "createdAt": "2026-01-01T00:00:00Z",
    }
    sweep = sweep_of(await gateway.claim(OTHER, launcherId="l2", capacity=0))
    answer = await gateway.report(sweep, "done", OTHER, sandboxes=[found])
    assert answer.status_code == 200
    by_project = {
        each["project"]: each for each in (await gateway.get("/v1/sweeps", "ops")).json()["data"]
    }
    assert (by_project["elsewhere"]["seen"], by_project["elsewhere"]["unwanted"]) == (0, 0)
    own = sweep_of(await gateway.claim(capacity=0))
    assert own["id"] != sweep["id"]
    await gateway.report(own, "done", sandboxes=[found])
    by_project = {
        each["project"]: each for each in (await gateway.get("/v1/sweeps", "ops")).json()["data"]
    }
    assert by_project["default"]["unwanted"] == 1


async def test_a_launcher_of_another_project_is_no_hope(gateway: GatewayHarness) -> None:
    await gateway.claim(OTHER, launcherId="l2")
    task = await gateway.create()
    told = (await gateway.get(f"/v1/tasks/{task['id']}/explain")).text
    assert "l2" not in told
    await gateway.claim(launcherId="l3", capacity=0)
    assert "l3" in (await gateway.get(f"/v1/tasks/{task['id']}/explain")).text


async def test_an_id_belongs_to_the_key_that_used_it_first_while_it_lives(
    database: NewDatabase,
) -> None:
    clock = Clock()
    async with open_gateway(database, clock=clock) as gateway:
        await gateway.create()
        (job,) = await gateway.claim(capacity=1)
        for scope in (OTHER, "second launcher", "every launcher"):
            assert await taken(gateway, scope)
        assert (await gateway.report(job, "renew")).status_code == 200
        clock.now += LIVE_FOR - 1
        assert await taken(gateway, "second launcher")
        clock.now += 1
        assert not await taken(gateway, "second launcher")
        assert await taken(gateway, "launcher")


async def test_a_report_keeps_a_launcher_alive(database: NewDatabase) -> None:
    clock = Clock()
    async with open_gateway(database, clock=clock) as gateway:
        await gateway.create()
        (job,) = await gateway.claim(capacity=1)
        clock.now += LIVE_FOR - 1
        assert (await gateway.report(job, "renew")).status_code == 200
        clock.now += LIVE_FOR - 1
        assert await taken(gateway, "second launcher")


async def test_who_takes_an_id_over_does_not_get_its_jobs(database: NewDatabase) -> None:
    clock = Clock()
    async with open_gateway(database, clock=clock, SLIPGATE_LEASE_SECONDS="300") as gateway:
        await gateway.create()
        (job,) = await gateway.claim(capacity=1)
        clock.now += LIVE_FOR
        assert await gateway.claim("second launcher") == []
        assert (await gateway.report(job, "renew")).status_code == 200


@pytest.mark.alike
async def test_tokens_cannot_be_guessed(gateway: GatewayHarness) -> None:
    for _ in range(8):
        await gateway.create()
    jobs = [*await gateway.claim(), *await gateway.claim(launcherId="l2")]
    secrets = [job["leaseToken"].partition(".")[2] for job in jobs]
    assert len(set(secrets)) == len(jobs) == 8
    assert {len(secret) for secret in secrets} == {22}  # 128 bits in base64url
    most = Counter("".join(secrets)).most_common(1)[0][1]
    assert most < len("".join(secrets)) / 4
    for job in jobs:
        for guess in (f"{job['id']}.1", "1.", "1", f"1.{'A' * 22}", jobs[0]["id"]):
            response = await gateway.report({**job, "leaseToken": guess}, "renew")
            assert (response.status_code, response.json()["code"]) == (409, "lease_lost")


async def test_a_token_is_told_to_its_launcher_alone(gateway: GatewayHarness) -> None:
    job, _ = await gateway.launch()
    told = ""
    for path, scope in (
        ("/v1/launchers", "ops"),
        (f"/v1/tasks/{job['taskId']}?include=attempts,deliveries", "ops"),
        (f"/v1/tasks/{job['taskId']}/events", "ops"),
        (f"/v1/tasks/{job['taskId']}/explain", "ops"),
        ("/v1/reconcile?within=86400", "ops"),
    ):
        told += (await gateway.get(path, scope)).text
    assert job["leaseToken"] not in told
    assert job["leaseToken"].partition(".")[2] not in told


async def test_a_report_is_the_same_again_after_a_restart(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        await gateway.create()
        (job,) = await gateway.claim()
        assert (await gateway.try_sandbox(job)).json()["create"] is True
        assert (await gateway.report(job, "done", sandbox=sandbox_of(job))).status_code == 200
    async with open_gateway(database) as gateway:
        for verb in ("created", "done"):
            again = await gateway.report(job, verb, sandbox=sandbox_of(job))
            assert again.status_code == 200
        wrong = {**job, "leaseToken": job["leaseToken"][:-1]}
        response = await gateway.report(wrong, "done", sandbox=sandbox_of(job))
        assert (response.status_code, response.json()["code"]) == (409, "lease_lost")
        assert (await gateway.task(job["taskId"]))["status"] == "running"


async def test_a_lease_goes_on_over_a_restart(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        await gateway.create()
        (job,) = await gateway.claim()
    async with open_gateway(database) as gateway:
        assert (await gateway.report(job, "renew")).status_code == 200


async def test_a_token_that_was_taken_back_is_no_token(gateway: GatewayHarness) -> None:
    await gateway.create()
    (job,) = await gateway.claim()
    assert await gateway.claim() == []  # the answer to the first claim was lost on the way
    (again,) = await gateway.claim()
    assert again["id"] == job["id"]
    assert (await gateway.report(job, "renew")).json()["code"] == "lease_lost"
    empty = again["leaseToken"].partition(".")[0] + "."
    assert (await gateway.report({**again, "leaseToken": empty}, "renew")).status_code == 409
    assert (await gateway.report(again, "renew")).status_code == 200


async def test_keys_made_before_serve_all_projects(tmp_path: Path) -> None:
    make_old(tmp_path / "slipgate.db", 14)
    with closing(sqlite3.connect(tmp_path / "slipgate.db")) as old:
        old.execute(
            "INSERT INTO api_keys (id, hash, scope, project, name, created_at) "
            "VALUES ('key_old', x'00', 'launcher', 'default', 'old', 1)"
        )
        old.commit()
    async with open_gateway(FileDatabase(tmp_path / "slipgate.db")):
        pass
    with closing(sqlite3.connect(tmp_path / "slipgate.db")) as migrated:
        found = migrated.execute("SELECT all_projects FROM api_keys WHERE id = 'key_old'")
        assert found.fetchall() == [(1,)]
