"""Events of an application's own types: posted once, delivered as others are, to who names them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from gateway.wire.signing import secret_bytes, sign
from tests.stores import NewDatabase
from tests.web.callers import GatewayHarness, Json, open_gateway
from tests.web.contract import DOCUMENT, validator

PATIENCE: Final = 60
"""Seconds until a test gives up."""
NOTICE: Final[Json] = DOCUMENT["paths"]["/v1/events"]["post"]["callbacks"]["receiveOwnEvent"][
    "{$request.body#/url}"
]["post"]["requestBody"]["content"]["application/json"]
PAID: Final[Json] = {"type": "invoice.paid", "data": {"amount": 42}}


@dataclass(kw_only=True)
class Receivers:
    """Records the webhooks of each host; some hosts fail."""

    failing: set[str] = field(default_factory=set)
    got: dict[str, asyncio.Queue[httpx.Request]] = field(default_factory=dict)

    def of(self, host: str) -> asyncio.Queue[httpx.Request]:
        """The webhooks of a host."""
        return self.got.setdefault(host, asyncio.Queue())

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await self.of(request.url.host).put(request)
        status = 500 if request.url.host in self.failing else 204
        return httpx.Response(status, stream=httpx.ByteStream(b""))

    async def next(self, host: str) -> httpx.Request:
        """The next webhook of a host."""
        async with asyncio.timeout(PATIENCE):
            return await self.of(host).get()


@asynccontextmanager
async def opened(database: NewDatabase) -> AsyncIterator[tuple[GatewayHarness, Receivers]]:
    receivers = Receivers()
    async with open_gateway(database, receivers=httpx.MockTransport(receivers)) as gateway:
        yield gateway, receivers


async def opens(gateway: GatewayHarness, host: str, **wanted: object) -> Json:
    body = {"url": f"https://{host}/hook", **wanted}
    response = await gateway.post("/v1/endpoints", body, "ops")
    assert response.status_code == 201, response.text
    made: Json = response.json()
    return made


async def posts(gateway: GatewayHarness, status: int = 202, /, **wanted: object) -> Json:
    response = await gateway.post("/v1/events", PAID | wanted)
    assert response.status_code == status, response.text
    posted: Json = response.json()
    return posted


def test_the_documented_body_is_one() -> None:
    validator(NOTICE["schema"], is_strict=True).validate(NOTICE["example"])


async def test_an_own_event_is_delivered_signed_with_its_data_as_it_was_given(
    database: NewDatabase,
) -> None:
    raw = b'{"type":"invoice.paid","data":{ "b": 1,  "a": "\\u00e9" }}'
    async with opened(database) as (gateway, receivers):
        made = await opens(gateway, "app.example", eventTypes=["invoice.*"])
        headers = gateway.bearer("tasks") | {"content-type": "application/json"}
        response = await gateway.http.post("/v1/events", content=raw, headers=headers)
        request = await receivers.next("app.example")
        feed = (await gateway.get("/v1/events?types=invoice.*")).json()["data"]
        (delivery,) = (await gateway.get(f"/v1/deliveries?endpointId={made['id']}", "ops")).json()[
            "data"
        ]
    posted, head = response.json(), request.headers
    assert (response.status_code, posted["deliveries"]) == (202, 1)
    assert head["webhook-id"] == posted["id"] == feed[0]["id"] == delivery["eventId"]
    stamp = int(head["webhook-timestamp"])
    signature = sign(secret_bytes(made["secret"]), posted["id"], stamp, request.content)
    assert head["webhook-signature"] == signature
    assert b'"data":{ "b": 1,  "a": "\\u00e9" }}' in request.content
    body: Json = httpx.Response(200, content=request.content).json()
    validator(NOTICE["schema"], is_strict=True).validate(body)
    assert (body["type"], body["timestamp"]) == ("invoice.paid", posted["at"])
    assert [feed[0][name] for name in ("seq", "source", "taskId", "taskSeq", "attempt")] == [
        *(posted["seq"], "api", None, None, None)
    ]
    assert feed[0]["actor"].startswith("key:")
    assert (delivery["type"], delivery["taskId"]) == ("invoice.paid", None)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", ["task.created"]),
        ("?types=task.*", ["task.created"]),
        ("?types=invoice.paid,order.*", ["invoice.paid", "order.made"]),
        ("?types=*", ["task.created", "invoice.paid", "order.made"]),
        ("?types=invoice.*", ["invoice.paid"]),
        ("?types=invoices.*", []),
    ],
    ids=["of tasks", "ours", "both", "everything", "a group", "none"],
)
async def test_own_events_are_in_the_feed_for_whoever_names_them(
    database: NewDatabase, query: str, shown: list[str]
) -> None:
    async with opened(database) as (gateway, _):
        await gateway.create()
        await posts(gateway, customer="acme", eventId="inv-1")
        await posts(gateway, type="order.made")
        feed = (await gateway.get(f"/v1/events{query}")).json()["data"]
        elsewhere = (await gateway.get(f"/v1/events{query}", "other")).json()
    assert [event["type"] for event in feed] == shown
    names = {"invoice.paid": ("acme", "inv-1"), "order.made": (None, None)}
    for event in feed:
        given = (event["customer"], event["eventId"]) if "customer" in event else None
        assert given == names.get(event["type"])
    assert elsewhere["data"] == []


async def test_only_endpoints_that_name_it_get_an_own_event(database: NewDatabase) -> None:
    async with opened(database) as (gateway, _):
        await opens(gateway, "usual.example")
        await opens(gateway, "tasks.example", eventTypes=["task.*", "sandbox.*"])
        await opens(gateway, "all.example", eventTypes=["*"])
        await opens(gateway, "named.example", eventTypes=["order.made", "invoice.paid"])
        await opens(gateway, "other.example", eventTypes=["order.*"])
        await opens(gateway, "elsewhere.example", eventTypes=["*"], project="elsewhere")
        posted = await posts(gateway)
        query = "/v1/deliveries?limit=200"
        found = (await gateway.get(query, "ops")).json()["data"]
        endpoints = (await gateway.get("/v1/endpoints", "ops")).json()["data"]
    urls = {endpoint["id"]: endpoint["url"] for endpoint in endpoints}
    assert posted["deliveries"] == 2
    assert {urls[each["endpointId"]] for each in found} == {
        "https://all.example/hook",
        "https://named.example/hook",
    }


async def test_an_event_of_a_customer_goes_to_its_endpoints_and_the_projects(
    database: NewDatabase,
) -> None:
    async with opened(database) as (gateway, receivers):
        acme = await opens(gateway, "acme.example", customer="acme")
        await opens(gateway, "some.example", customer="acme", eventTypes=["order.*"])
        await opens(gateway, "globex.example", customer="globex")
        await opens(gateway, "ours.example", eventTypes=["invoice.*"])
        await gateway.create()
        assert (await posts(gateway, customer="acme"))["deliveries"] == 2
        assert (await posts(gateway))["deliveries"] == 1
        assert (await posts(gateway, customer="nobody"))["deliveries"] == 1
        await receivers.next("acme.example")
        first = (await gateway.get("/v1/deliveries?customer=acme", "ops")).json()["data"]
        none = (await gateway.get("/v1/deliveries?customer=acme&status=dead", "ops")).json()
        listed = (await gateway.get("/v1/endpoints?customer=acme", "ops")).json()["data"]
        path = f"/v1/endpoints/{acme['id']}"
        again = await gateway.send("PATCH", path, {"eventTypes": None}, "ops")
        ours = await gateway.send("PATCH", path, {"eventTypes": ["task.*", "*"]}, "ops")
        moved = await gateway.send("PATCH", path, {"customer": "globex"}, "ops")
    assert [each["endpointId"] for each in first] == [acme["id"]]
    assert none["data"] == []
    assert [(each["customer"], each["eventTypes"]) for each in listed] == [
        ("acme", ["order.*"]),
        ("acme", ["*"]),
    ]
    assert again.json()["eventTypes"] == ["*"]
    assert (ours.status_code, ours.json()["errors"][0]["path"]) == (422, "$.eventTypes")
    assert (moved.status_code, moved.json()["errors"][0]["path"]) == (422, "$.customer")


async def test_the_same_event_again_is_the_same_event(database: NewDatabase) -> None:
    async with opened(database) as (gateway, _):
        await opens(gateway, "app.example", eventTypes=["*"])
        named = {"eventId": "inv-1", "data": {"b": 1, "a": 2}}
        first, *others = await asyncio.gather(
            *(gateway.post("/v1/events", PAID | named) for _ in range(4))
        )
        spelled = await posts(gateway, 200, eventId="inv-1", data={"a": 2, "b": 1})
        other = await posts(gateway, 409, eventId="inv-1", data={"a": 3})
        elsewhere = await gateway.post("/v1/events", PAID | named, "other")
        keyed = [await gateway.post("/v1/events", PAID, Idempotency_Key="k1") for _ in range(2)]
        both = [
            await gateway.post("/v1/events", PAID | named, Idempotency_Key="k2") for _ in range(2)
        ]
        mismatch = await gateway.post("/v1/events", PAID | {"type": "a.b"}, Idempotency_Key="k1")
        feed = (await gateway.get("/v1/events?types=invoice.*")).json()["data"]
    assert sorted(each.status_code for each in (first, *others)) == [200, 200, 200, 202]
    assert {each.text for each in (first, *others)} == {first.text}
    assert (spelled, other["code"]) == (first.json(), "event_id_reused")
    assert (elsewhere.status_code, elsewhere.json()["id"] == first.json()["id"]) == (202, False)
    assert [each.status_code for each in keyed] == [202, 202]
    assert keyed[0].json() == keyed[1].json()
    assert {each.text for each in both} == {first.text}
    for repeated in (keyed[1], both[1]):
        assert repeated.headers["idempotent-replayed"] == "true"
    assert (mismatch.status_code, mismatch.json()["code"]) == (422, "idempotency_mismatch")
    assert [event["id"] for event in feed] == [first.json()["id"], keyed[0].json()["id"]]


async def test_a_batch_is_stored_as_a_whole_or_not_at_all(database: NewDatabase) -> None:
    async with opened(database) as (gateway, receivers):

        async def send(status: int, /, *events: Json, **headers: str) -> Json:
            response = await gateway.post("/v1/events/batch", {"events": events}, **headers)
            assert response.status_code == status, response.text
            answered: Json = response.json()
            return answered

        await opens(gateway, "app.example", eventTypes=["invoice.*"])
        schema = {"description": "x", "schema": {"required": ["sku"]}}
        await gateway.send("PUT", "/v1/event-types/order.made", schema)
        old = await posts(gateway, eventId="e1")
        await receivers.next("app.example")
        good = PAID | {"eventId": "e2"}
        wrong = [
            await send(422, good, {"type": "order.made", "data": {}}),
            await send(409, good, PAID | {"eventId": "e1", "data": {}}),
            await send(409, good, good | {"customer": "acme"}),
        ]
        before = (await gateway.get("/v1/events?types=*")).json()["data"]
        batch = [PAID | {"eventId": "e1"}, good, PAID, good, PAID | {"orderingKey": "k"}]
        first = await send(202, *batch, Idempotency_Key="k1")
        again = await send(202, *batch, Idempotency_Key="k1")
        known = await send(200, good, PAID | {"eventId": "e1"})
        feed = (await gateway.get("/v1/events?types=*")).json()["data"]
        got = [(await receivers.next("app.example")).headers["webhook-id"] for _ in range(3)]
        assert [*database.problems()] == []
    paths = [each["errors"][0]["path"] for each in wrong]
    assert paths == ["$.events[1].data", "$.events[1].eventId", "$.events[1].eventId"]
    assert [each["code"] for each in wrong] == [
        *("schema_mismatch", "event_id_reused", "event_id_reused"),
    ]
    assert [each["id"] for each in before] == [old["id"]]
    ids = [each["id"] for each in first["data"]]
    assert (ids[0], ids[3], again) == (old["id"], ids[1], first)
    assert [each["id"] for each in known["data"]] == [ids[1], ids[0]]
    assert [each["id"] for each in feed] == [ids[0], ids[1], ids[2], ids[4]]
    assert {each["actor"] for each in feed} == {feed[0]["actor"]}
    assert sorted(got) == sorted(ids[n] for n in (1, 2, 4))
    assert [each["deliveries"] for each in first["data"]] == [1] * 5


async def test_events_of_one_ordering_key_keep_their_order_whatever_becomes_of_them(
    database: NewDatabase,
) -> None:
    async with opened(database) as (gateway, receivers):
        made = await opens(gateway, "app.example", eventTypes=["invoice.*"])
        path = f"/v1/endpoints/{made['id']}"

        async def post(key: str | None, number: int) -> str:
            posted = await posts(gateway, orderingKey=key, data={"n": number})
            return str(posted["id"])

        async def got() -> str:
            return (await receivers.next("app.example")).headers["webhook-id"]

        async def retry(event: str) -> None:
            known = (await gateway.get(f"/v1/deliveries?endpointId={made['id']}", "ops")).json()
            (name,) = [each["id"] for each in known["data"] if each["eventId"] == event]
            await gateway.post(f"/v1/deliveries/{name}/retry", {}, "ops")

        receivers.failing.add("app.example")
        first = await post("k", 1)
        assert await got() == first
        second, third = [await post("k", number) for number in (2, 3)]
        beside = await post(None, 4)
        assert await got() == beside
        for _ in range(2):
            await retry(first)
            assert await got() == first
        assert await got() == second, "the first is parked"
        receivers.failing.clear()
        await retry(second)
        assert [await got(), await got()] == [second, third]
        await gateway.post(f"{path}/disable", {}, "ops")
        held = [await post("k", number) for number in (5, 6, 7)]
        await gateway.post(f"{path}/enable", {}, "ops")
        released = [await got() for _ in (first, beside, *held)]
        assert [event for event in released if event != beside] == [first, *held]
        await gateway.post(f"{path}/replay", {"since": "2026-01-01T00:00:00Z"}, "ops")
        again = [await got() for _ in range(7)]
    assert [event for event in again if event != beside] == [first, second, third, *held]


WRONG: Final[tuple[tuple[dict[str, Any], int, str], ...]] = (
    ({"type": "task.done"}, 422, "reserved_event_type"),
    ({"type": "Slipgate.done"}, 422, "reserved_event_type"),
    ({"type": "pr.opened"}, 422, "reserved_event_type"),
    ({"type": "invoice"}, 422, "invalid_request"),
    ({"type": "invoice..paid"}, 422, "invalid_request"),
    ({"type": f"a.{'b' * 127}"}, 422, "invalid_request"),
    ({"data": []}, 422, "invalid_request"),
    ({"data": None}, 422, "invalid_request"),
    ({"data": {"x": "y" * 262_144}}, 413, "too_large"),
    ({"data": {"x": 2**60}}, 422, "invalid_request"),
    ({"customer": ""}, 422, "invalid_request"),
    ({"customer": "a\nb"}, 422, "invalid_request"),
    ({"timestamp": "2026-01-01T00:00:00Z"}, 422, "invalid_request"),
)


@pytest.mark.alike
async def test_what_is_no_own_event_is_refused(database: NewDatabase) -> None:
    async with opened(database) as (gateway, _):
        for wrong, status, code in WRONG:
            response = await gateway.post("/v1/events", PAID | wrong)
            assert (response.status_code, response.json()["code"]) == (status, code), wrong
        feed = (await gateway.get("/v1/events?types=*")).json()["data"]
    assert feed == []


async def test_a_disabled_endpoint_has_own_events_held_and_gets_them_when_it_is_enabled(
    database: NewDatabase,
) -> None:
    async with opened(database) as (gateway, receivers):
        path = f"/v1/endpoints/{(await opens(gateway, 'app.example', eventTypes=['*']))['id']}"
        await gateway.post(f"{path}/disable", {}, "ops")
        posted = await posts(gateway)
        held = (await gateway.get("/v1/deliveries?status=held", "ops")).json()["data"]
        await gateway.post(f"{path}/enable", {}, "ops")
        first = await receivers.next("app.example")
        since = {"since": "2026-01-01T00:00:00Z"}
        await gateway.post(f"{path}/replay", since, "ops")
        again = await receivers.next("app.example")
    assert [each["eventId"] for each in held] == [posted["id"]]
    assert first.headers["webhook-id"] == again.headers["webhook-id"] == posted["id"]
    assert first.content == again.content
