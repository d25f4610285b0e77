"""An address that nobody can call is refused at every door, and a stored one harms nobody."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Final

import httpx
import pytest
from structlog.testing import capture_logs

from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.sealing import callback_secret_context, callback_url_context
from gateway.loops.egress.address_guard import Guard
from gateway.loops.egress.pinned import PinnedTransport
from tests.databases import open_project
from tests.stores import FileDatabase, NewDatabase
from tests.web.callers import GatewayHarness, open_gateway

KEYRING: Final = Keyring({"k1": b"m" * 32})
NOBODYS: Final = [
    "https://xn--localhost-/x",
    "https://a.xn--localhost-.example/x",
    "https://a..b/",
    "https://.example/",
    "https://-a.example/",
    "https://[::1/",
    "https://[v1.a]/",
    "https://[2606:4700::1111%25eth0]/",
    f"https://{'a' * 64}.example/",
    f"https://{'.'.join(['a' * 60] * 5)}/",
    "https://app.example:0/",
    "https://app.example:65536/",
    "https://app.example:99999999999999999999/",
    "https://app.example:x/",
    "https://app.example:-1/",
    "https://%00/",
    "https://a%41b.example/",
    "https://app%2eexample/",
    "https://user@app.example/",
    "https://:@app.example/",
    "https://app.example\\@10.0.0.1/",
    "https://app.example\\x/",
    "https://1.2.3.4.5/",
    "https://256.256.256.256/",
    "https://app.example.1/",
    "https://\u200b.example/",
    "https://a\u00adb\u2028.example/",
    "https://app.example/a\u0007b",
    "https://\uff0f.example/",
    "https:///x",
    "https:x",
    "https://?a=b",
    "//app.example/x",
]
FOLLOWED: Final = 60
"""Tasks of each kind of what cannot be sent: together more than one read ever gave."""


@pytest.mark.alike
async def test_an_address_that_nobody_can_call_is_refused_at_every_door(
    database: NewDatabase,
) -> None:
    async with open_gateway(database) as gateway:
        made = await gateway.post("/v1/endpoints", {"url": "https://app.example/"}, "ops")
        endpoint = f"/v1/endpoints/{made.json()['id']}"
        answers = [
            (url, answer.status_code)
            for url in NOBODYS
            for answer in (
                await gateway.post("/v1/tasks", TASK | {"callbackUrl": url}),
                await gateway.post("/workspace", WORKSPACE | {"env": ENV | {"WEBHOOK_URL": url}}),
                await gateway.post("/v1/endpoints", {"url": url}, "ops"),
                await gateway.send("PATCH", endpoint, {"url": url}, "ops"),
            )
        ]
    assert [answer for answer in answers if answer[1] != 422] == []


async def test_a_lone_surrogate_is_no_text_and_no_fault_of_ours(database: NewDatabase) -> None:
    body = b'{"url": "https://app.example/\\ud800"}'
    async with open_gateway(database) as gateway:
        headers = gateway.bearer("ops") | {"content-type": "application/json"}
        answer = await gateway.http.post("/v1/endpoints", content=body, headers=headers)
    assert answer.status_code in {400, 422}


async def test_an_origin_has_one_implicit_endpoint_in_whatever_spelling(
    database: NewDatabase,
) -> None:
    async with open_gateway(database, receivers=httpx.MockTransport(_taken)) as gateway:
        for url in (
            "https://APP.example/a",
            "https://app.example:443/b",
            "https://b\u00fc.example/",
        ):
            await gateway.create(callbackUrl=url)
        listed = (await gateway.get("/v1/endpoints", "ops")).json()["data"]
    assert {each["url"] for each in listed} == {"https://app.example", "https://xn--b-eha.example"}


async def _taken(_: httpx.Request) -> httpx.Response:
    return httpx.Response(204)


async def _refused(_: httpx.Request) -> httpx.Response:
    return httpx.Response(500)


TASK: Final = {"repoUrl": "https://github.com/acme/widgets", "prompt": "p"}
ENV: Final = {"AGENT_PROMPT": "p", "TASK_ID": "t_1"}
WORKSPACE: Final = {"repoUrl": "https://github.com/acme/widgets", "snapshot": "s"}


@asynccontextmanager
async def listening(arrived: asyncio.Event) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        arrived.set()
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"


async def _nowhere(_host: str, _port: int, _project: str) -> Sequence[str]:
    raise OSError("no such name")


async def _enqueue_many(database: FileDatabase) -> None:
    """Tasks whose callbacks were refused once, and whose rows are then spoilt in every way."""
    context = callback_secret_context("default")
    secret = KEYRING.seal(b"s" * 32, context=context, nonce=b"n" * 12)
    open_project(database.path, secret)
    async with open_gateway(database, receivers=httpx.MockTransport(_refused)) as gateway:
        tasks = [
            (await gateway.create(callbackUrl=f"https://r{n % 150}.example/"))["id"]
            for n in range(FOLLOWED * len(SPOILT))
        ]
    with closing(sqlite3.connect(database.path)) as rows:
        rows.execute("DROP INDEX events_of_repository")  # it refuses what is no JSON
        for number, task_id in enumerate(tasks):
            SPOILT[number % len(SPOILT)](rows, task_id)
        rows.execute("DELETE FROM delivery_attempts")
        rows.execute(
            "UPDATE deliveries SET "
            "status = 'pending', next_attempt_at = 1, attempts = 0, failures = 0"
        )
        rows.commit()


def _old_address(database: sqlite3.Connection, task_id: str) -> None:
    context = callback_url_context(task_id)
    sealed = KEYRING.seal(b"https://xn--localhost-/x", context=context, nonce=b"n" * 12)
    database.execute(
        "UPDATE task_secrets SET callback_url = ? WHERE task_id = ?", (sealed.box, task_id)
    )


def _broken_seal(database: sqlite3.Connection, task_id: str) -> None:
    database.execute(
        "UPDATE task_secrets SET callback_url = ? WHERE task_id = ?", (b"x" * 40, task_id)
    )


def _broken_body(database: sqlite3.Connection, task_id: str) -> None:
    database.execute(
        "UPDATE deliveries SET body = CAST(x'ff' AS TEXT) WHERE task_id = ?", (task_id,)
    )


def _broken_event(database: sqlite3.Connection, task_id: str) -> None:
    database.execute("UPDATE deliveries SET body = NULL WHERE task_id = ?", (task_id,))
    database.execute("UPDATE events SET data = '{' WHERE task_id = ?", (task_id,))


def _event_that_is_no_text(database: sqlite3.Connection, task_id: str) -> None:
    database.execute("UPDATE deliveries SET body = NULL WHERE task_id = ?", (task_id,))
    database.execute("UPDATE events SET data = CAST(x'ff' AS TEXT) WHERE task_id = ?", (task_id,))


SPOILT: Final = (_old_address, _broken_seal, _broken_body, _broken_event, _event_that_is_no_text)


@pytest.mark.timeout(600)
async def test_hundreds_of_deliveries_that_cannot_be_made_fail_on_their_schedule_and_delay_no_other(
    tmp_path: Path,
) -> None:
    # Text that is no text and JSON that is none: PostgreSQL would refuse to store it.
    database = FileDatabase(tmp_path / "slipgate.db")
    await _enqueue_many(database)
    arrived = asyncio.Event()
    transport = PinnedTransport(Guard(allow_private=True, resolve=_resolve))
    with capture_logs() as lines:
        async with (
            listening(arrived) as url,
            open_gateway(
                database, receivers=transport, SLIPGATE_ALLOW_PRIVATE_ENDPOINTS="true"
            ) as gateway,
            asyncio.timeout(240),
        ):
            await gateway.create(callbackUrl=url)
            await arrived.wait()
            reasons = await _reasons(database.path, gateway)
    assert reasons == {"dns": 2 * FOLLOWED, "unreadable": FOLLOWED, "broken": 2 * FOLLOWED}
    told = [line for line in lines if line["event"] == "delivery" and line["reason"] is not None]
    assert len(told) < 3 * FOLLOWED * len(SPOILT), "one line for each attempt"
    assert {line["event"] for line in lines if line["log_level"] == "error"} <= {"delivery"}


async def _resolve(host: str, port: int, project: str) -> Sequence[str]:
    return [host] if host == "127.0.0.1" else await _nowhere(host, port, project)


async def _reasons(path: Path, gateway: GatewayHarness) -> dict[str, int]:
    """The number of failed first attempts by reason, once all were made."""
    while True:
        with closing(sqlite3.connect(path)) as database:
            found = database.execute(
                "SELECT reason, count(*) FROM delivery_attempts "
                "WHERE number = 1 AND reason IS NOT NULL GROUP BY reason"
            ).fetchall()
        if sum(count for _, count in found) >= FOLLOWED * len(SPOILT):
            return dict(found)
        await gateway.get("/healthz")
        await asyncio.sleep(0.05)
