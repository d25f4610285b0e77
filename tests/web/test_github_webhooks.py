"""Webhooks of GitHub: what became of a pull request is told, whatever state the task is in."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import msgspec
import pytest
import pytest_asyncio

from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.sealing import callback_secret_context
from tests.databases import open_project
from tests.stores import NewDatabase
from tests.web.callers import Agent, GatewayHarness, Json
from tests.web.services import PULL, GitHub, closed, open_gateway_with_services

UNKNOWN = {"accepted": True, "applied": False, "reason": "unknown_pull_request"}


@pytest_asyncio.fixture
async def gateway(database: NewDatabase) -> AsyncIterator[GatewayHarness]:
    async with open_gateway_with_services(database) as opened:
        yield opened


@pytest.fixture
def github(gateway: GatewayHarness) -> GitHub:
    return GitHub(http=gateway.http)


async def _with_pull_request(gateway: GatewayHarness, **wanted: object) -> tuple[str, Agent]:
    job, agent = await gateway.launch(**wanted)
    await agent.emit("task.pr_created", "pr", prUrl=PULL)
    return job["taskId"], agent


async def _last(gateway: GatewayHarness, task_id: str) -> Json:
    events: list[Json] = (await gateway.get(f"/v1/tasks/{task_id}/events")).json()["data"]
    return events[-1]


@pytest.mark.parametrize("merged", [True, False])
async def test_the_end_of_a_pull_request_is_an_event(
    gateway: GatewayHarness, github: GitHub, merged: bool
) -> None:
    task_id, _ = await _with_pull_request(gateway)
    answer = await github.close(merged=merged, merge_commit_sha="5f1c")
    assert (answer.status_code, answer.json()) == (202, {"accepted": True, "applied": True})
    event = await _last(gateway, task_id)
    assert event["type"] == ("task.pr_merged" if merged else "task.pr_closed")
    assert (event["source"], event["attempt"], event["applied"]) == ("github", 1, True)
    sha = {"mergeCommitSha": "5f1c"} if merged else {}
    assert event["data"] == {"prUrl": PULL, "by": "octocat", **sha}


@pytest.mark.parametrize("end", ["task.completed", "task.failed"])
async def test_an_ended_task_hears_of_it_too_and_stays_as_it_is(
    gateway: GatewayHarness, github: GitHub, database: NewDatabase, end: str
) -> None:
    task_id, agent = await _with_pull_request(gateway)
    error = {"stage": "agent", "code": "x", "message": "y"}
    await agent.emit(end, "end", summary="ok", **({"error": error} if "failed" in end else {}))
    before = await gateway.task(task_id)
    assert (await github.close(merged=True)).json()["applied"]
    after = await gateway.task(task_id)
    assert (await _last(gateway, task_id))["type"] == "task.pr_merged"
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"taskSeq", "updatedAt"}
    assert database.problems() == ()


async def test_it_is_delivered_like_any_other_event(database: NewDatabase) -> None:
    sealed = Keyring({"k1": b"m" * 32}).seal(
        b"s" * 32, context=callback_secret_context("default"), nonce=b"n" * 12
    )
    open_project(database.location, sealed)
    merged = asyncio.Event()

    def take(request: httpx.Request) -> httpx.Response:
        if msgspec.json.decode(request.content)["type"] == "task.pr_merged":
            merged.set()
        return httpx.Response(204, stream=httpx.ByteStream(b""))

    async with open_gateway_with_services(database, httpx.MockTransport(take)) as gateway:
        await _with_pull_request(gateway, callbackUrl="https://app.example/api/hook")
        await GitHub(http=gateway.http).close(merged=True)
        async with asyncio.timeout(60):
            await merged.wait()


async def test_all_tasks_of_the_pull_request_hear_of_it_in_any_case(
    gateway: GatewayHarness, github: GitHub
) -> None:
    tasks = [(await _with_pull_request(gateway))[0] for _ in range(2)]
    assert (await github.close(PULL.replace("acme", "Acme"))).json()["applied"]
    assert {(await _last(gateway, task_id))["type"] for task_id in tasks} == {"task.pr_closed"}


async def test_a_pull_request_that_is_not_ours_is_taken_and_not_applied(github: GitHub) -> None:
    answer = await github.close("https://github.com/acme/widgets/pull/13")
    assert (answer.status_code, answer.json()) == (202, UNKNOWN)


@pytest.mark.parametrize(
    ("event", "body", "reason"),
    [
        ("ping", b'{"zen":"Keep it logically awesome."}', "ping"),
        ("push", b'{"ref":"refs/heads/main"}', "not_followed"),
        ("pull_request", closed().replace(b'"closed"', b'"opened"'), "not_followed"),
    ],
    ids=["ping", "push", "opened"],
)
@pytest.mark.alike
async def test_other_events_are_taken_and_not_followed(
    github: GitHub, event: str, body: bytes, reason: str
) -> None:
    answer = await github.send(body, event=event)
    assert answer.status_code == 202
    assert answer.json() == {"accepted": True, "applied": False, "reason": reason}


async def test_a_redelivery_is_told_once(gateway: GatewayHarness, github: GitHub) -> None:
    task_id, _ = await _with_pull_request(gateway)
    body = closed()
    await github.send(body, "d1")
    seq = (await _last(gateway, task_id))["seq"]
    for name in ("d1", "d2"):  # the id is not signed: the same body is the same message
        again = await github.send(body, name)
        assert (again.status_code, again.json()["duplicate"]) == (200, True)
    assert (await _last(gateway, task_id))["seq"] == seq
    assert (await github.send(closed(), "d1")).json()["code"] == "webhook_id_reused"


async def test_a_redelivery_counts_if_the_first_found_no_task(
    gateway: GatewayHarness, github: GitHub
) -> None:
    body = closed()
    assert (await github.send(body, "d1")).json() == UNKNOWN
    await _with_pull_request(gateway)
    assert (await github.send(body, "d1")).json()["applied"]


async def test_one_that_is_closed_again_is_told_again(
    gateway: GatewayHarness, github: GitHub
) -> None:
    task_id, _ = await _with_pull_request(gateway)
    for _ in range(2):
        assert (await github.close()).json() == {"accepted": True, "applied": True}
    events = (await gateway.get(f"/v1/tasks/{task_id}/events")).json()["data"]
    assert [event["type"] for event in events].count("task.pr_closed") == 2


async def test_a_body_that_somebody_kept_for_long_is_no_news(
    gateway: GatewayHarness, github: GitHub
) -> None:
    await _with_pull_request(gateway)
    long_ago = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 8 * 86_400))
    answer = await github.close(closed_at=long_ago)
    assert (answer.status_code, answer.json()["code"]) == (401, "timestamp_out_of_tolerance")


@pytest.mark.alike
async def test_a_form_is_refused_with_what_to_change(github: GitHub) -> None:
    answer = await github.send(b"payload=%7B%7D", media_type="application/x-www-form-urlencoded")
    assert answer.status_code == 415
    assert "application/json" in answer.json()["hint"]


@pytest.mark.alike
async def test_another_secret_proves_nothing_and_is_counted(gateway: GatewayHarness) -> None:
    answer = await GitHub(http=gateway.http, secret=b"another secret").send(b"{")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_signature")
    text = (await gateway.get("/metrics", "read")).text
    assert 'refused_total{code="invalid_signature",source="github"} 1.0' in text


@pytest.mark.parametrize("missing", ["X-GitHub-Delivery", "X-GitHub-Event", "X-Hub-Signature-256"])
@pytest.mark.alike
async def test_a_missing_header_is_401(gateway: GatewayHarness, missing: str) -> None:
    headers = {
        "X-GitHub-Delivery": "d1",
        "X-GitHub-Event": "ping",
        "X-Hub-Signature-256": f"sha256={'0' * 64}",
    }
    del headers[missing]
    answer = await gateway.http.post("/v1/webhooks/github", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "malformed_headers")
    assert missing in answer.json()["detail"]
