"""Endpoints as an operator manages them, and as their receiver meets them."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from gateway.wire.signing import secret_bytes, sign
from tests.loops.tls import Authority
from tests.snapshot.http_stub import HttpStub, Response
from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, open_gateway

PATIENCE: Final = 60
"""Seconds until a test gives up."""
URL: Final = "https://app.example/hook?token=hush"
WANTED: Final[Json] = {"url": URL, "headers": {"X-Key": "very-secret"}}


@dataclass(kw_only=True)
class Receiver:
    """Records requests and answers with one status."""

    status: int = 204
    got: asyncio.Queue[httpx.Request] = field(default_factory=asyncio.Queue)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await self.got.put(request)
        return httpx.Response(self.status, stream=httpx.ByteStream(b"thanks"))

    async def next(self) -> httpx.Request:
        """The next request."""
        async with asyncio.timeout(PATIENCE):
            return await self.got.get()


@asynccontextmanager
async def opened(
    database: NewDatabase, *, private: str = "false"
) -> AsyncIterator[tuple[GatewayHarness, Receiver]]:
    receiver = Receiver()
    async with open_gateway(
        database,
        receivers=httpx.MockTransport(receiver),
        SLIPGATE_ALLOW_PRIVATE_ENDPOINTS=private,
    ) as gateway:
        yield gateway, receiver


async def opens(gateway: GatewayHarness, **wanted: object) -> Json:
    response = await gateway.post("/v1/endpoints", WANTED | wanted, "ops")
    assert response.status_code == 201, response.text
    made: Json = response.json()
    return made


def is_signed_by(request: httpx.Request, secret: str) -> bool:
    """True if one of its signatures was made with the secret."""
    headers = request.headers
    stamp = int(headers["webhook-timestamp"])
    own = sign(secret_bytes(secret), headers["webhook-id"], stamp, request.content)
    return own in headers["webhook-signature"].split()


async def test_an_endpoint_reads_without_its_secrets(database: NewDatabase) -> None:
    async with opened(database) as (gateway, _):
        made = await opens(gateway, metadata={"team": "web"}, ratePerSecond=2)
        secret = made.pop("secret")
        shown = (await gateway.get(f"/v1/endpoints/{made['id']}", "ops")).json()
    assert shown == made
    assert (shown["url"], shown["headers"]) == ("https://app.example/hook?***", ["X-Key"])
    assert (shown["enabled"], shown["implicit"], shown["project"]) == (True, False, "default")
    assert "task.created" in shown["eventTypes"]
    assert {"task.heartbeat", "task.log", "task.patch"}.isdisjoint(shown["eventTypes"])
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    for hidden in (b"very-secret", b"token=hush", base64.b64decode(secret[6:])):
        assert not database.holds(hidden)


async def test_the_same_key_shows_the_same_secret(database: NewDatabase) -> None:
    async with opened(database) as (gateway, _):
        first, again = [
            await gateway.post("/v1/endpoints", WANTED, "ops", idempotency_key="k")
            for _ in range(2)
        ]
        listed = (await gateway.get("/v1/endpoints", "ops")).json()["data"]
    assert again.json() == first.json()
    assert (again.status_code, again.headers["idempotent-replayed"]) == (201, "true")
    assert len(listed) == 1


async def test_a_projects_events_go_to_its_endpoint(database: NewDatabase) -> None:
    async with opened(database) as (gateway, receiver):
        made = await opens(gateway, eventTypes=["task.created"])
        task = await gateway.create()
        request = await receiver.next()
    assert (str(request.url), request.headers["x-key"]) == (URL, "very-secret")
    assert is_signed_by(request, made["secret"])
    body = httpx.Response(200, content=request.content).json()
    assert (body["type"], body["data"]["task"]["id"]) == ("task.created", task["id"])


async def test_a_test_says_what_came_back(database: NewDatabase) -> None:
    async with opened(database) as (gateway, receiver):
        made = await opens(gateway)
        receiver.status = 500
        answer = (await gateway.post(f"/v1/endpoints/{made['id']}/test", scope="ops")).json()
        request = await receiver.next()
    assert (answer["status"], answer["responseBody"]) == (500, "thanks")
    assert answer["keyId"].startswith("sec_")
    assert is_signed_by(request, made["secret"])
    assert httpx.Response(200, content=request.content).json()["type"] == "endpoint.test"


@pytest.mark.alike
async def test_a_receiver_may_have_its_certificate_from_a_private_authority(
    tmp_path: Path,
    database: NewDatabase,
) -> None:
    authority = Authority(tmp_path / "authority")
    bundle = tmp_path / "authority.pem"
    bundle.write_text(authority.text)
    receiver = HttpStub(lambda _: Response(content="hi"), tls=authority.context("127.0.0.1"))
    async with open_gateway(
        database, SLIPGATE_ALLOW_PRIVATE_ENDPOINTS="true", SSL_CERT_FILE=str(bundle)
    ) as gateway:
        made = await opens(gateway, url=receiver.url)
        answer = (await gateway.post(f"/v1/endpoints/{made['id']}/test", scope="ops")).json()
    receiver.stop()
    assert (answer["status"], answer["reason"]) == (200, None)


@pytest.mark.parametrize(
    ("overlap", "is_old_good"), [({}, True), ({"overlapSeconds": 0}, False)], ids=["a day", "none"]
)
async def test_both_secrets_sign_while_they_overlap(
    database: NewDatabase, overlap: Json, is_old_good: bool
) -> None:
    async with opened(database) as (gateway, receiver):
        made = await opens(gateway)
        path = f"/v1/endpoints/{made['id']}"
        new = (await gateway.post(f"{path}/rotate-secret", overlap, "ops")).json()
        answer = (await gateway.post(f"{path}/test", scope="ops")).json()
        request = await receiver.next()
    assert answer["keyId"] == new["keyId"]
    assert is_signed_by(request, new["secret"])
    assert is_signed_by(request, made["secret"]) is is_old_good


async def test_a_secret_that_receivers_know_may_be_given(database: NewDatabase) -> None:
    known = "whsec_c2xpcGdhdGUgc2lnbnMgYW5kIHZlcmlmaWVzIGhvb2s="
    async with opened(database) as (gateway, receiver):
        made = await opens(gateway, secret=known)
        await gateway.post(f"/v1/endpoints/{made['id']}/test", scope="ops")
        request = await receiver.next()
    assert made["secret"] == known
    assert is_signed_by(request, known)


async def test_a_repeated_rotation_is_one(database: NewDatabase) -> None:
    async with opened(database) as (gateway, _):
        path = f"/v1/endpoints/{(await opens(gateway))['id']}/rotate-secret"
        first, again = [
            (await gateway.post(path, {}, "ops", idempotency_key="k")).json() for _ in range(2)
        ]
    assert again == first


async def test_what_is_left_out_of_a_patch_stays(database: NewDatabase) -> None:
    async with opened(database) as (gateway, receiver):
        made = await opens(gateway, description="first", ratePerSecond=2)
        path = f"/v1/endpoints/{made['id']}"
        changed = {"url": "https://b.example/x", "ratePerSecond": None, "eventTypes": ["*"]}
        shown = (await gateway.send("PATCH", path, changed, "ops")).json()
        await gateway.post(f"{path}/test", scope="ops")
        request = await receiver.next()
        await gateway.send("PATCH", path, {"headers": {}, "eventTypes": None}, "ops")
        await gateway.post(f"{path}/test", scope="ops")
        bare = await receiver.next()
        last = (await gateway.get(path, "ops")).json()
    assert (shown["description"], shown["ratePerSecond"]) == ("first", None)
    assert (shown["url"], shown["eventTypes"], shown["headers"]) == (
        "https://b.example/x",
        ["*"],
        ["X-Key"],
    )
    assert (str(request.url), request.headers["x-key"]) == ("https://b.example/x", "very-secret")
    assert "x-key" not in bare.headers
    assert (last["headers"], last["eventTypes"]) == ([], made["eventTypes"])


async def test_events_for_a_disabled_endpoint_are_held(database: NewDatabase) -> None:
    async with opened(database) as (gateway, _):
        made = await opens(gateway)
        path = f"/v1/endpoints/{made['id']}"
        shown = (await gateway.post(f"{path}/disable", scope="ops")).json()
        task = await gateway.create()
        (delivery,) = (await gateway.get(f"/v1/deliveries?taskId={task['id']}", "ops")).json()[
            "data"
        ]
        refused = await gateway.post(f"/v1/deliveries/{delivery['id']}/retry", scope="ops")
        enabled = (await gateway.post(f"{path}/enable", scope="ops")).json()
    assert (shown["enabled"], shown["disabledReason"]) == (False, "disabled by ops")
    assert (delivery["status"], delivery["endpointId"], delivery["nextAttemptAt"]) == (
        "held",
        made["id"],
        None,
    )
    assert refused.json()["code"] == "endpoint_disabled"
    assert (enabled["enabled"], enabled["disabledReason"]) == (True, None)


async def test_a_deleted_endpoint_is_not_there(database: NewDatabase) -> None:
    async with opened(database) as (gateway, _):
        made = await opens(gateway)
        path = f"/v1/endpoints/{made['id']}"
        deleted = await gateway.send("DELETE", path, None, "ops")
        assert (deleted.status_code, deleted.json()) == (200, {"id": made["id"], "deleted": True})
        for response in (
            await gateway.get(path, "ops"),
            await gateway.send("DELETE", path, None, "ops"),
            await gateway.send("PATCH", path, {"description": "x"}, "ops"),
        ):
            assert response.json()["code"] == "not_found"
        assert (await gateway.get("/v1/endpoints", "ops")).json()["data"] == []
        task = await gateway.create()
        delivery = await gateway.get(f"/v1/deliveries?taskId={task['id']}", "ops")
        assert delivery.json()["data"] == []


async def test_endpoints_are_listed_by_pages_with_those_of_callbacks(database: NewDatabase) -> None:
    async with opened(database) as (gateway, _):
        await gateway.create(callbackUrl="https://app.example/cb?secret=1")
        for number in range(3):
            await opens(gateway, description=f"{number}")
        await opens(gateway, project="elsewhere")
        seen: list[Json] = []
        query = "?project=default&limit=2"
        while query:
            page = (await gateway.get(f"/v1/endpoints{query}", "ops")).json()
            seen += page["data"]
            cursor = page["nextCursor"]
            query = cursor and f"?project=default&limit=2&cursor={cursor}"
    assert [each["description"] for each in seen if not each["implicit"]] == ["2", "1", "0"]
    (implicit,) = [each for each in seen if each["implicit"]]
    assert implicit["url"] == "https://app.example"
    assert len(seen) == 4


async def test_the_callbacks_of_a_project_can_be_given_a_new_secret(database: NewDatabase) -> None:
    async with opened(database) as (gateway, receiver):
        await gateway.create(callbackUrl="https://app.example/cb?secret=1")
        (implicit,) = (await gateway.get("/v1/endpoints", "ops")).json()["data"]
        path = f"/v1/endpoints/{implicit['id']}/rotate-secret"
        new = (await gateway.post(path, {}, "ops")).json()
        await gateway.create(callbackUrl="https://app.example/other")
        request = await receiver.next()
        while str(request.url) != "https://app.example/other":
            request = await receiver.next()
    assert is_signed_by(request, new["secret"])


NOT_TO_BE_CALLED: Final = (
    "http://app.example/hook",
    "https://user:password@app.example/hook",
    "https://127.0.0.1/hook",
    "https://10.1.2.3/hook",
    "https://[::1]/hook",
    "https://[fd00::1]/hook",
    "https://169.254.169.254/latest/meta-data",
    "https://localhost/hook",
    "https://2130706433/hook",
    "https://0x7f.1/hook",
    "ftp://app.example/hook",
    "app.example/hook",
)


@pytest.mark.alike
async def test_an_address_that_must_not_be_called_is_refused(database: NewDatabase) -> None:
    async with opened(database) as (gateway, _):
        path = f"/v1/endpoints/{(await opens(gateway))['id']}"
        responses = [
            await gateway.send(method, where, {"url": url}, "ops")
            for url in NOT_TO_BE_CALLED
            for method, where in (("POST", "/v1/endpoints"), ("PATCH", path))
        ]
    for response in responses:
        assert response.status_code == 422, response.request.content
        assert [error["path"] for error in response.json()["errors"]] == ["$.url"]


@pytest.mark.alike
async def test_private_addresses_are_taken_where_they_are_allowed(database: NewDatabase) -> None:
    async with opened(database, private="true") as (gateway, _):
        await opens(gateway, url="http://127.0.0.1:3000/api/hook")
    async with opened(database, private="loopback") as (gateway, _):
        await opens(gateway, url="http://localhost:3000/api/hook")
        for url in ("http://10.1.2.3/hook", "http://app.example/hook", "https://10.1.2.3/hook"):
            refused = await gateway.post("/v1/endpoints", {"url": url}, "ops")
            assert "SLIPGATE_ALLOW_PRIVATE_ENDPOINTS=true" in refused.json()["detail"]


MEANINGLESS: Final[tuple[tuple[dict[str, Any], str], ...]] = (
    ({"eventTypes": ["task.danced"]}, "$.eventTypes"),
    ({"eventTypes": []}, "$.eventTypes"),
    ({"headers": {"webhook-id": "mine"}}, "$.headers.webhook-id"),
    ({"headers": {"x": "a\nb"}}, "$.headers.x"),
    ({"ratePerSecond": 0}, "$.ratePerSecond"),
    ({"secret": "whsec_mine"}, "$.secret"),
    ({"secret": f"whsec_{'A' * 33}"}, "$.secret"),
    ({"secret": f"whsec_{'A' * 86}"}, "$.secret"),
)


@pytest.mark.alike
async def test_what_nobody_could_mean_is_named(database: NewDatabase) -> None:
    async with opened(database) as (gateway, _):
        for wrong, path in MEANINGLESS:
            response = await gateway.post("/v1/endpoints", WANTED | wrong, "ops")
            assert response.status_code == 422, wrong
            assert [error["path"] for error in response.json()["errors"]] == [path]


async def test_a_replay_can_be_read_from_the_moment_it_is_asked_for(database: NewDatabase) -> None:
    async with opened(database) as (gateway, receiver):
        path = f"/v1/endpoints/{(await opens(gateway, eventTypes=['task.created']))['id']}"
        await gateway.create()
        await receiver.next()
        since = {"since": "2026-01-01T00:00:00Z"}
        started = await gateway.post(f"{path}/replay", since, "ops")
        shown = (await gateway.get(started.headers["location"], "ops")).json()
        wrong = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
        refused = await gateway.post(f"{path}/replay", wrong, "ops")
    assert started.status_code == 202
    assert shown["id"] == started.json()["id"]
    assert (shown["kind"], shown["since"]) == ("replay", "2026-01-01T00:00:00.000Z")
    assert refused.status_code == 422


async def test_what_was_held_and_what_is_replayed_arrives(database: NewDatabase) -> None:
    async with opened(database) as (gateway, receiver):
        made = await opens(gateway, eventTypes=["task.created"])
        path = f"/v1/endpoints/{made['id']}"
        await gateway.post(f"{path}/disable", scope="ops")
        tasks = [(await gateway.create())["id"] for _ in range(3)]
        await gateway.post(f"{path}/enable", scope="ops")
        first = [_task_of(await receiver.next()) for _ in tasks]
        async with asyncio.timeout(PATIENCE):
            while len(await _delivered(gateway, made["id"])) < len(tasks):
                pass
        since = {"since": "2026-01-01T00:00:00Z"}
        await gateway.post(f"{path}/replay", since, "ops")
        again = [_task_of(await receiver.next()) for _ in tasks]
    assert sorted(first) == sorted(again) == sorted(tasks)


def _task_of(request: httpx.Request) -> str:
    name: str = httpx.Response(200, content=request.content).json()["data"]["task"]["id"]
    return name


async def _delivered(gateway: GatewayHarness, endpoint: str) -> list[Json]:
    """The finished deliveries, as soon as there are any."""
    query = f"/v1/deliveries?endpointId={endpoint}&status=delivered"
    async with asyncio.timeout(PATIENCE):
        while True:
            found: list[Json] = (await gateway.get(query, "ops")).json()["data"]
            if found:
                return found
            await asyncio.sleep(0.01)


async def test_a_delivery_shows_every_attempt(database: NewDatabase) -> None:
    async with opened(database) as (gateway, receiver):
        made = await opens(gateway, eventTypes=["task.created"])
        task = await gateway.create()
        await receiver.next()
        (delivery,) = await _delivered(gateway, made["id"])
        shown = (await gateway.get(f"/v1/deliveries/{delivery['id']}", "ops")).json()
        again = await gateway.post(f"/v1/deliveries/{delivery['id']}/retry", scope="ops")
        request = await receiver.next()
    assert shown == delivery
    assert (delivery["taskId"], delivery["type"]) == (task["id"], "task.created")
    (attempt,) = delivery["attempts"]
    assert (attempt["trigger"], attempt["status"]) == ("auto", 204)
    assert again.status_code == 202
    assert request.headers["webhook-id"] == delivery["eventId"]
