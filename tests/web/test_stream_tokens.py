"""Stream tokens: a browser reads one task for a while, from any origin, and nothing else."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Final

import httpx
import pytest

from gateway.cli.operations.minting import mint
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.tasks.stream_token import LIFETIME, stream_token
from gateway.ledger import wall_clock
from gateway.wire.times import milliseconds, parse_rfc3339
from tests.app.processes import gateway_process
from tests.stores import NewDatabase
from tests.web.callers import MASTER, PUBLIC_URL, TASK, GatewayHarness, open_gateway
from tests.web.streams import streamed

READS: Final = ("", "/events", "/logs", "/patch", "/receipts")
KEYRING: Final = Keyring({"k1": b"m" * 32})
ORIGIN: Final = {"origin": "https://app.example"}


class Clock:
    """The wall clock, moved forward at will."""

    def __init__(self) -> None:
        self.moved = 0

    def __call__(self) -> int:
        return wall_clock() + self.moved


@pytest.fixture
async def patched(gateway: GatewayHarness) -> tuple[str, str]:
    """The path of a task that has everything, and a token for it."""
    job, agent = await gateway.launch()
    await agent.emit("task.log", "m1", chunk="hello\n", offset=0)
    await agent.emit("task.completed", "m2", summary="ok", patch="+a\n")
    path = f"/v1/tasks/{job['taskId']}"
    return path, await token_of(gateway, path)


async def token_of(gateway: GatewayHarness, path: str) -> str:
    response = await gateway.post(f"{path}/stream-token")
    assert response.status_code == 200, response.text
    token: str = response.json()["token"]
    return token


async def test_a_token_opens_the_reads_of_its_task_to_any_page(
    gateway: GatewayHarness, patched: tuple[str, str]
) -> None:
    path, token = patched
    for read in READS:
        answer = await gateway.http.get(f"{path}{read}?token={token}", headers=ORIGIN)
        assert answer.status_code == 200, answer.text
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-credentials" not in answer.headers
        assert "set-cookie" not in answer.headers
        by_key = await gateway.get(path + read)
        assert by_key.content == answer.content
        assert "access-control-allow-origin" not in by_key.headers


async def test_a_token_says_when_it_ends_and_where_it_is_used(gateway: GatewayHarness) -> None:
    task = await gateway.create()
    before = wall_clock()
    granted = (await gateway.post(f"/v1/tasks/{task['id']}/stream-token")).json()
    ends, refresh = moment(granted["expiresAt"]), moment(granted["refreshAt"])
    assert before < refresh < ends <= wall_clock() + LIFETIME
    url = f"{PUBLIC_URL}/v1/tasks/{task['id']}/events"
    assert granted["url"] == f"{url}?token={granted['token']}"
    assert (await gateway.http.get(granted["url"])).json()["data"][0]["type"] == "task.created"


async def test_without_a_public_address_the_url_is_that_of_the_request(
    database: NewDatabase,
) -> None:
    async with open_gateway(database, SLIPGATE_PUBLIC_URL="") as gateway:
        task = await gateway.create()
        granted = (await gateway.post(f"/v1/tasks/{task['id']}/stream-token")).json()
        assert granted["url"].startswith(f"{PUBLIC_URL}/v1/tasks/{task['id']}/events?token=st_")


@pytest.mark.parametrize(
    ("scope", "status"), [("read", 403), ("launcher", 403), ("other", 404), ("ops", 200)]
)
async def test_only_who_may_change_a_task_shares_it(
    gateway: GatewayHarness, scope: str, status: int
) -> None:
    task = await gateway.create()
    answer = await gateway.post(f"/v1/tasks/{task['id']}/stream-token", scope=scope)
    assert answer.status_code == status


async def test_a_token_changes_nothing_and_opens_nothing_else(
    gateway: GatewayHarness, patched: tuple[str, str]
) -> None:
    path, token = patched
    other = await gateway.create()
    for name in ("cancel", "retry", "stream-token"):
        answer = await gateway.http.post(f"{path}/{name}?token={token}")
        assert answer.status_code == 401
    for read in ("/v1/tasks", "/v1/events", f"{path}/explain"):
        answer = await gateway.http.get(f"{read}?token={token}")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    for read in READS:
        answer = await gateway.http.get(f"/v1/tasks/{other['id']}{read}?token={token}")
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")


SPOILED: Final[tuple[Callable[[str], str], ...]] = (
    (lambda token: ""),  # empty
    (lambda token: "x"),  # no token
    (lambda token: token[:-1]),  # cut
    (lambda token: token[:-1] + ("B" if token[-1] != "B" else "C")),  # altered
    (lambda token: "st_9" + token[4:]),  # prolonged
    (lambda token: token + "%00"),  # more behind it
    (lambda token: token.replace("st_", "st_%D9%A1")),  # other digits
)


async def test_what_is_no_token_of_ours_is_refused_where_a_page_can_read_it(
    gateway: GatewayHarness, patched: tuple[str, str]
) -> None:
    path, token = patched
    for read, spoil in product(READS, SPOILED):
        url = f"{path}{read}?token={spoil(token)}"
        answer = await gateway.http.get(url, headers=gateway.bearer("tasks"))
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "stream-token" in answer.json()["hint"]


async def test_a_token_that_has_ended_says_so(
    gateway: GatewayHarness, patched: tuple[str, str]
) -> None:
    path, _ = patched
    token = stream_token(KEYRING, path.rpartition("/")[2], wall_clock() - 1)
    for read in READS:
        for headers in ({}, {"accept": "text/event-stream"}):
            answer = await gateway.http.get(f"{path}{read}?token={token}", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")
            assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "status"), [("?limit=1", 422), ("/logs?after=x", 422), ("/patch?token=a&token=b", 422)]
)
async def test_other_errors_can_be_read_by_a_page_too(
    gateway: GatewayHarness, patched: tuple[str, str], path: str, status: int
) -> None:
    task, token = patched
    answer = await gateway.http.get(f"{task}{path}&token={token}")
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_browser_may_ask_first(gateway: GatewayHarness, patched: tuple[str, str]) -> None:
    path, token = patched
    asked = {"access-control-request-method": "GET", "access-control-request-headers": "x-a"}
    for read in READS:
        for query in ("", f"?token={token}"):
            answer = await gateway.http.options(f"{path}{read}{query}", headers=ORIGIN | asked)
            assert (answer.status_code, answer.content) == (204, b"")
            assert answer.headers["access-control-allow-origin"] == "*"
            assert "GET" in answer.headers["access-control-allow-methods"]
            assert answer.headers["access-control-allow-headers"] == "*"
    for closed in ("/v1/tasks", "/v1/events", f"{path}/cancel"):
        answer = await gateway.http.options(closed, headers=ORIGIN | asked)
        assert answer.status_code == 405
        assert "access-control-allow-origin" not in answer.headers


async def test_a_stream_ends_when_its_token_does(database: NewDatabase) -> None:
    clock = Clock()
    async with open_gateway(database, clock=clock) as gateway:
        task = await gateway.create()
        path = f"/v1/tasks/{task['id']}/events"
        token = await token_of(gateway, f"/v1/tasks/{task['id']}")
        async with streamed(gateway, path, f"token={token}", ORIGIN) as stream:
            assert stream.headers["access-control-allow-origin"] == "*"
            events = stream.pairs()
            assert (await anext(events))[1]["type"] == "task.created"
            clock.moved = LIFETIME
            await gateway.post(f"/v1/tasks/{task['id']}/cancel")
            rest = [event["type"] async for _, event in events]
        assert rest in ([], ["task.cancel_requested", "task.cancelled"])
        ended = await gateway.http.get(f"{path}?token={token}")
        assert (ended.status_code, ended.json()["code"]) == (401, "token_expired")


async def test_a_token_outlives_the_rotation_of_its_master_key(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        task = await gateway.create()
        token = await token_of(gateway, f"/v1/tasks/{task['id']}")
    newer = MASTER.replace("b", "c", 1)
    path = f"/v1/tasks/{task['id']}"
    async with open_gateway(database, SLIPGATE_SECRET_KEYS=f"k2:{newer},k1:{MASTER}") as gateway:
        assert (await gateway.http.get(f"{path}?token={token}")).status_code == 200
        fresh = await token_of(gateway, path)
    async with open_gateway(database, SLIPGATE_SECRET_KEYS=f"k2:{newer}") as gateway:
        assert (await gateway.http.get(f"{path}?token={fresh}")).status_code == 200
        old = await gateway.http.get(f"{path}?token={token}")
        assert (old.status_code, old.json()["code"]) == (401, "invalid_token")


def moment(text: str) -> int:
    parsed = parse_rfc3339(text)
    assert parsed is not None
    return milliseconds(parsed)


async def test_no_log_shows_a_token(tmp_path: Path) -> None:
    with gateway_process(tmp_path) as (_, url, environ):
        key = mint(environ, "tasks", "default", "test").key
        bearer = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=60) as http:
            task = (await http.post("/v1/tasks", json=TASK, headers=bearer)).json()["id"]
            issued = await http.post(f"/v1/tasks/{task}/stream-token", headers=bearer)
            token = issued.json()["token"]
            for read in READS:
                for shown in (token, token[:-1]):
                    await http.get(f"/v1/tasks/{task}{read}?token={shown}")
        assert issued.json()["url"].startswith(f"{url}/v1/tasks/{task}/events")
        log = (tmp_path / "gateway.log").read_text()
    assert f"/v1/tasks/{task}/logs" in log
    assert token[:-1] not in log
