"""Reports of launchers: the patch of a sandbox that goes, and exited processes."""

import base64
import gzip

import pytest

from tests.web.callers import Agent, GatewayHarness, Json, line_of, sandbox_of

DIFF = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-old\n+new\n"
BASE = "0123456789abcdef0123456789abcdef01234567"


def piece(text: str = DIFF, **fields: object) -> Json:
    return {
        "offset": 0,
        "chunk": text,
        "size": len(text.encode()),
        "partial": True,
        "baseSha": BASE,
        **fields,
    }


async def ended_by_its_clock(gateway: GatewayHarness) -> tuple[str, Json]:
    """A task that failed, with the destroy job of its sandbox."""
    job, agent = await gateway.launch()
    assert (await agent.emit("task.started", "m1")).status_code == 202
    failed = {"stage": "agent", "code": "time_over", "message": "x", "retryable": False}
    await agent.emit("task.failed", "m2", error=failed)
    (destroy,) = await gateway.claim(capacity=0)
    assert destroy["kind"] == "destroy"
    return job["taskId"], destroy


async def test_a_destroy_job_asks_for_a_patch_that_is_not_kept(gateway: GatewayHarness) -> None:
    task_id, destroy = await ended_by_its_clock(gateway)
    assert destroy["rescue"] is True
    saved = await gateway.report(destroy, "patch", **piece(warnings=["core was left out"]))
    assert (saved.status_code, saved.json()) == (200, {"accepted": True})
    kept = await gateway.get(f"/v1/tasks/{task_id}/patch")
    assert (kept.status_code, kept.text) == (200, DIFF)
    assert kept.headers["slipgate-patch-attempt"] == "1"
    assert kept.headers["slipgate-patch-base"] == BASE
    assert kept.headers["slipgate-patch-partial"] == "true"


async def test_what_is_kept_needs_no_rescue(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.patch", "m1", offset=0, chunk=DIFF, size=len(DIFF))
    await agent.emit("task.completed", "m2", summary="ok")
    (destroy,) = await gateway.claim(capacity=0)
    assert (destroy["taskId"], destroy.get("rescue", False)) == (job["taskId"], False)


@pytest.mark.parametrize(
    "details", [{"chunk": DIFF[:9]}, {"offset": 9, "chunk": DIFF[9:]}], ids=str
)
@pytest.mark.alike
async def test_half_a_patch_is_rescued(gateway: GatewayHarness, details: Json) -> None:
    _, agent = await gateway.launch()
    await agent.emit("task.patch", "m1", **{"offset": 0, "size": len(DIFF), **details})
    await agent.emit("task.completed", "m2", summary="ok")
    (destroy,) = await gateway.claim(capacity=0)
    assert destroy["rescue"] is True


async def test_an_agent_that_never_spoke_has_nothing_to_rescue(gateway: GatewayHarness) -> None:
    job, _ = await gateway.launch()
    await gateway.post(f"/v1/tasks/{job['taskId']}/cancel")
    (destroy,) = await gateway.claim(capacity=0)
    assert (destroy["kind"], destroy.get("rescue", False)) == ("destroy", False)


async def test_a_rescued_piece_is_kept_once(gateway: GatewayHarness) -> None:
    task_id, destroy = await ended_by_its_clock(gateway)
    member = base64.b64encode(gzip.compress(DIFF.encode())).decode()
    for _ in range(2):
        saved = await gateway.report(destroy, "patch", **piece(chunk=member, encoding="gzip"))
        assert saved.status_code == 200
    events = (await gateway.get(f"/v1/tasks/{task_id}/events")).json()["data"]
    (event,) = [event for event in events if event["type"] == "task.patch"]
    assert (event["applied"], event["reason"]) == (False, "attempt_finished")
    assert event["source"] == "launcher"
    assert "chunk" not in event["data"]
    assert event["data"]["bytes"] == len(DIFF)


async def test_a_patch_is_saved_only_under_the_lease(gateway: GatewayHarness) -> None:
    task_id, destroy = await ended_by_its_clock(gateway)
    stale = {**destroy, "leaseToken": destroy["leaseToken"] + "0"}
    refused = await gateway.report(stale, "patch", **piece())
    assert (refused.status_code, refused.json()["code"]) == (409, "lease_lost")
    gone = sandbox_of(destroy, "destroyed")
    assert (await gateway.report(destroy, "done", sandbox=gone)).status_code == 200
    refused = await gateway.report(destroy, "patch", **piece())
    assert (refused.status_code, refused.json()["code"]) == (409, "lease_lost")
    assert (await gateway.get(f"/v1/tasks/{task_id}/patch")).status_code == 404


async def report_end(gateway: GatewayHarness, sandbox: Json, instance: str) -> int:
    told = {"instanceId": instance, "provider": "local", "realm": "here", **sandbox}
    body = {"launcherId": "l1", "sandboxes": [told]}
    return (await gateway.post("/v1/launcher/ended", body, scope="launcher")).status_code


async def test_a_process_that_has_ended_is_looked_at_at_once(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.started", "m1")
    own = {"name": job["sandbox"]["name"]}
    assert await gateway.claim(capacity=0) == []
    assert await report_end(gateway, own, job["instanceId"]) == 200
    assert await report_end(gateway, own, job["instanceId"]) == 200
    (inspect,) = await gateway.claim(capacity=0)
    assert (inspect["kind"], inspect["taskId"]) == ("inspect", job["taskId"])
    process = {"state": "exited", "exitCode": 127}
    await gateway.report(inspect, "done", sandbox=sandbox_of(job), process=process)
    task = await gateway.task(job["taskId"])
    assert (task["status"], task["error"]["code"]) == ("failed", "agent_exited")


async def test_a_look_that_was_under_way_is_followed_by_another(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.started", "m1")
    own = {"name": job["sandbox"]["name"]}
    await report_end(gateway, own, job["instanceId"])
    (first,) = await gateway.claim(capacity=0)
    await report_end(gateway, own, job["instanceId"])
    await gateway.report(first, "done", sandbox=sandbox_of(job), process={"state": "running"})
    (second,) = await gateway.claim(capacity=0)
    assert (second["kind"], second["id"] != first["id"]) == ("inspect", True)
    await gateway.report(second, "done", sandbox=sandbox_of(job), process={"state": "running"})
    assert await gateway.claim(capacity=0) == []


@pytest.mark.parametrize(
    "foreign",
    [{"name": "slipgate-unknown-1"}, {"realm": "there"}, {"instanceId": "ins_other"}],
    ids=str,
)
@pytest.mark.alike
async def test_sandboxes_that_are_not_known_are_ignored(
    gateway: GatewayHarness, foreign: Json
) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.started", "m1")
    told = {"name": job["sandbox"]["name"], **foreign}
    assert await report_end(gateway, told, job["instanceId"]) == 200
    assert await gateway.claim(capacity=0) == []


async def drained(gateway: GatewayHarness, job: Json, agent: Agent, kind: str) -> Json:
    """A job of this kind, after it has brought the patch from the spool."""
    (claimed,) = await gateway.claim(capacity=0)
    assert claimed["kind"] == kind
    body = agent.body("task.patch", offset=0, chunk=DIFF, size=len(DIFF), baseSha=BASE)
    spool = [line_of(agent, "spooled", body)]
    report = await gateway.report(claimed, "done", sandbox=sandbox_of(job), spool=spool)
    assert report.status_code == 200
    return claimed


async def test_a_patch_in_the_spool_of_a_cancelled_task_is_kept(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    task_id = job["taskId"]
    await agent.emit("task.started", "m1")
    await gateway.post(f"/v1/tasks/{task_id}/cancel")
    failed = {"stage": "agent", "code": "cancelled", "message": "x", "retryable": False}
    await agent.emit("task.failed", "m2", error=failed)
    assert (await gateway.task(task_id))["status"] == "cancelled"
    await drained(gateway, job, agent, "destroy")
    assert (await gateway.get(f"/v1/tasks/{task_id}/patch")).text == DIFF
