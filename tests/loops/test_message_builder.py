"""Letters: what a webhook carries beside its body."""

import time
from collections.abc import Callable, Collection, Iterator
from typing import Final, Literal

import pytest
from msgspec.structs import asdict, replace
from standardwebhooks.webhooks import Webhook

from gateway.domain.deliveries.endpoint import Format, SigningSecret
from gateway.domain.deliveries.outbox import Address, DeliveryKey, Outbox
from gateway.domain.kernel.keyring import NONCE_BYTES, Keyring
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.sealing import (
    Sealed,
    callback_secret_context,
    callback_url_context,
    endpoint_headers_context,
    endpoint_url_context,
    signing_secret_context,
)
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.spec import Spec
from gateway.domain.tasks.task import (
    Clocks,
    Status,
    Task,
    Timeouts,
)
from gateway.loops.deliveries.handover import NewLaneHead
from gateway.loops.deliveries.message_builder import KEPT_FOR, CannotBuild, MessageBuilder
from gateway.loops.deliveries.post import WebhookMessage, headers
from gateway.store import records
from gateway.store.records import DeliveryContext, LiveSecret, SecretOwner, Target
from gateway.wire.signing import secret_text

SECRET = SigningSecret(id="sec_a", project="acme", endpoint_id="ep_1", created_at=1)
KEYRING = Keyring({"k1": b"m" * 32})
NONCE = b"n" * NONCE_BYTES
NOW = 1_790_000_000
"""Seconds."""
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


class Head(records.Head, frozen=True, kw_only=True):
    """The delivery that is due."""

    endpoint_id: str = "ep_1"
    seq: int = EVENT.seq
    task_id: str = TASK.id
    attempts: int = 0
    failures: int = 0
    project: str = TASK.project
    trigger: Literal["auto", "manual", "replay"] = "auto"
    due_at: int = 1


def sealed(text: str, context: str) -> Sealed:
    plain = text.encode() * 32 if len(text) == 1 else text.encode()
    return KEYRING.seal(plain, context=context, nonce=NONCE)


IMPLICIT = Target(project="acme", is_implicit=True, url=None, headers=None)
EXPLICIT = Target(
    project="acme",
    is_implicit=False,
    url=sealed("https://b.example/hook", endpoint_url_context("ep_1")),
    headers=sealed(
        '{"X-Team": "blue", "Webhook-Id": "evt_mine"}', endpoint_headers_context("ep_1")
    ),
)


class Reads:
    """One task and its event."""

    def __init__(
        self,
        traceparent: str | None = None,
        *,
        to: Target | None = IMPLICIT,
        names: str = "ab",
        event: Event = EVENT,
        newer: bool = False,
        overtaken: bool = False,
        body: bytes | None = None,
    ) -> None:
        self.body = body
        self.to = to
        self.names = names
        self.event = event
        self.newer = newer
        self.overtaken = overtaken
        self.spec = Spec(
            project="acme",
            repo_url="https://github.com/acme/widgets",
            prompt="p",
            title="t",
            branch_name="b",
            traceparent=traceparent,
        )

    async def delivery_contexts(
        self, keys: Collection[DeliveryKey], now: int
    ) -> dict[DeliveryKey, DeliveryContext]:
        if self.to is None:
            return {}
        place = callback_url_context(TASK.id)
        owner = (self.to.project, None if self.to.is_implicit else "ep_1")
        secrets = await self.live_secrets([owner], now)
        found = DeliveryContext(
            event=self.event,
            asked=None if self.event.is_about_endpoint else (TASK, self.spec),
            target=self.to,
            callback_url=KEYRING.seal(b"https://a.example", context=place, nonce=NONCE),
            has_newer=self.newer,
            body=self.body,
            secrets=secrets[owner],
        )
        return dict.fromkeys(keys, found)

    async def is_overtaken(self, endpoint_id: str, task_id: str, seq: int) -> bool:
        return self.overtaken

    async def target(self, endpoint_id: str) -> Target | None:
        return self.to

    async def live_secrets(
        self, owners: Collection[SecretOwner], now: int
    ) -> dict[SecretOwner, tuple[LiveSecret, ...]]:
        return {owner: tuple(self._live(owner)) for owner in owners}

    def _live(self, owner: SecretOwner) -> Iterator[LiveSecret]:
        if owner[1] is None:
            place = callback_secret_context(owner[0])
            yield LiveSecret(id="sec_0", is_of_project=True, sealed=sealed("s", place))
            return
        for name in self.names:
            context = signing_secret_context(f"sec_{name}")
            yield LiveSecret(id=f"sec_{name}", is_of_project=False, sealed=sealed(name, context))


async def _rendered(event: Event, asked: tuple[Task, Spec] | None, form: Format) -> bytes:
    return b"{}"


async def write(reads: Reads, head: Head | None = None) -> WebhookMessage | None:
    writer = MessageBuilder(reads, KEYRING, _rendered, lambda: NOW * 1000)
    return await writer.build(head or Head())


@pytest.mark.parametrize("traceparent", [TRACE, None], ids=["traced", "untraced"])
async def test_a_webhook_carries_the_trace_of_its_task(traceparent: str | None) -> None:
    message = await write(Reads(traceparent))
    assert message is not None
    sent = headers(message, 1)
    assert sent.get("traceparent") == traceparent
    assert sent["webhook-id"].startswith("evt_")


async def test_a_message_to_an_endpoint_has_its_address_headers_and_a_signature_per_secret() -> (
    None
):
    message = await write(Reads(to=EXPLICIT))
    assert message is not None
    assert (message.url, message.key_id) == ("https://b.example/hook", "sec_a")
    sent = headers(message, int(time.time()))
    assert sent["x-team"] == "blue"
    assert sent["webhook-id"] != "evt_mine"
    assert len(sent["webhook-signature"].split()) == 2
    for name in "ab":
        Webhook(secret_text(name.encode() * 32)).verify(message.body, dict(sent))


async def test_a_callback_goes_to_the_address_of_its_task_signed_with_its_projects_secret() -> None:
    message = await write(Reads())
    assert message is not None
    assert (message.url, message.secrets) == ("https://a.example", (b"s" * 32,))


async def test_a_message_about_an_endpoint_belongs_to_no_task() -> None:
    about = replace(EVENT, task_id="ep_2", type="endpoint.failing")
    asked: list[object] = []

    async def rendered(_event: Event, task: object, _form: object) -> bytes:
        asked.append(task)
        return b"{}"

    reads = Reads(TRACE, to=EXPLICIT, event=about)
    writer = MessageBuilder(reads, KEYRING, rendered, lambda: NOW * 1000)
    message = await writer.build(Head(task_id="ep_2"))
    assert message is not None
    assert (message.traceparent, asked) == (None, [None])


@pytest.mark.parametrize(
    ("reads", "reason"),
    [
        (Reads(to=None), "no_event"),
        (Reads(to=replace(EXPLICIT, url=None)), "no_address"),
        (Reads(to=EXPLICIT, names=""), "no_secret"),
        (Reads(to=replace(EXPLICIT, url=sealed("u", "elsewhere"))), "unreadable"),
    ],
    ids=["nothing is kept", "address is gone", "no live secret", "cannot be opened"],
)
async def test_a_message_that_cannot_be_written_says_why(reads: Reads, reason: str) -> None:
    with pytest.raises(CannotBuild) as told:
        await write(reads)
    assert told.value.reason == reason


PROGRESS = replace(EVENT, type="task.progress")


@pytest.mark.parametrize(
    ("reads", "head", "is_sent"),
    [
        (Reads(event=PROGRESS, newer=True), Head(), False),
        (Reads(event=PROGRESS), Head(), True),
        (Reads(event=PROGRESS, newer=True), Head(attempts=1), True),
        (Reads(event=PROGRESS, newer=True), Head(trigger="replay"), True),
        (Reads(newer=True), Head(), True),
    ],
    ids=["newer", "newest", "tried", "asked for again", "a fact"],
)
async def test_a_progress_that_waits_is_superseded_by_a_newer_one(
    reads: Reads, head: Head, is_sent: bool
) -> None:
    assert (await write(reads, head) is not None) == is_sent


@pytest.mark.parametrize(
    ("head", "overtaken", "is_late"),
    [
        (Head(failures=3, attempts=3), True, True),
        (Head(failures=2, attempts=2), True, False),
        (Head(failures=0, attempts=3), True, True),
        (Head(failures=0, attempts=3), False, False),
        (Head(trigger="replay"), True, True),
        (Head(trigger="manual"), False, False),
    ],
    ids=["parked", "head", "held while parked", "breaker was open", "replayed", "asked for"],
)
async def test_a_message_says_that_later_ones_were_sent_before_it(
    head: Head, overtaken: bool, is_late: bool
) -> None:
    message = await write(Reads(overtaken=overtaken), head)
    assert message is not None
    assert message.is_late == is_late


class CountedReads(Reads):
    """Counts how often contexts are read."""

    reads = 0

    async def delivery_contexts(
        self, keys: Collection[DeliveryKey], now: int
    ) -> dict[DeliveryKey, DeliveryContext]:
        self.reads += 1
        return await super().delivery_contexts(keys, now)


NEW: Final = NewLaneHead(
    **asdict(Head()),
    event=EVENT,
    asked=(TASK, Reads().spec),
    is_implicit=True,
    callback_url=sealed("https://a.example/new", callback_url_context(TASK.id)),
)


async def test_the_message_of_a_new_task_is_made_of_what_was_handed_over() -> None:
    reads, now = CountedReads(), NOW * 1000
    builder = MessageBuilder(reads, KEYRING, _rendered, lambda: now)
    first, second = await builder.build(NEW), await builder.build(NEW)
    assert first is not None
    assert second is not None
    assert (first.url, second.url) == ("https://a.example", "https://a.example/new")
    assert (second.secrets, second.webhook_id) == (first.secrets, first.webhook_id)
    assert reads.reads == 1
    now += KEPT_FOR
    await builder.build(NEW)
    assert reads.reads == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda outbox: outbox.expiring.append(SECRET),
        lambda outbox: outbox.new_secrets.append((SECRET, sealed("s", ""))),
        lambda outbox: outbox.addresses.append(Address(endpoint_id="ep_1", headers=None)),
        lambda outbox: outbox.deleted_endpoints.update({"ep_1": 1}),
        lambda outbox: setattr(outbox, "is_read_anew", True),
    ],
    ids=[
        *("a secret ends", "a new secret", "another address", "a deleted endpoint"),
        "a commit of another gateway",
    ],
)
async def test_addresses_and_secrets_are_read_again_after_a_change(
    change: Callable[[Outbox], None],
) -> None:
    reads = CountedReads()
    builder = MessageBuilder(reads, KEYRING, _rendered, lambda: NOW * 1000)
    for _ in range(2):
        await builder.build(NEW)
    assert reads.reads == 1
    unit = UnitOfWork(policy=Policy(key_id="k1"))
    builder.follow(unit)
    await builder.build(NEW)
    assert reads.reads == 1
    change(unit.outbox)
    builder.follow(unit)
    await builder.build(NEW)
    assert reads.reads == 2
