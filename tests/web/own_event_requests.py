"""Requests about own events that get each answer which the document names."""

from typing import Final

from gateway.domain.deliveries.endpoint import MOST_OF_CUSTOMER
from tests.web.callers import GatewayHarness, Json

PAID: Final[Json] = {"type": "invoice.paid", "data": {"amount": 42}}


async def ask_about_own_events(gateway: GatewayHarness) -> None:
    """Events of one's own types, taken, repeated and refused."""
    named = PAID | {"eventId": "inv-1"}
    for wanted in (named, named, named | {"data": {}}, PAID | {"type": "task.done"}):
        await gateway.post("/v1/events", wanted)
    for events in (
        *([PAID, PAID | {"eventId": "inv-2"}], [named], [named | {"data": {}}], [], [PAID] * 101),
        [PAID, PAID | {"type": "task.done"}],
    ):
        await gateway.post("/v1/events/batch", {"events": events})
    kind, described = "/v1/event-types/invoice.paid", {"description": "Paid."}
    schema = {"type": "object", "required": ["amount"]}
    for body in (
        *(described | {"dryRun": True}, described, described | {"schema": schema}),
        *(described | {"schema": {"type": 1}}, described | {"schema": schema, "example": {}}),
    ):
        await gateway.send("PUT", kind, body)
    wrong = PAID | {"data": {}}
    await gateway.post("/v1/events", wrong)
    await gateway.post("/v1/events/batch", {"events": [wrong]})
    await gateway.send("PUT", "/v1/event-types/task.done", described)
    for path in ("", "?cursor=x", "?limit=0"):
        await gateway.get(f"/v1/event-types{path}")
    await gateway.get(kind)
    await gateway.send("DELETE", kind)
    for method in ("GET", "DELETE"):
        await gateway.send(method, kind)
    endpoint = {"url": "https://acme.example/", "customer": "initech"}
    for _ in range(MOST_OF_CUSTOMER + 1):
        await gateway.post("/v1/endpoints", endpoint, "ops")
    for path in ("", "/expire-all"):
        await gateway.post(f"/v1/portal-links{path}", {"customer": "acme"})
    for key, wanted in (("o1", PAID), ("o1", PAID), ("o1", named), ("k" * 256, PAID)):
        await gateway.post("/v1/events", wanted, idempotency_key=key)
        await gateway.post("/v1/events/batch", {"events": [wanted]}, idempotency_key=key)
