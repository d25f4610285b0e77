"""Fixtures: a webhook of each type, made of a sample task by the code that makes the real ones."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.domain.kernel.ids import event_id, typeid
from gateway.domain.tasks.event import (
    OF_NO_TASK,
    AgentActivity,
    AlertEventData,
    CancelRequested,
    Ended,
    EndpointEventData,
    EndpointState,
    Event,
    FlagCleared,
    FlagSet,
    Launched,
    Launching,
    Progress,
    PullRequest,
    PullRequestClosed,
    Purged,
    Retried,
    SandboxReported,
    Started,
    Trying,
    UsageTotals,
)
from gateway.domain.tasks.fold import apply, create
from gateway.domain.tasks.spec import AgentSpec, Document, Spec
from gateway.domain.tasks.task import Sandbox, Task, TaskError
from gateway.web.deliveries.messages import standard_body
from gateway.web.sources.flat_view import flat_view

STEP: Final = 1_000
"""Milliseconds between two events of the sample task."""
_PULL: Final = "https://github.com/acme/widgets/pull/7"
_COMMIT: Final = "8d3f0c6b1e2a4f5d9c7b8a6e5f4d3c2b1a098765"
_SANDBOX: Final = Sandbox(
    name="slipgate-sample-1", provider="daytona-api", id="6f0d", snapshot="slipgate-agent-1"
)
_STARTED: Final = replace(_SANDBOX, state="started")
_ERROR: Final = TaskError(
    stage="validate", code="model_unavailable", message="The model did not answer.", retryable=True
)
_ENDPOINT: Final = EndpointState(
    id="ep_01k5yb2z7cfkh9dk5qjw9m3x4r",
    origin="https://app.example",
    implicit=False,
    enabled=True,
    reason="status",
    http_status=500,
    failing_since="2026-01-05T09:30:00.000Z",
)
_SPEC: Final = Spec(
    project="default",
    repo_url="https://github.com/acme/widgets",
    prompt="Add a /health endpoint",
    title="Add a /health endpoint",
    branch_name="slipgate/health",
    snapshot="slipgate-agent-1",
    agent=AgentSpec(model="gpt-5"),
    callback_url="https://app.example/api/hook",
    metadata={"userId": "u_1"},
)
_DATA: Final[Mapping[str, Document]] = {
    "task.created": _SPEC,
    "task.launching": Launching(launcher_id="laptop:4711", launch=1),
    "sandbox.trying": Trying(sandbox=_SANDBOX),
    "sandbox.created": SandboxReported(sandbox=_STARTED),
    "task.launched": Launched(sandbox=_STARTED),
    "task.started": Started(snapshot="slipgate-agent-1"),
    "task.heartbeat": AgentActivity(),
    "task.progress": Progress(stage="agent", message="turn 7 of 60"),
    "task.log": AgentActivity(),
    "task.patch": AgentActivity(),
    "task.trajectory": AgentActivity(),
    "task.usage": UsageTotals(input_tokens=18_230, output_tokens=1_204, cost_usd=0.07, turns=7),
    "task.pr_created": PullRequest(pr_url=_PULL, commit_sha=_COMMIT),
    "task.completed": Ended(pr_url=_PULL, commit_sha=_COMMIT, summary="/health answers 200."),
    "task.needs_review": Ended(pr_url=_PULL, commit_sha=_COMMIT, summary="No check is declared."),
    "task.failed": Ended(error=_ERROR),
    "task.timed_out": Ended(
        error=TaskError(stage="agent", code="run_timeout", message="It ran for 3600 s.")
    ),
    "task.expired": Ended(
        error=TaskError(stage="queue", code="expired", message="No launcher took it in 900 s.")
    ),
    "task.cancelled": Ended(),
    "task.cancel_requested": CancelRequested(by="ops"),
    "task.retried": Retried(attempt=2, error=_ERROR),
    "task.stalled": FlagSet(code="silent", detail="nothing for 300 s"),
    "task.recovered": FlagCleared(code="silent"),
    "task.pr_merged": PullRequestClosed(pr_url=_PULL, merge_commit_sha=_COMMIT, by="octocat"),
    "task.pr_closed": PullRequestClosed(pr_url=_PULL, by="octocat"),
    "task.purged": Purged(by="ops", reason="asked for by its owner"),
    "sandbox.state": SandboxReported(sandbox=replace(_SANDBOX, state="stopped")),
    "sandbox.destroyed": SandboxReported(sandbox=replace(_SANDBOX, state="destroyed")),
    "sandbox.released": SandboxReported(
        sandbox=replace(_SANDBOX, state="gone"), reason="it was removed by hand"
    ),
    "endpoint.failing": EndpointEventData(endpoint=_ENDPOINT),
    "endpoint.disabled": EndpointEventData(endpoint=replace(_ENDPOINT, enabled=False)),
    "endpoint.recovered": EndpointEventData(
        endpoint=replace(_ENDPOINT, reason=None, http_status=None, failing_since=None)
    ),
    **{
        name: AlertEventData(
            state="firing", since="2026-01-05T09:30:00.000Z", summary="A sample.", do=do
        )
        for name, do in {
            "ops.launcher_lost": "slipgate launchers list",
            "ops.queue_old": "slipgate tasks list --status=queued",
            "ops.disk_low": "slipgate status",
            "ops.provider_down": "slipgate switches show",
        }.items()
    },
}
"""The data of each type."""
_LIFE: Final = (
    *("task.created", "task.launching", "sandbox.trying", "sandbox.created", "task.launched"),
    *("task.started", "task.progress", "task.usage", "task.pr_created", "task.completed"),
)
"""The types of the sample task, in order."""
_BEFORE: Final = {
    **{kind: _LIFE[: _LIFE.index(kind)] for kind in _LIFE},
    "task.expired": ("task.created",),
    "task.recovered": (*_LIFE[:8], "task.stalled"),
    "task.cancelled": (*_LIFE[:8], "task.cancel_requested"),
    "task.needs_review": _LIFE[:9],
    **dict.fromkeys(
        ("task.pr_merged", "task.pr_closed", "task.purged", "sandbox.destroyed"), _LIFE
    ),
}
"""The types before each; of another: the sample task until it runs."""
_RUNNING: Final = _LIFE[:8]
_OF_AGENT: Final = frozenset(
    kind
    for kind, fact in _DATA.items()
    if isinstance(fact, AgentActivity | Started | Progress | UsageTotals | PullRequest)
) | {"task.completed", "task.needs_review", "task.failed"}


class Fixture(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook to send."""

    id: str
    type: str
    body: bytes


def fixture(kind: str, *, now: int, random_bits: int, flat: str | None = None) -> Fixture | None:
    """The webhook of an event that happens `now` (milliseconds), of a task of its own; with `flat`,
    the frontend's TASK_ID, in the flat form. None: its type has no flat form."""
    if kind in OF_NO_TASK:
        event = _event(kind, "sample", 1, now)
        return None if flat is not None else _fixture(event, standard_body(event, None))
    spec = replace(_SPEC, flat=flat)
    event, task = _life(kind, spec, now, random_bits)
    if flat is None:
        return _fixture(event, standard_body(event, (task, spec)))
    shown = flat_view(event, task, spec, cancel=None)
    return None if shown is None else _fixture(event, msgspec.json.encode(shown))


def own_fixture(kind: str, data: bytes, now: int) -> Fixture:
    """The webhook of an event of an application's own type."""
    event = Event(
        task_id="sample", task_seq=1, attempt=0, type=kind, at=now, source="api", data=data, seq=1
    )
    return _fixture(event, standard_body(event, None))


def _fixture(event: Event, body: bytes) -> Fixture:
    return Fixture(id=event_id(event.at, event.seq), type=event.type, body=body)


def _life(kind: str, spec: Spec, now: int, random_bits: int) -> tuple[Event, Task]:
    """The event, and the task as it stands then: what came before is folded."""
    kinds = (*_BEFORE.get(kind, _RUNNING), kind)
    began = now - STEP * (len(kinds) - 1)
    task_id = typeid("task", began, random_bits)
    events = [
        _event(each, task_id, number, began + STEP * (number - 1))
        for number, each in enumerate(kinds, 1)
    ]
    task = create(events[0], spec)
    for event in events[1:]:
        task = apply(task, event, event.fact)
    return events[-1], task


def _event(kind: str, subject: str, number: int, at: int) -> Event:
    source = "agent" if kind in _OF_AGENT else "gateway"
    return Event(
        task_id=subject,
        task_seq=number,
        attempt=0 if kind in OF_NO_TASK else 1,
        type=kind,
        at=at,
        source="github" if kind in {"task.pr_merged", "task.pr_closed"} else source,
        data=msgspec.json.encode(_DATA[kind]),
        seq=number,
    )
