"""I-JSON in the bodies of every kind of caller: 422 with the path, and nothing stored."""

import pytest

from tests.web.callers import TASK, GatewayHarness, line_of, sandbox_of

ODD = [
    pytest.param(b"9" * 5_000, id="5,000 digits"),
    pytest.param(b"9007199254740993", id="2^53 + 1"),
    pytest.param(b"1e400", id="1e400"),
    pytest.param(rb'"\ud800"', id="half a pair"),
    pytest.param(b'{"b": 1, "b": 2}', id="a name twice"),
]


@pytest.mark.parametrize("odd", ODD)
async def test_a_field_that_readers_do_not_read_alike_is_refused(
    gateway: GatewayHarness, odd: bytes
) -> None:
    job, agent = await gateway.launch()
    before = (await gateway.task(job["taskId"]))["taskSeq"]
    body = agent.body("task.heartbeat", more={"x": "ODD"}).replace(b'"ODD"', odd)
    signed = await agent.send(body, "m1")
    flat = b'{"type": "task.heartbeat", "more": {"x": %b}}' % odd
    answers = [signed, await gateway.http.post(agent.env["WEBHOOK_URL"], content=flat)]
    for answer, path in zip(answers, ("$.data.more.x", "$.more.x"), strict=True):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
        assert answer.json()["errors"][0]["path"].startswith(path)
    assert (await gateway.task(job["taskId"]))["taskSeq"] == before


async def test_only_who_may_speak_is_told_what_is_wrong(gateway: GatewayHarness) -> None:
    _, agent = await gateway.launch()
    body = agent.body("task.heartbeat", more="ODD").replace(b'"ODD"', rb'"\ud800"')
    headers = agent.headers(body, "m1") | {"webhook-id": "m2"}
    refused = await gateway.http.post("/v1/webhooks/agent", content=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_signature")


async def test_what_a_spool_brings_is_held_to_the_same(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    await agent.emit("task.failed", "m0", error={"stage": "x", "code": "x", "message": "x"})
    (destroy,) = await gateway.claim(capacity=0)
    body = agent.body("task.heartbeat", more="ODD").replace(b'"ODD"', b"9" * 5_000)
    before = (await gateway.task(job["taskId"]))["taskSeq"]
    spool = [line_of(agent, "m1", body)]
    done = await gateway.report(destroy, "done", sandbox=sandbox_of(destroy), spool=spool)
    assert done.status_code == 200
    assert (await gateway.task(job["taskId"]))["taskSeq"] == before


@pytest.mark.parametrize(
    ("path", "scope", "body"),
    [
        ("/v1/tasks", "tasks", b'{"prompt": "x", "prompt": "y", "repoUrl": "https://a.b/c/d"}'),
        ("/v1/tasks", "tasks", rb'{"prompt": "\udead", "repoUrl": "https://a.b/c/d"}'),
        ("/v1/launcher/claim", "launcher", b'{"capacity": 99999999999999999999}'),
        ("/v1/endpoints", "ops", rb'{"url": "https://a.b/", "description": "\ud800"}'),
        ("/workspace", "tasks", rb'{"env": {"AGENT_PROMPT": "\ud800"}, "repoUrl": "x"}'),
    ],
)
async def test_every_body_of_ours_is_looked_at(
    gateway: GatewayHarness, path: str, scope: str, body: bytes
) -> None:
    headers = gateway.bearer(scope) | {"content-type": "application/json"}
    refused = await gateway.http.post(path, content=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), refused.text


@pytest.mark.parametrize("metadata", [{"a": "\x00"}, {"a\x00": "b"}, {"a": "b\x00\n"}], ids=str)
async def test_metadata_that_no_filter_finds_is_refused(
    gateway: GatewayHarness, metadata: dict[str, str]
) -> None:
    refused = await gateway.post("/v1/tasks", TASK | {"metadata": metadata})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert refused.json()["errors"][0]["path"].startswith("$.metadata.")


async def test_a_log_may_hold_what_a_program_wrote(gateway: GatewayHarness) -> None:
    job, agent = await gateway.launch()
    response = await agent.emit("task.log", "m1", offset=0, chunk="\x00\x1b[1m\uffff\n")
    assert response.status_code == 202, response.text
    log = await gateway.get(f"/v1/tasks/{job['taskId']}/logs", accept="text/plain")
    assert "\uffff" in log.text
