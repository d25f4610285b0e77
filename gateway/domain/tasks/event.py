"""Events: what happened to a task, in order; the record that everything else is folded from. Some
are about an endpoint instead."""

from collections.abc import Callable, Iterable
from typing import Final

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
    """What comes from a sandbox; sentences about it, of its sender or of the gateway."""

    warnings: tuple[str, ...] = ()


class Started(Reported, frozen=True, kw_only=True):
    """The agent's first word."""

    script_digest: str | None = None
    snapshot: str | None = None


class AgentActivity(Reported, frozen=True, kw_only=True):
    """A word that changes nothing but the clocks."""


class Progress(Reported, frozen=True, kw_only=True):
    """What the agent is doing."""

    stage: str | None = None
    message: str | None = None


class UsageTotals(Reported, frozen=True, kw_only=True):
    """Totals of the attempt so far."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    turns: int = 0

    def usage(self) -> Usage:
        """The same as a value of the task."""
        return Usage(
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cost_usd=self.cost_usd,
            turns=self.turns,
        )


class PullRequest(Reported, frozen=True, kw_only=True):
    """A pull request exists: not an end."""

    pr_url: str | None = None
    """None: what was named is none of the task's repository."""
    commit_sha: str | None = None


class LaunchReport(Document, frozen=True, kw_only=True):
    """What a launcher saw of a launch that failed."""

    provider: str = ""
    exit_code: int | None = None
    stderr_tail: str | None = None


class PullRequestClosed(Document, frozen=True, kw_only=True):
    """What became of its pull request: merged, or closed without."""

    pr_url: str
    merge_commit_sha: str | None = None
    by: str | None = None


class Ended(Reported, frozen=True, kw_only=True):
    """The task's last word, whoever spoke it."""

    pr_url: str | None = None
    commit_sha: str | None = None
    summary: str | None = None
    error: TaskError | None = None
    patch: str | None = None
    resumable: bool = False
    report: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """A `LaunchReport`, if a launch failed; raw, for an agent's own word may hold anything here."""


class CancelRequested(Document, frozen=True, kw_only=True):
    """Somebody asked to stop; the agent hears it in its next answer."""

    by: str | None = None
    """`ops`, or None for the project's own frontend."""


class Retried(Reported, frozen=True, kw_only=True):
    """It is tried again: the next attempt, or another launch of the same one."""

    attempt: int
    launch: int = 1
    error: TaskError | None = None
    report: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    """A `LaunchReport`, if a launch failed; raw, for an agent's own word may hold anything here."""
    word: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))
    """The agent's own last word of the attempt, if it had one."""


class FlagSet(Document, frozen=True, kw_only=True):
    """Something is wrong while the state stands."""

    code: str
    detail: str = ""


class FlagCleared(Document, frozen=True, kw_only=True):
    """It is well again."""

    code: str


class Trying(Document, frozen=True, kw_only=True):
    """A create call may follow: from here on a sandbox may exist."""

    sandbox: Sandbox
    number: int = msgspec.field(name="try", default=1)
    note: str | None = None


class SandboxReported(Document, frozen=True, kw_only=True):
    """What a launcher saw of the sandbox."""

    sandbox: Sandbox
    reason: str | None = None


class EndpointState(Document, frozen=True, kw_only=True):
    """An endpoint as it stood when something was to be told of it."""

    id: str
    origin: str
    """Of its address; the path of one may be a secret, and whoever reads the feed sees this."""
    implicit: bool
    enabled: bool
    reason: str | None
    """Of the failure, or of disabling it."""
    http_status: int | None
    """What its receiver answered last, if that is the reason."""
    failing_since: str | None


class EndpointEventData(Document, frozen=True, kw_only=True):
    """An endpoint fails, is disabled, or works again."""

    endpoint: EndpointState


Fact = (
    Spec
    | Launching
    | Launched
    | Started
    | AgentActivity
    | Progress
    | UsageTotals
    | PullRequest
    | PullRequestClosed
    | Ended
    | CancelRequested
    | Retried
    | FlagSet
    | FlagCleared
    | Trying
    | SandboxReported
    | EndpointEventData
)

FACTS: Final[dict[str, type[Fact]]] = {
    "task.created": Spec,
    "task.launching": Launching,
    "task.launched": Launched,
    "task.started": Started,
    "task.heartbeat": AgentActivity,
    "task.progress": Progress,
    "task.log": AgentActivity,
    "task.patch": AgentActivity,
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
    "sandbox.trying": Trying,
    "sandbox.created": SandboxReported,
    "sandbox.state": SandboxReported,
    "sandbox.destroyed": SandboxReported,
    "sandbox.released": SandboxReported,
    "endpoint.failing": EndpointEventData,
    "endpoint.disabled": EndpointEventData,
    "endpoint.recovered": EndpointEventData,
}
"""Every type of event, and what the fold reads of its data."""

ABOUT_ENDPOINTS: Final = frozenset(name for name in FACTS if name.startswith("endpoint."))
"""Types of events that belong to no task."""
QUIET: Final = frozenset({"task.heartbeat", "task.log", "task.patch"}) | ABOUT_ENDPOINTS
"""Types an endpoint gets only if it asks for them."""


class Event(Frozen, frozen=True, kw_only=True):
    """One entry of the log. `data` is its JSON as stored: fields unknown to us are kept."""

    task_id: str
    """What it is about: a task, or an endpoint."""
    task_seq: int
    """Its number among the events of the same."""
    attempt: int
    """0 for what has no attempts."""
    type: str
    at: int
    source: str
    data: bytes
    applied: bool = True
    reason: str | None = None
    webhook_id: str | None = None
    body_hash: bytes | None = None
    seq: int = 0
    """The global number; 0 until the batch it belongs to is written."""

    @property
    def is_about_endpoint(self) -> bool:
        """Whether it belongs to no task."""
        return self.type in ABOUT_ENDPOINTS

    @property
    def fact(self) -> Fact:
        """What the fold reads of the data."""
        return _DECODE[self.type](self.data)


_DECODE: Final[dict[str, Callable[[bytes], Fact]]] = {
    name: msgspec.json.Decoder(fact).decode for name, fact in FACTS.items()
}


KINDS: Final = tuple(dict.fromkeys(f"{name.partition('.')[0]}.*" for name in FACTS))
"""The patterns for whole kinds: `task.*`, `sandbox.*`."""


def types_of(patterns: Iterable[str]) -> frozenset[str]:
    """The types that any of the patterns means.

    Raises:
        ValueError: the pattern it names means none.
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
