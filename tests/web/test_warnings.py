"""Warnings of a task: what its sandbox says of its result, and what the gateway left out of it."""

from typing import Final

import pytest

from tests.web.callers import TASK, GatewayHarness, Json, line_of, sandbox_of

SHA = "0123456789abcdef0123456789abcdef01234567"
PULL = f"{TASK['repoUrl']}/pull/1"
FOREIGN: Json = {
    "prUrl": "https://evil.example/acme/widgets/pull/1",
    "branchName": "main",
    "commitSha": "not a commit",
}
DROPPED = [f"$.data.{name} was dropped: " for name in FOREIGN]


async def warned(gateway: GatewayHarness, task_id: str) -> list[str]:
    warnings: list[str] = (await gateway.task(task_id))["warnings"]
    return warnings


async def test_a_task_shows_each_warning_once(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    assert await warned(gateway, job["taskId"]) == []
    await agent.emit("task.patch", "m1", offset=0, chunk="+a\n", warnings=["venv was left out"])
    await agent.emit("task.completed", "m2", warnings=["venv was left out", "core was left out"])
    assert await warned(gateway, job["taskId"]) == ["venv was left out", "core was left out"]


async def test_a_script_may_warn_too(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    last = {"type": "task.completed", "status": "success", "warnings": ["x" * 600, "y"]}
    assert (await gateway.http.post(agent.env["WEBHOOK_URL"], json=last)).status_code == 200
    cut = "$.data.warnings were cut: too long"
    assert await warned(gateway, job["taskId"]) == [cut, "x" * 500, "y"]


async def test_warnings_have_a_bound_and_never_refuse_the_last_event(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch()
    many = [f"{number} was left out" for number in range(60)]
    answer = await agent.emit("task.needs_review", "m1", summary="look", warnings=many)
    assert answer.status_code == 202
    assert answer.json()["warnings"] == ["$.data.warnings were cut: too long"]
    assert await warned(gateway, job["taskId"]) == [*answer.json()["warnings"], *many[:49]]


async def test_what_was_dropped_for_its_length_is_a_warning_of_the_task(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.completed", "m1", summary="x" * 9_000)
    assert await warned(gateway, job["taskId"]) == ["$.data.summary was dropped: too long"]


OF_EACH_KIND: Final[tuple[tuple[str, Json], ...]] = (
    ("task.started", {}),
    ("task.heartbeat", {}),
    ("task.progress", {"stage": "pr", "message": "x"}),
    ("task.log", {"offset": 0, "chunk": "x"}),
    ("task.patch", {"offset": 0, "chunk": "x"}),
    ("task.usage", {"inputTokens": 1, "outputTokens": 1, "costUsd": 0, "turns": 1}),
    ("task.pr_created", {}),
    ("task.completed", {"summary": "x"}),
    ("task.needs_review", {"summary": "x"}),
    ("task.failed", {"error": {"stage": "pr", "code": "x", "message": "x"}}),
)


async def test_what_is_not_of_the_tasks_repository_is_dropped(gateway: GatewayHarness) -> None:
    launched = [await gateway.launch() for _ in OF_EACH_KIND]
    for (kind, fields), (job, agent) in zip(OF_EACH_KIND, launched, strict=True):
        await agent.emit("task.started", "m0")
        answer = await agent.emit(kind, "m1", **fields, **FOREIGN)
        assert (answer.status_code, answer.json()["applied"]) == (202, True), kind
        told = answer.json()["warnings"]
        assert [text.startswith(head) for text, head in zip(told, DROPPED, strict=True)]
        await check_dropped(gateway, job)


async def test_flat_words_drop_it_too(gateway: GatewayHarness) -> None:
    launched = [await gateway.launch() for _ in OF_EACH_KIND]
    for (kind, fields), (job, agent) in zip(OF_EACH_KIND, launched, strict=True):
        await agent.emit("task.started", "m0")
        word = {"type": kind, **fields, **FOREIGN}
        answer = await gateway.http.post(agent.env["WEBHOOK_URL"], json=word)
        assert answer.status_code == 200, kind
        await check_dropped(gateway, job)


@pytest.mark.parametrize(("kind", "fields"), OF_EACH_KIND)
async def test_spooled_words_drop_it_too(gateway: GatewayHarness, kind: str, fields: Json) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.started", "m0")
    await gateway.post(f"/v1/tasks/{job['taskId']}/cancel")
    await agent.emit("task.log", "m1", offset=0, chunk="")
    reported_end = [{"instanceId": job["instanceId"], "provider": "local", "realm": "here"}]
    reported_end[0]["name"] = job["sandbox"]["name"]
    body = {"launcherId": "l1", "sandboxes": reported_end}
    await gateway.post("/v1/launcher/ended", body, scope="launcher")
    (inspect,) = await gateway.claim(capacity=0)
    spool = [line_of(agent, "m2", agent.body(kind, **fields, **FOREIGN))]
    done = await gateway.report(inspect, "done", sandbox=sandbox_of(job), spool=spool)
    assert done.status_code == 200
    await check_dropped(gateway, job)


async def check_dropped(gateway: GatewayHarness, job: Json) -> None:
    """The task has nothing of it but the warnings."""
    task = await gateway.task(job["taskId"])
    assert (task["prUrl"], task["commitSha"]) == (None, None)
    assert all(text.startswith(head) for text, head in zip(task["warnings"], DROPPED, strict=True))
    assert TASK["repoUrl"] in task["warnings"][0]
    events = (await gateway.get(f"/v1/tasks/{job['taskId']}/events")).json()["data"]
    (event,) = [event for event in events if event["data"].get("warnings")]
    assert not set(FOREIGN) & set(event["data"])


async def test_escapes_hide_no_foreign_claim(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    body = agent.body("task.pr_created", prUrl=FOREIGN["prUrl"])
    await agent.send(body.replace(b"prUrl", rb"\u0070rUrl"), "m1")
    task = await gateway.task(job["taskId"])
    assert (task["prUrl"], len(task["warnings"])) == (None, 1)


async def test_what_is_the_tasks_own_is_kept(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(repoUrl="git@github.com:acme/widgets.git")
    own = {"prUrl": PULL, "branchName": f"slipgate/{job['taskId']}", "commitSha": SHA}
    answer = await agent.emit("task.completed", "m1", summary="done", **own)
    assert "warnings" not in answer.json()
    task = await gateway.task(job["taskId"])
    assert (task["prUrl"], task["commitSha"], task["warnings"]) == (PULL, SHA, [])


async def test_no_number_of_an_agents_own_warnings_hides_ours(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    many = [f"{number}" for number in range(50)]
    await agent.emit("task.progress", "m1", stage="pr", message="x", warnings=many)
    await agent.emit("task.completed", "m2", prUrl=FOREIGN["prUrl"], warnings=many)
    assert any(text.startswith(DROPPED[0]) for text in await warned(gateway, job["taskId"]))


async def test_warnings_outlive_a_retry(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(maxAttempts=2)
    error = {"stage": "push", "code": "push_failed", "message": "x", "retryable": True}
    await agent.emit("task.failed", "m1", error=error, warnings=["venv was left out"])
    task = await gateway.task(job["taskId"])
    assert (task["attempt"], task["warnings"]) == (2, ["venv was left out"])
