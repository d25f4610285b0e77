"""Jobs as a gateway would word them."""

from typing import Any

from gateway.wire.launcher import Job, JobKind, JobSandbox
from launcher.providers.protocol import Key, Order

INSTANCE = "inst_1"
NAME = "slipgate-abc-1"
KEY = Key(instance=INSTANCE, name=NAME)
LABELS = {"slipgate-instance": INSTANCE, "slipgate-task": "task_abc", "slipgate-attempt": "1"}


def a_job(kind: JobKind, **changes: Any) -> Job:
    """A job of one kind about the one sandbox of these tests."""
    values: dict[str, Any] = {
        "id": f"job_{kind}",
        "kind": kind,
        "lease_token": f"job_{kind}.1",
        "lease_expires_at": "2026-09-21T14:13:20.123Z",
        "lease_seconds": 60,
        "instance_id": INSTANCE,
        "task_id": "task_abc",
        "attempt": 1,
        "sandbox": None if kind == "sweep" else JobSandbox(name=NAME),
        "snapshot": "slipgate-agent-1",
        "labels": LABELS,
    }
    return Job(**(values | changes))


def an_order(env: dict[str, str] | None = None, labels: dict[str, str] | None = None) -> Order:
    """An order for the one sandbox of these tests."""
    return Order(key=KEY, snapshot="slipgate-agent-1", labels=labels or LABELS, env=env or {})
