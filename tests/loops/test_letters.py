"""Letters: what a webhook carries beside its body."""

from typing import Literal

import pytest

from gateway.domain.event import Event
from gateway.domain.keyring import NONCE_BYTES, Keyring
from gateway.domain.sealing import Sealed, callback_secret_context, callback_url_context
from gateway.domain.spec import Spec
from gateway.domain.task import Clocks, Frozen, Status, Task, Timeouts
from gateway.loops.letters import LetterWriter
from gateway.loops.post import headers

KEYRING = Keyring({"k1": b"m" * 32})
NONCE = b"n" * NONCE_BYTES
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
TASK = Task(
    id="task_1",
    project="acme",
    status=Status.QUEUED,
    attempt=1,
    max_attempts=1,
    seq=1,
    created_at=1_000,
    updated_at=1_000,
    timeouts=Timeouts(),
    clocks=Clocks(queue=1),
)
EVENT = Event(
    task_id=TASK.id,
    task_seq=1,
    attempt=1,
    type="task.created",
    at=1_000,
    source="api",
    data=b"{}",
    seq=7,
)


class Head(Frozen, frozen=True, kw_only=True):
    """The delivery that is due."""

    endpoint_id: str = "ep_1"
    seq: int = EVENT.seq
    task_id: str = TASK.id
    attempts: int = 0
    failures: int = 0
    trigger: Literal["auto", "manual", "replay"] = "auto"
    body: str | None = None


class Secrets(Frozen, frozen=True, kw_only=True):
    """The task's sealed parts."""

    callback_url: Sealed | None


class Reads:
    """One task and its event."""

    def __init__(self, traceparent: str | None) -> None:
        self._spec = Spec(
            project="acme",
            repo_url="https://github.com/acme/widgets",
            prompt="p",
            title="t",
            branch_name="b",
            traceparent=traceparent,
        )

    async def task(self, task_id: str) -> tuple[Task, Spec] | None:
        return TASK, self._spec

    async def events_of_task(self, task_id: str, *, after: int, limit: int) -> list[Event]:
        return [EVENT]

    async def secrets(self, task_id: str) -> Secrets | None:
        place = callback_url_context(task_id)
        return Secrets(callback_url=KEYRING.seal(b"https://a.example", context=place, nonce=NONCE))

    async def callback_secret(self, project: str) -> tuple[str, bytes] | None:
        place = callback_secret_context(project)
        sealed = KEYRING.seal(b"s" * 32, context=place, nonce=NONCE)
        return sealed.key_id, sealed.box


async def _rendered(event: Event, task: Task, spec: Spec) -> bytes:
    return b"{}"


@pytest.mark.parametrize("traceparent", [TRACE, None], ids=["traced", "untraced"])
async def test_a_webhook_carries_the_trace_of_its_task(traceparent: str | None) -> None:
    letter = await LetterWriter(Reads(traceparent), KEYRING, _rendered).write(Head())
    assert letter is not None
    sent = headers(letter, 1)
    assert sent.get("traceparent") == traceparent
    assert sent["webhook-id"].startswith("evt_")
