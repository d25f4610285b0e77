"""The Python client against a gateway in this process, on both stores."""

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from standardwebhooks import Webhook as ReferenceWebhook

from gateway.wire.authorities import Authorities
from gateway.wire.launcher import Claim, Done, Sandbox, Trying
from gateway.wire.signing import secret_text
from slipgate.client import (
    AsyncSlipgate,
    Slipgate,
    WaitTimeout,
    WebhookRejected,
    verify_webhook,
)
from slipgate.errors import (
    AlreadyFinished,
    ApiError,
    IntakePaused,
    InvalidRequest,
    NotConfigured,
    NotFound,
    Unauthorized,
)
from slipgate.sse import EventDecoder
from slipgate.types import BulkPreview
from tests.stores import NewDatabase
from tests.web.callers import KEYS, PROVIDER, TASK, GatewayHarness, open_gateway

REPO = TASK["repoUrl"]
PULL = "https://github.com/acme/widgets/pull/1"


@pytest_asyncio.fixture
async def gateway(database: NewDatabase) -> AsyncIterator[GatewayHarness]:
    async with open_gateway(database, SLIPGATE_WORKSPACE_WAIT_SECONDS="0") as opened:
        yield opened


def client_of(gateway: GatewayHarness, key: str) -> AsyncSlipgate:
    return AsyncSlipgate("http://gate.example", key, http=gateway.http, retry_seconds=0)


async def test_a_task_goes_its_way_with_one_client_for_each_part(gateway: GatewayHarness) -> None:
    tasks, launcher = (client_of(gateway, KEYS[scope]) for scope in ("tasks", "launcher"))
    agent = client_of(gateway, "")
    task = await tasks.create_task(
        repo_url=REPO, prompt="Add /health", metadata={"userId": "u_1"}, agent={"maxTurns": 3}
    )
    assert (task.status, task.agent.max_turns, task.metadata) == ("queued", 3, {"userId": "u_1"})
    with pytest.raises(WaitTimeout, match="is queued after"):
        await tasks.wait_for(task.id, timeout=0.001)
    claim = Claim(launcher_id="l1", providers=(PROVIDER,), capacity=1)
    (job,) = (await launcher.claim_jobs(claim)).jobs
    assert job.sandbox is not None
    name, lease = job.sandbox.name, job.lease_token
    trying = Trying(lease_token=lease, provider="local", realm="here", name=name, try_=1)
    assert (await launcher.report_trying(job.id, trying)).create
    made = Sandbox(id="s1", name=name, provider="local", realm="here", state="started")
    await launcher.report_done(job.id, Done(lease_token=lease, sandbox=made))
    secret = job.env["SLIPGATE_WEBHOOK_SECRET"]
    assert (await agent.prompt(secret, task_id=task.id, attempt=1)).prompt == "Add /health"
    target = {"taskId": task.id, "attempt": 1}
    sent_data: dict[str, dict[str, Any]] = {
        "task.started": {},
        "task.log": {"offset": 0, "chunk": "hello\n"},
        "task.completed": {"prUrl": PULL, "patch": "diff --git a b\n"},
    }
    for kind, data in sent_data.items():
        sent = await agent.send_agent_event(secret, type=kind, data={**target, **data})
        assert sent.applied
    ended = await tasks.wait_for(task.id)
    assert (ended.status, ended.pr_url) == ("completed", PULL)
    events = [event async for event in tasks.stream(task.id)]
    assert [event.task_seq for event in events] == [*range(1, len(events) + 1)]
    assert [event.data["prUrl"] for event in events if event.type == "task.completed"] == [PULL]
    assert [chunk.chunk async for chunk in tasks.logs(task.id)] == ["hello\n"]
    assert await tasks.patch(task.id) == "diff --git a b\n"
    whole = await tasks.get_task(task.id, include=["attempts"])
    assert isinstance(whole.attempts, tuple)
    assert whole.attempts[0].status == "completed"


async def test_lists_go_on_over_pages_and_filters_become_parameters(
    gateway: GatewayHarness,
) -> None:
    client = client_of(gateway, KEYS["ops"])
    made = [
        await client.create_task(repo_url=REPO, prompt=f"{number}", metadata={"n": f"{number % 2}"})
        for number in range(5)
    ]
    newest = [task.id for task in reversed(made)]
    assert [task.id async for task in client.tasks(limit=2)] == newest
    page = await client.tasks(limit=2).page()
    assert [task.id for task in page.data] == newest[:2]
    odd = client.tasks(metadata={"n": "1"}, status=["queued", "running"], limit=1)
    assert [task.id async for task in odd] == [made[3].id, made[1].id]


async def test_what_operators_do(gateway: GatewayHarness) -> None:
    client = client_of(gateway, KEYS["ops"])
    tried = await client.create_endpoint(url="https://a.example/", dry_run=True)
    assert tried.secret is None
    made = await client.create_endpoint(url="https://a.example/", description="mine")
    assert made.secret is not None
    changed = await client.update_endpoint(made.id, description=None, event_types=["task.*"])
    assert (changed.description, changed.event_types) == (None, ("task.*",))
    assert [endpoint.id async for endpoint in client.endpoints()] == [made.id]
    assert (await client.delete_endpoint(made.id, reason="over")).deleted
    key = await client.create_key(scope="read", name="a script")
    assert key.key.startswith("slip_read_")
    assert (await client.revoke_key(key.id)).revoked_at is not None
    await client.create_task(repo_url=REPO, prompt="x")
    preview = await client.bulk("cancel", filter={"status": ["queued"]}, reason="r", dry_run=True)
    assert isinstance(preview, BulkPreview)
    assert preview.matched == 1
    bulk = await client.bulk("cancel", filter={"status": ["queued"]}, reason="r")
    assert not isinstance(bulk, BulkPreview)
    assert (await client.get_bulk(bulk.id)).matched == 1
    assert {entry.action async for entry in client.audit()} >= {"key.created"}
    assert (await client.check_health()) == "ok\n"
    assert (await client.openapi())["openapi"].startswith("3.1")
    assert (await client.status()).strip.launchers_live == 0


async def test_a_refusal_is_of_the_class_of_its_code(gateway: GatewayHarness) -> None:
    client = client_of(gateway, KEYS["ops"])
    task = await client.create_task(repo_url=REPO, prompt="x")
    await client.cancel_task(task.id)
    with pytest.raises(AlreadyFinished):
        await client.cancel_task(task.id)
    with pytest.raises(NotFound):
        await client.get_task("task_../../keys")
    with pytest.raises(InvalidRequest, match=r"\$\.prompt: ") as refused:
        await client.create_task(repo_url=REPO, prompt="")
    assert (refused.value.status, refused.value.code) == (422, "invalid_request")
    assert refused.value.request_id
    await client.set_switches(intake="paused", reason="r")
    with pytest.raises(IntakePaused):
        await client.create_task(repo_url=REPO, prompt="x")
    with pytest.raises(Unauthorized):
        await client_of(gateway, "slip_tasks_x").status()


async def test_a_code_of_a_later_version_is_an_api_error() -> None:
    body = {"status": 418, "code": "teapot", "detail": "Short and stout."}
    answer = httpx.MockTransport(lambda _: httpx.Response(418, json=body))
    async with AsyncSlipgate("http://a", "k", http=httpx.AsyncClient(transport=answer)) as client:
        with pytest.raises(ApiError, match="418 teapot: Short and stout") as refused:
            await client.status()
    assert type(refused.value) is ApiError


def test_the_environment_names_the_gateway_and_its_key_goes_to_no_other() -> None:
    environ = {"SLIPGATE_URL": "https://gate.example/", "SLIPGATE_API_KEY": "slip_read_x"}
    with Slipgate(environ=environ) as client:
        assert client.connection.gateway.url == "https://gate.example"
        assert "slip_read_x" not in repr(client.connection)
    with pytest.raises(NotConfigured, match="no API key for https://other"):
        Slipgate("https://other.example", environ=environ)
    with pytest.raises(NotConfigured, match="no API key for http://127"):
        Slipgate(environ={})
    with pytest.raises(NotConfigured, match="is no address"):
        Slipgate("gate.example", "k")


def test_the_environment_names_the_certificate_authorities(tmp_path: Path) -> None:
    environ = {"SSL_CERT_DIR": str(tmp_path)}
    with Slipgate("https://gate.example", "k", environ=environ) as client:
        named = Authorities(directories=(str(tmp_path),))
        assert client.connection.tls() is named.context()


@pytest.mark.parametrize("cut", range(1, 12))
def test_server_sent_events_may_be_cut_anywhere(cut: int) -> None:
    text = b': ping\n\nid: 7\ndata: {"a":\ndata: 1}\n\nid: 8\r\ndata:x\r\n\r\nid: 9\ndata: cut'
    decoder = EventDecoder()
    pieces = [text[at : at + cut] for at in range(0, len(text), cut)]
    found = [event for piece in pieces for event in decoder.feed(piece)]
    assert [(event.id, event.data) for event in found] == [("7", b'{"a":\n1}'), ("8", b"x")]


SECRETS = [secret_text(bytes([number]) * 32) for number in (1, 2)]
BODY = b'{"type":"task.completed","timestamp":"2026-01-01T00:00:00.000Z","data":{}}'


def signed(secret: str, *, ago: int = 0) -> dict[str, str]:
    """Headers as the reference library makes them, in the case of a framework."""
    at = datetime.now(UTC) - timedelta(seconds=ago)
    return {
        "Webhook-Id": "evt_1",
        "Webhook-Timestamp": str(int(at.timestamp())),
        "Webhook-Signature": ReferenceWebhook(secret).sign("evt_1", at, BODY.decode()),
    }


@pytest.mark.parametrize("secret", SECRETS)
def test_a_webhook_of_any_of_the_secrets_is_authentic(secret: str) -> None:
    webhook = verify_webhook(BODY, signed(secret), SECRETS)
    assert (webhook.id, webhook.type, webhook.event) == ("evt_1", "task.completed", None)
    late = verify_webhook(BODY.decode(), signed(secret, ago=400), SECRETS, tolerance=500)
    assert late == webhook


@pytest.mark.parametrize(
    ("body", "secret", "ago", "reason"),
    [
        pytest.param(BODY, secret_text(b"x" * 32), 0, "none of the secrets", id="secret"),
        pytest.param(BODY + b" ", SECRETS[0], 0, "none of the secrets", id="body"),
        pytest.param(BODY, SECRETS[0], 400, "more than 300 s", id="old"),
        pytest.param(BODY, None, 0, "webhook-id must be", id="headers"),
    ],
)
def test_another_webhook_is_rejected(
    body: bytes, secret: str | None, ago: int, reason: str
) -> None:
    headers = {} if secret is None else signed(secret, ago=ago)
    with pytest.raises(WebhookRejected, match=reason):
        verify_webhook(body, headers, SECRETS, now=time.time())
