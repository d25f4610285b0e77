"""Patches over HTTP: pieces and revisions, in every end, within their bounds."""

import base64
import gzip
import random
from collections.abc import Callable
from typing import Final

import httpx
import pytest

from gateway.domain.agents.patch import MAX_PATCH, MAX_STORED, MIB
from tests.stores import NewDatabase
from tests.web.callers import Agent, GatewayHarness, Json, beside, line_of, rows_of, sandbox_of
from tests.wire.secrets import BY_KIND

DIFF = "--- a/ü\n+++ b/ü\n@@ -1 +1 @@\n-old\n+new\n"
BASE = "0123456789abcdef0123456789abcdef01234567"
END: Json = {"stage": "agent", "code": "x", "message": "x", "retryable": False}


def zipped(text: bytes) -> str:
    return base64.b64encode(gzip.compress(text, 9, mtime=0)).decode()


async def send(agent: Agent, name: str, text: str = DIFF, **fields: object) -> httpx.Response:
    data = text.encode()
    about = {"offset": 0, "chunk": zipped(data), "encoding": "gzip", "size": len(data), **fields}
    return await agent.emit("task.patch", name, **about)


async def read(gateway: GatewayHarness, task_id: str, query: str = "") -> httpx.Response:
    return await gateway.get(f"/v1/tasks/{task_id}/patch{query}")


@pytest.mark.alike
async def test_a_compressed_patch_is_read_as_text(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    pieces = [DIFF * 2_000, DIFF, DIFF * 9_000]
    starts = [sum(len(each.encode()) for each in pieces[:number]) for number in range(3)]
    size = len("".join(pieces).encode())
    for number in (2, 0, 1):
        answer = await send(
            agent, f"m{number}", pieces[number], offset=starts[number], size=size, baseSha=BASE
        )
        assert answer.status_code == 202
    found = await read(gateway, job["taskId"])
    assert found.text == "".join(pieces)
    assert found.headers["content-length"] == f"{size}"
    assert found.headers["slipgate-patch-base"] == BASE
    assert "slipgate-patch-partial" not in found.headers


async def test_a_later_revision_replaces_the_earlier_ones_once_it_is_whole(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch()
    await send(agent, "m1")
    newer = DIFF + DIFF
    half = {"offset": 0, "chunk": newer[:40], "revision": 2, "size": len(newer.encode())}
    await agent.emit("task.patch", "m2", **half)
    assert (await read(gateway, job["taskId"])).text == DIFF
    rest = {"offset": len(newer[:40].encode()), "chunk": newer[40:]}
    await agent.emit("task.patch", "m3", **half | rest)
    assert (await read(gateway, job["taskId"])).text == newer


BAD_MEMBERS: Final[tuple[Callable[[], str], ...]] = (
    (lambda: "not base64!"),  # not base64
    (lambda: base64.b64encode(b"plain").decode()),  # not gzip
    (lambda: zipped(b"x" * (MIB + 1))),  # a byte too long
    (lambda: zipped(b"0" * (40 * MIB))),  # a bomb
    (lambda: zipped(b"\xff\xfe")),  # not UTF-8
    (lambda: base64.b64encode(gzip.compress(b"x")[:-4]).decode()),  # cut off
    (lambda: base64.b64encode(gzip.compress(b"x") * 2).decode()),  # two members
    (lambda: ""),  # nothing
)


@pytest.mark.alike
async def test_a_bad_member_is_refused(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    for make in BAD_MEMBERS:
        refused = await agent.emit("task.patch", "m1", offset=0, chunk=make(), encoding="gzip")
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
        assert [error["path"] for error in refused.json()["errors"]] == ["$.data.chunk"]
    assert (await read(gateway, job["taskId"])).status_code == 404


async def test_a_member_may_hold_one_mebibyte(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    assert (await send(agent, "m1", "x" * MIB)).status_code == 202
    assert (await read(gateway, job["taskId"])).text == "x" * MIB


KEEPS_MUCH: Final = f"""UPDATE attempts SET patch = '{{"stored": {MAX_STORED - 1_000}}}'"""  # noqa: S608 - a number of ours


@pytest.mark.alike
async def test_secrets_are_found_inside_of_compressed_pieces(
    gateway: GatewayHarness, database: NewDatabase
) -> None:
    job, agent = await gateway.launch()
    secret = BY_KIND["github_token"]
    answer = await send(agent, "m1", f"+++ b/x\n+token = '{secret}'\n old\n")
    assert answer.json()["warnings"] == ["$.data.chunk: secrets in added lines were redacted"]
    found = (await read(gateway, job["taskId"])).text
    assert secret not in found
    assert "[redacted:github_token]" in found
    (sentence,) = (await gateway.get(f"/v1/tasks/{job['taskId']}")).json()["warnings"]
    assert "a retry cannot go on with it" in sentence
    assert found.endswith("'\n old\n")
    ((chunk,),) = rows_of(database, "SELECT chunk FROM patch_pieces")
    assert secret.encode() not in gzip.decompress(chunk)


@pytest.mark.parametrize(
    "fields", [{"offset": MAX_PATCH}, {"size": MAX_PATCH + 1}], ids=["offset", "size"]
)
@pytest.mark.alike
async def test_a_patch_past_its_bound_is_413(gateway: GatewayHarness, fields: Json) -> None:
    job, agent = await gateway.launch()
    refused = await send(agent, "m1", **fields)
    assert (refused.status_code, refused.json()["code"]) == (413, "patch_too_large")
    assert (await read(gateway, job["taskId"])).status_code == 404


@pytest.mark.parametrize("has_ended", [False, True], ids=["at work", "ended"])
async def test_an_attempt_keeps_no_more_than_its_share(
    gateway: GatewayHarness, database: NewDatabase, *, has_ended: bool
) -> None:
    job, agent = await gateway.launch()
    await send(agent, "m1")
    if has_ended:
        await agent.emit("task.failed", "m2", error=END)
    await beside(database, KEEPS_MUCH)
    refused = await send(agent, "m3", random.Random(1).randbytes(2_000).hex(), revision=2)
    expected = (410, "attempt_finished") if has_ended else (413, "patch_too_large")
    assert (refused.status_code, refused.json()["code"]) == expected
    assert (await read(gateway, job["taskId"])).text == DIFF


@pytest.mark.alike
async def test_a_patch_that_comes_late_is_kept_beside_a_hundred_late_events(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.started", "m0")
    await agent.emit("task.failed", "m1", error=END)
    for number in range(105):
        await agent.emit("task.heartbeat", f"late{number}")
    late = await send(agent, "m2", DIFF * 5_000)
    assert (late.status_code, late.json()["code"]) == (410, "attempt_finished")
    assert (await send(agent, "m2", DIFF * 5_000)).json()["duplicate"] is True
    assert (await read(gateway, job["taskId"])).text == DIFF * 5_000
    task = await gateway.task(job["taskId"])
    assert (task["status"], task["warnings"]) == ("failed", [])


async def test_a_final_event_that_comes_late_brings_its_patch_nevertheless(
    gateway: GatewayHarness,
) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.started", "m0")
    await agent.emit("task.failed", "m1", error=END)
    await agent.emit("task.completed", "m2", summary="no patch")
    whole = DIFF * 5_000
    late = await agent.emit("task.completed", "m3", patch=whole)
    assert (late.status_code, late.json()["code"]) == (410, "attempt_finished")
    await agent.emit("task.completed", "m4", patch=DIFF)
    assert (await read(gateway, job["taskId"])).text == whole, "the first is kept, as the only one"
    assert (await gateway.task(job["taskId"]))["status"] == "failed"


async def next_attempt(gateway: GatewayHarness, job: Json) -> Agent:
    (destroy,) = await gateway.claim(capacity=0)
    await gateway.report(destroy, "done", sandbox=sandbox_of(job, "destroyed"))
    (again,) = await gateway.claim()
    await gateway.try_sandbox(again)
    await gateway.report(again, "done", sandbox=sandbox_of(again))
    return Agent(http=gateway.http, env=again["env"])


async def test_the_newest_attempt_that_kept_one_is_read_or_the_one_asked_for(
    gateway: GatewayHarness,
) -> None:
    job, first = await gateway.launch(maxAttempts=3)
    await send(first, "m1", DIFF)
    await first.emit("task.failed", "m2", error=END | {"retryable": True})
    second = await next_attempt(gateway, job)
    found = await read(gateway, job["taskId"])
    assert (found.text, found.headers["slipgate-patch-attempt"]) == (DIFF, "1")
    missing = await read(gateway, job["taskId"], "?attempt=2")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_patch")
    stale = await send(first, "m3", DIFF + DIFF, revision=2)
    assert (stale.status_code, stale.json()["code"]) == (409, "stale_attempt")
    await send(second, "m1", "+second\n")
    assert (await read(gateway, job["taskId"])).text == "+second\n"
    assert (await read(gateway, job["taskId"], "?attempt=1")).text == DIFF + DIFF


@pytest.mark.alike
async def test_why_there_is_no_patch_is_said(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    reasons = [(await read(gateway, task["id"])).json()["detail"]]
    (job,) = await gateway.claim()
    await gateway.try_sandbox(job)
    await gateway.report(job, "done", sandbox=sandbox_of(job))
    agent = Agent(http=gateway.http, env=job["env"])
    await agent.emit("task.started", "m1")
    reasons.append((await read(gateway, task["id"])).json()["detail"])
    await agent.emit("task.patch", "m2", offset=0, chunk="", size=0)
    reasons.append((await read(gateway, task["id"])).json()["detail"])
    reasons.append((await read(gateway, task["id"], "?attempt=7")).json()["detail"])
    assert reasons == [
        "No agent has begun to work in attempt 1.",
        "The agent of attempt 1 is at work and has sent no patch yet.",
        "The agent changed no file.",
        "There is no attempt 7: the newest is 1.",
    ]


@pytest.mark.alike
async def test_pieces_do_not_ride_in_feeds(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.patch", "m1", offset=0, chunk="+" + "x" * 60_000, size=60_001)
    page = await gateway.get(f"/v1/tasks/{job['taskId']}/events")
    assert len(page.content) < 10_000
    (event,) = [each for each in page.json()["data"] if each["type"] == "task.patch"]
    assert event["data"] == {
        "taskId": job["taskId"],
        "attempt": 1,
        "offset": 0,
        "size": 60_001,
        "bytes": 60_001,
    }


@pytest.mark.alike
async def test_a_patch_whose_summary_is_too_long_is_not_lost(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    answer = await send(agent, "m1", summary="x" * 9_000, more="y" * 70_000)
    assert answer.status_code == 202
    assert len(answer.json()["warnings"]) == 2
    assert (await read(gateway, job["taskId"])).text == DIFF


async def test_the_spool_of_a_task_that_ran_out_of_time_is_kept(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.started", "m1")
    await gateway.post(f"/v1/tasks/{job['taskId']}/cancel")
    await agent.emit("task.failed", "m2", error=END)
    (destroy,) = await gateway.claim(capacity=0)
    half = len(DIFF.encode()) // 2
    spool = []
    for name, start, part in (("a", 0, DIFF.encode()[:half]), ("b", half, DIFF.encode()[half:])):
        body = agent.body(
            "task.patch",
            offset=start,
            chunk=zipped(part),
            encoding="gzip",
            size=len(DIFF.encode()),
            partial=True,
        )
        spool.append(line_of(agent, name, body))
    for line in spool:
        done = await gateway.report(destroy, "done", sandbox=sandbox_of(job), spool=[line])
        assert done.status_code == 200
        (destroy,) = await gateway.claim(capacity=0)
    found = await read(gateway, job["taskId"])
    assert (found.text, found.headers["slipgate-patch-partial"]) == (DIFF, "true")
    assert destroy.get("rescue", False) is False
