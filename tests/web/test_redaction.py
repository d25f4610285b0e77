"""Whatever agents and launchers say, no secret of it is kept, shown or sent on."""

from tests.web.callers import GatewayHarness
from tests.wire.secrets import BY_KIND

TOKEN = BY_KIND["github_token"]


async def test_an_agent_that_tells_its_own_secrets_is_not_quoted(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    secret, url = agent.env["SLIPGATE_WEBHOOK_SECRET"], agent.env["WEBHOOK_URL"]
    told = [secret, secret.removeprefix("whsec_"), url, url.rpartition(".")[2]]
    await agent.emit("task.progress", "m1", stage="agent", message=" ".join(told))
    await gateway.http.post(url, json={"type": "task.progress", "message": " ".join(told)})
    events = await gateway.get(f"/v1/tasks/{job['taskId']}/events")
    shown = events.text + (await gateway.get(f"/v1/tasks/{job['taskId']}")).text
    assert "[redacted:webhook_secret]" in shown
    assert [secret for secret in told[1:] if secret in shown] == []


async def test_a_patch_that_adds_a_secret_says_so_in_the_answer(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    patch = f"--- a/x\n+++ b/x\n@@ -1 +1,2 @@\n a\n+{TOKEN}\n"
    answer = (await agent.emit("task.completed", "m1", summary="ok", patch=patch)).json()
    assert answer["warnings"] == ["$.data.patch: secrets in added lines were redacted"]
    kept = (await gateway.get(f"/v1/tasks/{job['taskId']}/patch")).text
    assert kept == patch.replace(TOKEN, "[redacted:github_token]")


async def test_a_log_with_a_secret_has_no_hole(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    first = f"env: {TOKEN}\n"
    await agent.emit("task.log", "m1", offset=0, chunk=first)
    await agent.emit("task.log", "m2", offset=len(first), chunk="next\n")
    path = f"/v1/tasks/{job['taskId']}/logs"
    text = (await gateway.get(path, accept="text/plain")).text
    assert TOKEN not in text
    assert text.endswith("\nnext\n")
    assert len(text) == len(first + "next\n")


async def test_the_same_event_again_is_known_by_what_was_sent(gateway: GatewayHarness) -> None:
    _, agent = await gateway.launch()
    for status in (202, 200):
        answer = await agent.emit("task.progress", "m1", stage="agent", message=TOKEN)
        assert answer.status_code == status


async def test_a_launchers_error_is_kept_without_its_secrets(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    (job,) = await gateway.claim()
    error = {"code": "cli_failed", "message": f"\x1b[31mno: {TOKEN}", "retryable": False}
    tail = "$ daytona create -e OPENAI_API_KEY=hunter2hunter2"
    await gateway.report(job, "failed", error={**error, "stderrTail": tail})
    failed = await gateway.task(task["id"])
    assert failed["error"]["message"].startswith("no: [redacted:github_token]")
    assert "hunter2" not in (await gateway.get(f"/v1/tasks/{task['id']}/events")).text
