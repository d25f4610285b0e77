"""One trace per task, as a collector of OpenTelemetry gets it."""

import asyncio
import subprocess
import sys
from typing import Final

import httpx

from gateway.metrics.traces import Span, Traces
from tests.stores import NewDatabase
from tests.web.callers import Agent, GatewayHarness, open_gateway, sandbox_of
from tests.web.collector import Collector, collector

CALLER: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
ALL: Final = {
    *("task", "POST /v1/tasks", "ledger", "queue", "launch", "sandbox"),
    *("agent clone", "agent push", "delivery"),
}


def refuse(request: httpx.Request) -> httpx.Response:
    """A receiver that takes no end of a task."""
    return httpx.Response(503 if b'"task.failed"' in request.content else 204)


async def work(gateway: GatewayHarness, **headers: str) -> str:
    """A task from its request to the end of its sandbox; its trace in the sandbox."""
    endpoint = {"url": "https://a.example/hook", "eventTypes": ["task.created", "task.failed"]}
    await gateway.post("/v1/endpoints", endpoint, "ops")
    wanted = {"repoUrl": "https://github.com/acme/widgets", "prompt": "x"}
    await gateway.post("/v1/tasks", wanted, **headers)
    (job,) = await gateway.claim()
    await gateway.try_sandbox(job)
    await gateway.report(job, "done", sandbox=sandbox_of(job))
    agent = Agent(http=gateway.http, env=job["env"])
    for name, stage in (("m1", "clone"), ("m2", "clone"), ("m3", "push")):
        await agent.emit("task.progress", name, stage=stage, message="x")
    error = {"stage": "push", "code": "push_failed", "message": "x", "retryable": False}
    await agent.emit("task.failed", "m4", error=error)
    (destroy,) = await gateway.claim(capacity=0)
    await gateway.report(destroy, "done", sandbox=sandbox_of(destroy, "destroyed"))
    query = f"/v1/deliveries?taskId={job['taskId']}&status=pending"
    async with asyncio.timeout(20):
        while True:
            pending = (await gateway.get(query, "ops")).json()["data"]
            if [one["type"] for one in pending if one["attempts"]] == ["task.failed"]:
                break
            await asyncio.sleep(0.01)
    return str(job["env"].get("TRACEPARENT", ""))


async def traced(database: NewDatabase, found: Collector, **headers: str) -> str:
    transport = httpx.MockTransport(refuse)
    async with open_gateway(
        database, receivers=transport, OTEL_EXPORTER_OTLP_ENDPOINT=found.url
    ) as gateway:
        return await work(gateway, **headers)


async def test_the_spans_of_a_task_are_one_trace_below_that_of_its_caller(
    database: NewDatabase,
) -> None:
    with collector() as found:
        assert await traced(database, found, traceparent=CALLER) == CALLER
    _, trace, caller, _ = CALLER.split("-")
    assert {span["name"] for span in found.spans} == ALL
    assert {(span["trace"], span["service"]) for span in found.spans} == {(trace, "slipgate")}
    (root,) = found.named("task")
    # Below the task, and not the request: the webhooks that create tasks have no such span.
    below = {span["parent"] for span in found.spans if span["name"] not in {"task", "delivery"}}
    assert (root["parent"], below) == (caller, {root["id"]})
    assert (root["is_error"], root["error.type"]) == (True, "push_failed")
    for name in ("queue", "launch", "sandbox", "agent clone", "agent push"):
        (span,) = found.named(name)
        assert span["slipgate.attempt"] == 1
        assert root["start"] <= span["start"] <= span["end"]
    codes = {
        (span["http.response.status_code"], span["is_error"]) for span in found.named("delivery")
    }
    assert codes == {(503, True), (204, False)}
    assert len({span["id"] for span in found.spans}) == len(found.spans)


async def test_without_a_trace_of_the_caller_the_gateway_begins_one(database: NewDatabase) -> None:
    with collector() as found:
        traceparent = await traced(database, found)
    _, trace, span, flags = traceparent.split("-")
    (root,) = found.named("task")
    assert (root["trace"], root["id"], root["parent"], flags) == (trace, span, "", "01")
    assert {one["parent"] for one in found.named("delivery")} == {root["id"]}


def test_one_event_to_two_endpoints_at_one_moment_is_two_spans() -> None:
    spans: list[Span] = []
    traces = Traces(spans.append, lambda: 5)
    for _ in range(2):
        traces.record_delivery(CALLER, 5, {"slipgate.event.id": "evt_1"})
    assert len({span.span_id for span in spans}) == 2


async def test_a_trace_that_its_caller_does_not_sample_is_not_exported(
    database: NewDatabase,
) -> None:
    with collector() as found:
        await traced(database, found, traceparent=f"{CALLER[:-2]}00")
    assert not found.spans


async def test_a_collector_that_is_away_holds_nothing_up(database: NewDatabase) -> None:
    with collector() as found:
        pass  # nobody listens there any more
    async with asyncio.timeout(60):
        assert await traced(database, found, traceparent=CALLER) == CALLER


async def test_without_the_variable_there_is_no_trace(database: NewDatabase) -> None:
    transport = httpx.MockTransport(refuse)
    async with open_gateway(database, receivers=transport) as gateway:
        assert await work(gateway) == ""


def test_nothing_of_an_extra_is_imported_for_it() -> None:
    modules = "gateway.app, gateway.server, gateway.cli.main"
    line = f"import sys, {modules}; print({{'opentelemetry', 'psycopg'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
