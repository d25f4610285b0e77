"""Events: the ordered record of a task, from which its row is folded, an endpoint or an alert."""

from collections.abc import Callable, Iterable
from typing import Final, Literal

import msgspec

from gateway.domain.tasks.spec import Document, Spec
from gateway.domain.tasks.task import Frozen, Sandbox, TaskError, Usage


class Launching(Document, frozen=True, kw_only=True):
    """A launcher has claimed the create job."""

    launcher_id: str
    launch: int


class Launched(Document, frozen=True, kw_only=True):
    """The launcher reported the sandbox as started."""

    sandbox: Sandbox | None = None


class Reported(Document, frozen=True, kw_only=True):
    """Data from a sandbox, with warnings of its sender or of the gateway."""

    warnings: tuple[str, ...] = ()


class Started(Reported, frozen=True, kw_only=True):
    """The agent's first event."""

    script_digest: str | None = None
    snapshot: str | None = None


class AgentActivity(Reported, frozen=True, kw_only=True):
    """An event of the agent that changes only clocks."""


class Progress(Reported, frozen=True, kw_only=True):
    """The agent's current activity."""

    stage: str | None = None
    message: str | None = None


class UsageTotals(Reported, frozen=True, kw_only=True):
    """Totals of the attempt so far."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    turns: int = 0

    def usage(self) -> Usage:
        return Usage(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cost_usd=self.cost_usd,
            turns=self.turns,
        )


class PullRequest(Reported, frozen=True, kw_only=True):
    """A pull request exists; the task goes on."""

    pr_url: str | None = None
    """None: the reported address is not in the task's repository."""
    commit_sha: str | None = None


class LaunchReport(Document, frozen=True, kw_only=True):
    """A launcher's diagnosis of a failed launch."""

    provider: str = ""
    exit_code: int | None = None
    stderr_tail: str | None = None


class PullRequestClosed(Document, frozen=True, kw_only=True):
    """The pull request was merged or closed."""

    pr_url: str
    merge_commit_sha: str | None = None
    by: str | None = None


class Ended(Reported, frozen=True, kw_only=True):
    """The end of the task."""

    pr_url: str | None = None
    commit_sha: str | None = None
    summary: str | None = None
    error: TaskError | None = None
    patch: str | None = None
    resumable: bool = False
    report: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """A `LaunchReport`, if a launch failed; raw, because an agent may send anything here."""


class Requested(Document, frozen=True, kw_only=True):
    """A change that somebody asked for."""

    by: str | None = None
    """`key:<id>` of one who gave a reason, or `ops`; None for the project's own frontend."""
    reason: str | None = None
    bulk_id: str | None = None
    """The bulk action that it is a part of."""


class CancelRequested(Requested, frozen=True, kw_only=True):
    """A cancel was requested; the next answer to the agent contains it."""


class Purged(Requested, frozen=True, kw_only=True):
    """The prompt, `env`, log, patch and bodies of the task are gone."""


class Retried(Reported, frozen=True, kw_only=True):
    """Another attempt follows, or another launch of the same attempt."""

    attempt: int
    launch: int = 1
    error: TaskError | None = None
    report: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """A `LaunchReport`, if a launch failed; raw, because an agent may send anything here."""
    word: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    """The data of the agent's own final event, if there was one."""
    by: str | None = None
    """As in `Requested`, like the two that follow; all are None for an automatic retry."""
    reason: str | None = None
    bulk_id: str | None = None


class FlagSet(Document, frozen=True, kw_only=True):
    """A flag was raised."""

    code: str
    detail: str = ""


class FlagCleared(Document, frozen=True, kw_only=True):
    """A flag was cleared."""

    code: str


class Trying(Document, frozen=True, kw_only=True):
    """A create call may follow: a sandbox may exist from now on."""

    sandbox: Sandbox
    number: int = msgspec.field(name="try", default=1)
    note: str | None = None


class SandboxReported(Document, frozen=True, kw_only=True):
    """The state of the sandbox, as a launcher reported it."""

    sandbox: Sandbox
    reason: str | None = None


class EndpointState(Document, frozen=True, kw_only=True):
    """An endpoint at the time of its event."""

    id: str
    origin: str
    """Without the path of the address, which may be secret: all readers of the feed see this."""
    implicit: bool
    enabled: bool
    reason: str | None
    """The reason for the failure or for disabling it."""
    http_status: int | None
    """The receiver's last answer, if that is the reason."""
    failing_since: str | None


class EndpointEventData(Document, frozen=True, kw_only=True):
    """An endpoint fails, is disabled, or works again."""

    endpoint: EndpointState


class AlertEventData(Document, frozen=True, kw_only=True):
    """A problem of the whole installation begins, or is over."""

    state: Literal["firing", "resolved"]
    since: str
    """Begin of the problem."""
    summary: str
    count: int = 0
    example: str | None = None
    """A task, if the problem is one of tasks."""
    do: str | None = None
    """The command that shows more, or helps."""


FACTS: Final[dict[str, type[Document]]] = {
    "task.created": Spec,
    "task.launching": Launching,
    "task.launched": Launched,
    "task.started": Started,
    "task.heartbeat": AgentActivity,
    "task.progress": Progress,
    "task.log": AgentActivity,
    "task.patch": AgentActivity,
    "task.trajectory": AgentActivity,
    "task.usage": UsageTotals,
    "task.pr_created": PullRequest,
    "task.completed": Ended,
    "task.needs_review": Ended,
    "task.failed": Ended,
    "task.timed_out": Ended,
    "task.cancelled": Ended,
    "task.expired": Ended,
    "task.cancel_requested": CancelRequested,
    "task.retried": Retried,
    "task.stalled": FlagSet,
    "task.recovered": FlagCleared,
    "task.pr_merged": PullRequestClosed,
    "task.pr_closed": PullRequestClosed,
    "task.purged": Purged,
    "sandbox.trying": Trying,
    "sandbox.created": SandboxReported,
    "sandbox.state": SandboxReported,
    "sandbox.destroyed": SandboxReported,
    "sandbox.released": SandboxReported,
    "endpoint.failing": EndpointEventData,
    "endpoint.disabled": EndpointEventData,
    "endpoint.recovered": EndpointEventData,
    "ops.launcher_lost": AlertEventData,
    "ops.queue_old": AlertEventData,
    "ops.disk_low": AlertEventData,
    "ops.provider_down": AlertEventData,
}
"""Every type of event, with the type of its data."""

ABOUT_ENDPOINTS: Final = frozenset(name for name in FACTS if name.startswith("endpoint."))
"""Types of events about an endpoint."""
ABOUT_OPERATIONS: Final = frozenset(name for name in FACTS if name.startswith("ops."))
"""Types of events about the whole installation."""
OF_NO_TASK: Final = ABOUT_ENDPOINTS | ABOUT_OPERATIONS
QUIET: Final = (
    frozenset({"task.heartbeat", "task.log", "task.patch", "task.trajectory"}) | OF_NO_TASK
)
"""Types that an endpoint gets only on request."""


class Event(Frozen, frozen=True, kw_only=True):
    """One entry of the log; `data` is its JSON as stored, with unknown fields."""

    task_id: str
    """The id of the task, the endpoint or the alert; of an own event, that of its lane."""
    task_seq: int
    """Its number within them."""
    attempt: int
    """0 for an event of no task."""
    type: str
    at: int
    source: str
    data: bytes
    applied: bool = True
    reason: str | None = None
    webhook_id: str | None = None
    body_hash: bytes | None = None
    actor: str | None = None
    """`key:<id>`, `cli` or `launcher:<id>`; None: nobody but its source."""
    seq: int = 0
    """The global number; 0 until its batch is written."""

    @property
    def is_about_endpoint(self) -> bool:
        return self.type in ABOUT_ENDPOINTS

    @property
    def is_own(self) -> bool:
        """True for a type that an application has chosen."""
        return self.type not in FACTS

    @property
    def is_of_task(self) -> bool:
        return is_of_task(self.type)

    @property
    def fact(self) -> Document:
        return _DECODE[self.type](self.data)


_DECODE: Final[dict[str, Callable[[bytes], Document]]] = {
    name: msgspec.json.Decoder(fact).decode for name, fact in FACTS.items()
}


def is_of_task(kind: str) -> bool:
    """True for the types of events that belong to a task."""
    return kind in FACTS and kind not in OF_NO_TASK


KINDS: Final = tuple(dict.fromkeys(f"{name.partition('.')[0]}.*" for name in FACTS))
"""The patterns of whole groups: `task.*`, `sandbox.*`."""


def types_of(patterns: Iterable[str]) -> frozenset[str]:
    """The types that match any of the patterns.

    Raises:
        ValueError: the pattern in its message matches none.
    """
    return frozenset(name for pattern in patterns for name in _matching(pattern))


def _matching(pattern: str) -> list[str]:
    if pattern == "*":
        return list(FACTS)
    prefix = pattern.removesuffix("*") if pattern.endswith(".*") else None
    found = [name for name in FACTS if name == pattern or (prefix and name.startswith(prefix))]
    if not found:
        raise ValueError(pattern)
    return found
