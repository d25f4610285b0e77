"""`events …` against a real gateway."""

from pathlib import Path
from typing import cast

import msgspec

from gateway.cli.http.client import Client
from gateway.cli.webhook.forwarder import message_of
from gateway.wire.tasks import EventView
from tests.cli.operator import Operator

NOBODY = "http://127.0.0.1:1/"


def test_an_event_is_described_sent_and_refused(ops: Operator, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"required": ["amount"]}')
    typed = ops.types(
        *("events", "describe", "payout.sent", "--description=A payout.", f"--schema=@{schema}")
    )
    assert (typed.code, typed.out) == (0, "payout.sent  A payout.\n"), typed.err
    listed = ops.types("events", "types")
    assert "A payout." in listed.out
    assert "task.completed" in ops.types("events", "types", "--built-in").out
    sent = ops.types(
        *("events", "send", "--type=payout.sent", '--data={"amount": 1}', "--event-id=p1")
    )
    assert (sent.code, "to 0 endpoints" in sent.out) == (0, True), sent.err
    many = ops.types("events", "batch", '[{"type": "order.made", "data": {}}]')
    assert (many.code, "order.made  to 0 endpoints" in many.out) == (0, True), many.err
    refused = ops.types("events", "send", "--type=payout.sent")
    assert (refused.code, "amount" in refused.err) == (1, True)
    wrong = ops.types("events", "send", "--type=payout.sent", "--data={bad")
    assert (wrong.code, "--data: Expected JSON" in wrong.err, "(byte 1)" in wrong.err) == (
        *(2, True, True),
    )
    schema.write_text("{")
    wrong = ops.types("events", "describe", "payout.sent", "--description=x", f"--schema=@{schema}")
    assert (wrong.code, f"--schema: Expected JSON in {schema}" in wrong.err) == (2, True)
    shown = ops.types("events", "show", "payout.sent")
    assert '{"required":["amount"]}' in shown.out
    assert "would delete" in ops.types("events", "delete", "payout.sent", "--dry-run").out
    assert ops.types("events", "delete", "payout.sent", "--reason=gone").out.startswith("deleted")
    gone = ops.types("events", "delete", "payout.sent")
    assert (gone.code, "no such event type" in gone.err) == (1, True)


def test_a_portal_link_is_printed_whole(ops: Operator) -> None:
    typed = ops.types("events", "portal", "acme")
    assert (typed.code, "/portal?token=" in typed.out.splitlines()[0]) == (0, True), typed.err
    assert ops.types("events", "portal", "acme", "--json").document["customer"] == "acme"
    assert "would expire" in ops.types("events", "expire", "acme", "--dry-run").out
    assert ops.types("events", "expire", "acme").out == "expired all links of acme\n"


def test_an_own_event_is_forwarded_with_the_body_that_endpoints_get(ops: Operator) -> None:
    ops.types("events", "send", "--type=order.made", '--data={"b": 1, "a": [2]}', "--customer=acme")
    assert (
        "order.made        for acme by key:" in ops.types("tasks", "events", "--types=order.*").out
    )
    page = ops.types("tasks", "events", "--types=order.made", "--json").document
    raw = msgspec.json.encode(page["data"][-1])
    event = msgspec.json.decode(raw, type=EventView)
    message = message_of(cast("Client", None), msgspec.Raw(raw), event)
    body = msgspec.json.decode(message.body)
    assert (body["type"], body["timestamp"]) == ("order.made", event.at)
    assert body["data"] == {"b": 1, "a": [2]}


def test_a_customer_has_endpoints_and_deliveries_of_its_own(ops: Operator) -> None:
    words = ("endpoints", "create", "--url=https://initech.invalid/in", "--customer=initech")
    made = ops.types(*words, "--json").document
    ops.types("events", "send", "--type=order.made", "--customer=initech")
    listed = ops.types("endpoints", "list", "--customer=initech", "--json").document["data"]
    sent = ops.types("deliveries", "list", "--customer=initech", "--json").document["data"]
    assert [each["id"] for each in listed] == [made["id"]]
    assert [each["endpointId"] for each in sent] == [made["id"]]
    assert "customer" in ops.types("endpoints", "show", made["id"]).out


def test_a_sample_of_an_own_type_is_its_example_or_made_of_its_schema(ops: Operator) -> None:
    described = ("events", "describe", "refund.made", "--description=x")
    ops.types(*described, '--schema={"required": ["a"], "properties": {"a": {"minimum": 7}}}')
    sent = ops.types("trigger", "refund.made", f"--to={NOBODY}", "--json").document
    ops.types(*described, '--example={"a": 8}')
    example = ops.types("trigger", "refund.made", f"--to={NOBODY}", "--json").document
    assert (sent["body"]["data"], example["body"]["data"]) == ({"a": 7}, {"a": 8})
    assert (sent["type"], sent["body"]["type"], sent["reason"]) == (
        *("refund.made", "refund.made", "connect"),
    )
    ops.types(*described, '--schema={"properties": {"a": {"pattern": "^x+$"}}}')
    hard = ops.types("trigger", "refund.made", f"--to={NOBODY}")
    assert (hard.code, "events describe refund.made --example" in hard.err) == (1, True)
    unknown = ops.types("trigger", "refund.danced", f"--to={NOBODY}")
    assert (unknown.code, "slipgate events types" in unknown.err) == (2, True)
