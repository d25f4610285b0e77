"""Agents and launchers over HTTP, as anybody could write them from the interface alone."""

import asyncio
import base64
import json
import time
from pathlib import Path

from tests.web.house import Json, house, sandbox, signed, word


async def test_a_task_goes_from_post_to_pull_request(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        task = await home.create(env={"FEATURE_X": "1"}, metadata={"userId": "u_1"})
        job = await home.launch()
        assert job["env"]["FEATURE_X"] == "1"
        assert job["env"]["TARGET_REPO"] == task["repoUrl"]
        started = await home.say(job, "task.started", scriptDigest="d", snapshot="s")
        assert started.status_code == 202
        assert started.json()["applied"] is True
        await home.say(job, "task.progress", stage="agent", message="turn 1 of 60")
        await home.say(job, "task.log", chunk="hello\n", offset=0)
        usage: Json = {"inputTokens": 5, "outputTokens": 7, "costUsd": 0.1, "turns": 1}
        await home.say(job, "task.usage", **usage)
        url = "https://github.com/acme/widgets/pull/1"
        branch: Json = {"branchName": task["branchName"], "commitSha": "abc"}
        await home.say(job, "task.pr_created", prUrl=url, draft=True, **branch)
        last: Json = {
            "summary": "done",
            "validation": [],
            "patch": "diff --git a b\n",
            "prUrl": url,
        }
        ended = await home.say(job, "task.completed", **last, **branch)
        assert ended.status_code == 202, ended.text
        shown = await home.task(task["id"])
        assert (shown["status"], shown["prUrl"], shown["usage"]) == ("completed", url, usage)
        assert shown["sandbox"]["state"] == "destroying"
        logs = (await home.call("GET", f"/v1/tasks/{task['id']}/logs")).json()
        assert [chunk["chunk"] for chunk in logs["data"]] == ["hello\n"]
        patch = await home.call("GET", f"/v1/tasks/{task['id']}/patch")
        assert (patch.text, patch.headers["content-type"].split(";")[0]) == (
            "diff --git a b\n",
            "text/x-diff",
        )
        (destroy,) = await home.claim(capacity=0)
        assert destroy["kind"] == "destroy"
        await home.report(destroy, "done", sandbox=sandbox(job, "destroyed"))
        assert (await home.task(task["id"]))["sandbox"]["state"] == "destroyed"


async def test_bad_signatures_are_told_apart(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.create()
        job = await home.launch()
        body = word(job, "task.heartbeat")
        cases = {
            "malformed_headers": {},
            "invalid_signature": {**signed(job, "m1", body), "webhook-id": "m2"},
            "timestamp_out_of_tolerance": signed(job, "m3", body, at=time.time() - 301),
        }
        for code, headers in cases.items():
            response = await home.http.post("/v1/webhooks/agent", content=body, headers=headers)
            assert (response.status_code, response.json()["code"]) == (401, code)
        stranger = {**job, "taskId": "task_" + "0" * 26}
        unknown = word(stranger, "task.heartbeat")
        response = await home.http.post(
            "/v1/webhooks/agent", content=unknown, headers=signed(job, "m4", unknown)
        )
        assert response.json()["code"] == "unknown_task"


async def test_a_resent_word_is_a_duplicate_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        await home.create()
        job = await home.launch()
        await home.say(job, "task.progress", "m1", stage="agent", message="a")
        again = await home.say(job, "task.progress", "m1", stage="agent", message="a")
        assert (again.status_code, again.json()["duplicate"]) == (200, True)
        changed = await home.say(job, "task.progress", "m1", stage="agent", message="b")
        assert (changed.status_code, changed.json()["code"]) == (409, "webhook_id_reused")
        unknown = await home.say(job, "task.nonsense", "m2")
        assert (unknown.status_code, unknown.json()["code"]) == (422, "unknown_event_type")


async def test_a_late_word_is_gone_and_never_an_internal_error(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        task = await home.create()
        job = await home.launch()
        await home.say(job, "task.completed", summary="done")
        late = await home.say(job, "task.progress", stage="agent", message="still here")
        assert (late.status_code, late.json()["code"]) == (410, "attempt_finished")
        events = (await home.call("GET", f"/v1/tasks/{task['id']}/events")).json()["data"]
        assert [e["applied"] for e in events].count(False) == 1


async def test_an_agent_is_told_to_cancel(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        task = await home.create()
        job = await home.launch()
        await home.say(job, "task.started")
        assert (await home.post(f"/v1/tasks/{task['id']}/cancel")).status_code == 202
        assert (await home.say(job, "task.heartbeat")).json()["cancel"] is True
        error = {"stage": "agent", "code": "cancelled", "message": "told to", "retryable": False}
        await home.say(job, "task.failed", error=error)
        assert (await home.task(task["id"]))["status"] == "cancelled"


async def test_a_script_speaks_through_the_capability_url(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        task = await home.create()
        job = await home.launch()
        path = job["env"]["WEBHOOK_URL"].removeprefix("http://127.0.0.1:8700")
        flat = {"type": "task.progress", "taskId": "theirs", "status": "running", "message": "Hi"}
        answer = await home.http.post(path, json=flat)
        assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        assert (await home.task(task["id"]))["message"] == "Hi"
        wrong = path[:-1] + ("A" if path[-1] != "A" else "B")
        assert (await home.http.post(wrong, json=flat)).status_code == 401


async def test_a_claim_waits_for_a_task_and_an_old_token_is_fenced(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        waiting = asyncio.create_task(home.claim(waitSeconds=20))
        task = await home.create()
        (job,) = await waiting
        assert job["taskId"] == task["id"]
        lost = await home.report({**job, "leaseToken": f"{job['id']}.0"}, "renew")
        assert (lost.status_code, lost.json()["code"]) == (409, "lease_lost")
        renewed = await home.report(job, "renew")
        assert renewed.json()["cancel"] is False


async def test_the_spool_is_a_second_way_home(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        task = await home.create(timeouts={"heartbeatSeconds": 1})
        job = await home.launch()
        (inspect,) = await home.claim(capacity=0, waitSeconds=5)
        assert inspect["kind"] == "inspect"
        body = word(job, "task.completed", summary="from the spool")
        headers = signed(job, "m1", body, at=time.time() - 3)
        line = {
            "id": "m1",
            "timestamp": int(headers["webhook-timestamp"]),
            "signature": headers["webhook-signature"],
            "body": base64.b64encode(body).decode(),
        }
        forged = {**line, "id": "m2"}
        exited = {"state": "exited", "exitCode": 0}
        done = await home.report(
            inspect,
            "done",
            sandbox=sandbox(job),
            process=exited,
            spool=[line, forged],
            spoolOffset=500,
        )
        assert done.status_code == 200, done.text
        assert (await home.task(task["id"]))["status"] == "completed"


async def test_a_long_prompt_is_cut_in_the_environment_and_fetched_signed(tmp_path: Path) -> None:
    prompt = "ä" * 30_000
    async with house(tmp_path) as home:
        await home.create(prompt=prompt)
        job = await home.launch()
        assert len(job["env"]["AGENT_PROMPT"].encode()) <= 32 * 1024
        path = job["env"]["SLIPGATE_PROMPT_URL"].removeprefix("http://127.0.0.1:8700")
        fetched = await home.http.get(path, headers=signed(job, "p1", b""))
        assert fetched.json()["prompt"] == prompt
        assert (await home.http.get(path)).status_code == 401


async def test_secrets_of_a_task_are_never_shown(tmp_path: Path) -> None:
    async with house(tmp_path) as home:
        task = await home.create(
            env={"OPENAI_API_KEY": "sk-very-secret"},
            callbackUrl="https://app.example/hook?bypass=very-secret",
        )
        await home.launch()
        for path in (f"/v1/tasks/{task['id']}", f"/v1/tasks/{task['id']}/events", "/v1/tasks"):
            text = (await home.call("GET", path)).text
            assert "very-secret" not in text
        assert "very-secret" not in json.dumps(task)
        assert b"very-secret" not in (tmp_path / "slipgate.db").read_bytes()
