"""A task's way over HTTP, as launchers and agents could be written from the interface alone."""

import time

from tests.web.callers import GatewayHarness, Json, line_of, sandbox_of

PULL = "https://github.com/acme/widgets/pull/1"


async def test_a_task_goes_from_post_to_pull_request(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(env={"FEATURE_X": "1"})
    task = await gateway.task(job["taskId"])
    path = f"/v1/tasks/{task['id']}"
    await agent.emit("task.started", "m1", scriptDigest="d", snapshot="s")
    await agent.emit("task.progress", "m2", stage="agent", message="turn 1 of 60")
    await agent.emit("task.log", "m3", chunk="hello\n", offset=0)
    usage = {"inputTokens": 5, "outputTokens": 7, "costUsd": 0.1, "turns": 1}
    await agent.emit("task.usage", "m4", **usage)
    branch = {"branchName": task["branchName"], "commitSha": "abc"}
    await agent.emit("task.pr_created", "m5", prUrl=PULL, draft=True, **branch)
    last: Json = {"summary": "done", "validation": [], "patch": "diff --git a b\n", "prUrl": PULL}
    ended = await agent.emit("task.completed", "m6", **last, **branch)
    assert ended.status_code == 202, ended.text
    shown = await gateway.task(task["id"])
    assert (shown["status"], shown["prUrl"], shown["usage"]) == ("completed", PULL, usage)
    assert shown["sandbox"]["state"] == "destroying"
    logs = (await gateway.get(f"{path}/logs")).json()
    assert [chunk["chunk"] for chunk in logs["data"]] == ["hello\n"]
    assert (await gateway.get(f"{path}/patch")).text == "diff --git a b\n"
    (destroy,) = await gateway.claim(capacity=0)
    assert destroy["kind"] == "destroy"
    await gateway.report(destroy, "done", sandbox=sandbox_of(job, "destroyed"))
    assert (await gateway.task(task["id"]))["sandbox"]["state"] == "destroyed"


async def test_the_spool_is_a_second_way_home(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch(timeouts={"heartbeatSeconds": 1})
    (inspect,) = await gateway.claim(capacity=0, waitSeconds=30)
    assert inspect["kind"] == "inspect"
    body = agent.body("task.completed", summary="from the spool")
    line = line_of(agent, "m1", body, at=int(time.time()) - 1)
    done = await gateway.report(
        inspect,
        "done",
        sandbox=sandbox_of(job),
        process={"state": "exited", "exitCode": 0},
        spool=[line, {**line, "id": "forged"}],
        spoolOffset=500,
    )
    assert done.status_code == 200, done.text
    shown = await gateway.task(job["taskId"])
    assert (shown["status"], shown["message"]) == ("completed", "from the spool")
