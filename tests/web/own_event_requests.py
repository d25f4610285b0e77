"""Requests about own events that get each answer which the document names."""

from typing import Final

from tests.web.callers import GatewayHarness, Json

PAID: Final[Json] = {"type": "invoice.paid", "data": {"amount": 42}}


async def ask_about_own_events(gateway: GatewayHarness) -> None:
    """Events of one's own types, taken, repeated and refused."""
    named = PAID | {"eventId": "inv-1"}
    for wanted in (named, named, named | {"data": {}}, PAID | {"type": "task.done"}):
        await gateway.post("/v1/events", wanted)
    for key, wanted in (("o1", PAID), ("o1", PAID), ("o1", named), ("k" * 256, PAID)):
        await gateway.post("/v1/events", wanted, idempotency_key=key)
