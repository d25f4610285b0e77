"""Hostile requests on every route: an answer of the right code, documented, and never a 5xx."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from gateway.web.openapi.document import method_of, operation_of
from gateway.web.openapi.examples import example_of
from gateway.web.routes import ROUTES
from tests.hostile import FLAT, bodies, signed_words
from tests.web.callers import SCOPES, Agent, GatewayHarness, Json

PATIENCE: Final = 60
"""Seconds until a test gives up."""
STRANGE: Final = ("\u0663".encode(), b"-1", b"1e3", b"\x00", b"\xff\xfe", b"")
LONG: Final = (b"9" * 5_000, b"x" * 5_000)
TEXT: Final = st.binary(max_size=40) | st.sampled_from(STRANGE + LONG)
NAMES: Final = (
    b"authorization",
    b"content-length",
    b"content-type",
    b"idempotency-key",
    b"traceparent",
    b"webhook-id",
    b"webhook-signature",
    b"webhook-timestamp",
    b"x-request-id",
)
ALMOST: Final = (
    b"Bearer",
    b"Bearer ",
    b"bearer slip_ops_",
    b"application/json; charset=\xff",
    b"text/plain",
)
HEADERS: Final = st.dictionaries(st.sampled_from(NAMES), TEXT | st.sampled_from(ALMOST), max_size=3)


@dataclass(frozen=True, kw_only=True)
class Target:
    """The resources that the requests attack."""

    gateway: GatewayHarness
    agent: Agent
    task_id: str
    job: Json

    def parameter(self, name: str) -> str:
        """The real value of a path's parameter."""
        token = self.agent.env["WEBHOOK_URL"].rpartition("/")[2]
        real: dict[str, str] = {
            "task_id": self.task_id,
            "attempt": "1",
            "workspace_id": self.task_id,
            "job_id": self.job["id"],
            "endpoint_id": "ep_0",
            "event_type": "invoice.paid",
            "delivery_id": "dlv_0-1",
            "key_id": "key_none",
            "replay_id": "rpl_0",
            "bulk_id": "bulk_0",
            "launcher_id": "l9",
            "request_id": "tok_0",
            "page": "reference",
            "token": token,
        }
        return real[name]

    def bodies(self, route: Route) -> st.SearchStrategy[bytes]:
        """Bodies that are almost right."""
        body = operation_of(route).body
        if body is None:
            return st.just(b"")
        if route.path.startswith("/v1/hooks"):
            return bodies(*FLAT)
        if route.path == "/v1/webhooks/agent":
            return bodies(*signed_words(self.task_id))
        right = example_of(body.kind, body.example)
        assert isinstance(right, dict)
        lease = {"leaseToken": self.job["leaseToken"]} if "leaseToken" in right else {}
        # Who may wait would wait.
        return bodies({name: right[name] for name in right if name != "waitSeconds"} | lease)

    def headers(self, body: bytes, name: str, scope: str) -> dict[bytes, bytes]:
        """Headers of an authorised caller."""
        right = self.agent.headers(body, name) | self.gateway.bearer(scope)
        return {name.encode(): text.encode() for name, text in right.items()}


async def test_no_request_breaks_a_route(gateway: GatewayHarness) -> None:
    _, agent = await gateway.launch()
    await gateway.create()
    (job,) = await gateway.claim()
    target = Target(gateway=gateway, agent=agent, task_id=agent.env["SLIPGATE_TASK_ID"], job=job)
    on_loop = _caller()

    @settings(max_examples=300)
    @given(requests(target))
    def attack(request: Json) -> None:
        response = on_loop(gateway.http.request(**request))
        assert response.status_code < 500

    await asyncio.to_thread(attack)


@pytest.mark.alike
async def test_a_stream_is_resumed_only_behind_a_number(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    key = gateway.bearer("read")["authorization"].encode()
    path = f"/v1/tasks/{task['id']}/events"
    on_loop = _caller()

    @given(TEXT.filter(lambda last: last != b"" and not (last.isdigit() and len(last) < 20)))
    def attack(last: bytes) -> None:
        headers = {b"authorization": key, b"accept": b"text/event-stream", b"last-event-id": last}
        response = on_loop(gateway.http.request("GET", path, headers=headers))
        assert response.json()["code"] == "invalid_request"

    await asyncio.to_thread(attack)


@st.composite
def requests(draw: st.DrawFn, target: Target) -> Json:
    """A request to some route, with anything wrong about it."""
    route = draw(st.sampled_from(ROUTES))
    path = route.path
    for name in route.param_convertors:
        hostile = st.binary(min_size=1, max_size=20).map(lambda raw: quote(raw, safe=""))
        path = path.replace(f"{{{name}}}", draw(st.just(target.parameter(name)) | hostile))
    body = draw(target.bodies(route))
    scope = draw(st.sampled_from(SCOPES))
    headers = target.headers(body, f"m{draw(st.integers(0))}", scope)
    return {
        "method": method_of(route),
        "url": f"{path}?{draw(_query(route))}",
        "headers": headers | draw(HEADERS),
        "content": body,
    }


def _query(route: Route) -> st.SearchStrategy[str]:
    parameters = [one.name for one in operation_of(route).query if one.where == "query"]
    name = st.sampled_from([*(name for name in parameters if name != "wait"), "x"])
    pairs = st.lists(st.tuples(name, TEXT.map(quote)), max_size=3)
    return pairs.map(lambda drawn: "&".join("=".join(pair) for pair in drawn))


def _caller() -> Callable[[Coroutine[Any, Any, httpx.Response]], httpx.Response]:
    """Waits in another thread for what is done on this loop."""
    loop = asyncio.get_running_loop()
    return lambda call: asyncio.run_coroutine_threadsafe(call, loop).result(PATIENCE)
