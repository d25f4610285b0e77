"""Tasks: the requests that create and steer them, and the views of tasks and events.

No text that becomes an argument or a variable of a process may contain NUL.
Patterns end in `$(?!\\n)` because `$` alone also matches before a last line break.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar, Final, Generic, Literal, TypeVar

import msgspec

from gateway.wire.deliveries import DeliveryView
from gateway.wire.message import BLANK, Change, JSONObject, Reason, Reply, Request, WithoutNul
from gateway.wire.times import Moment

T = TypeVar("T")

Seconds = Annotated[int, msgspec.Meta(ge=1, le=86_400)]
Line = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\u0000-\u001f\u007f]*$(?!\n)"),
    msgspec.Meta(description="one line without control characters"),
]
Name = Annotated[
    str,
    msgspec.Meta(max_length=200, pattern=rf"^(?!-)[^{BLANK}]+$(?!\n)"),
    msgspec.Meta(description="a name without white space that does not begin with `-`"),
]
Argument = Annotated[WithoutNul, msgspec.Meta(max_length=8_000)]
ArgumentList = Annotated[tuple[Argument, ...], msgspec.Meta(min_length=1, max_length=100)]
Prompt = Annotated[WithoutNul, msgspec.Meta(min_length=1, max_length=200_000)]
VariableName = Annotated[
    str,
    msgspec.Meta(max_length=200, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$(?!\n)"),
    msgspec.Meta(description="ASCII letters, digits and `_`, the first of them no digit"),
]
VariableValue = Annotated[WithoutNul, msgspec.Meta(max_length=32_000)]
"""One string of an environment has at most 128 KiB in Linux; a character has up to four bytes."""
Url = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=2_000, pattern=rf"^[^{BLANK}]+$(?!\n)"),
    msgspec.Meta(description="an address without white space and control characters"),
]
TaskName = Annotated[str, msgspec.Meta(pattern=r"^task_[0-9a-z]{26}$(?!\n)")]
BranchName = Annotated[str, msgspec.Meta(min_length=1, max_length=244)]

Metadata = Annotated[
    dict[
        Annotated[WithoutNul, msgspec.Meta(min_length=1, max_length=100)],
        Annotated[WithoutNul, msgspec.Meta(max_length=1_000)],
    ],
    msgspec.Meta(max_length=50),
]
OnStall = Literal["flag", "fail", "retry"]
ModelProvider = Literal["openai", "anthropic", "google", "openrouter"]
Effort = Literal["low", "medium", "high"]
Engine = Literal["mini", "claude-code", "codex", "opencode", "command"]
PROVIDERS_OF_ENGINE: Final[Mapping[Engine, tuple[ModelProvider, ...]]] = {
    "claude-code": ("anthropic", "openrouter"),
    "codex": ("openai", "openrouter"),
}
"""Engines that do not speak to every provider, the default first."""


class Release(Change, frozen=True, kw_only=True):
    """`POST …/attempts/{n}/release`: declares a sandbox gone that no launcher can confirm."""

    reason: Reason
    """The evidence; stored in the event."""


class Purge(Change, frozen=True, kw_only=True):
    """`POST …/purge`: removes the contents of an ended task."""

    reason: Reason
    """Stored in the event."""


class AgentSpec(Request, frozen=True, kw_only=True):
    """The agent and its limits."""

    engine: Engine = "mini"
    model_provider: ModelProvider | msgspec.UnsetType = msgspec.UNSET
    """Default: anthropic for the engine claude-code, else openai."""
    model: Line | None = None
    effort: Effort | None = None
    max_turns: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 60
    max_cost_usd: Annotated[float, msgspec.Meta(gt=0, le=1_000)] | None = None
    """Default: 3, which is no bound that was asked for: an unknown price is then only told."""
    max_repair_rounds: Annotated[int, msgspec.Meta(ge=0, le=5)] = 1
    """Times that a failed validation goes back to the agent."""
    command: ArgumentList | None = None

    def __post_init__(self) -> None:
        """Refuses what does not go with the engine."""
        if self.engine == "command" and self.command is None:
            raise ValueError("engine `command` needs `command`, an argument list")
        taken = PROVIDERS_OF_ENGINE.get(self.engine, (self.provider,))
        if self.provider not in taken:
            wanted = " or ".join(f"`{provider}`" for provider in taken)
            raise ValueError(f"engine `{self.engine}` needs `modelProvider` {wanted}")

    @property
    def provider(self) -> ModelProvider:
        """The provider that was given, or the engine's default."""
        if isinstance(self.model_provider, str):
            return self.model_provider
        return PROVIDERS_OF_ENGINE.get(self.engine, ("openai",))[0]


class TimeoutSpec(Request, frozen=True, kw_only=True):
    """Limits in seconds."""

    queue_seconds: Seconds = 900
    heartbeat_seconds: Seconds = 300
    run_seconds: Seconds = 3600


class NewTask(Request, frozen=True, kw_only=True):
    """`POST /v1/tasks`; the domain checks the rules of git and of the installation."""

    REPLACED_BY: ClassVar = {"repoUrl": "continueOf"}
    """Field → the field without which it is required."""

    repo_url: Url | None = None
    """Left out only with `continueOf`."""
    prompt: Prompt
    continue_of: TaskName | None = None
    """An ended task, whose branch and pull request this one goes on with."""
    title: Line | None = None
    base_branch: BranchName | None = None
    branch_name: BranchName | None = None
    snapshot: Name | None = None
    provider: Name | None = None
    agent: AgentSpec = AgentSpec()
    validate: Annotated[tuple[ArgumentList, ...], msgspec.Meta(max_length=50)] | None = None
    env: Annotated[dict[VariableName, VariableValue], msgspec.Meta(max_length=200)] = msgspec.field(
        default_factory=dict
    )
    timeouts: TimeoutSpec = TimeoutSpec()
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1
    on_stall: OnStall = "flag"
    priority: Annotated[int, msgspec.Meta(ge=0, le=9)] = 5
    not_before: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    concurrency_key: Line | None = None
    keep_sandbox: bool = False
    callback_url: Url | None = None
    metadata: Metadata = msgspec.field(default_factory=dict)


class FlagView(Reply, frozen=True, kw_only=True):
    """A problem of a task in its current state."""

    code: str
    since: Moment
    detail: str


class ErrorView(Reply, frozen=True, kw_only=True):
    """The reason a task failed."""

    stage: str
    code: str
    message: str
    retryable: bool


class SandboxView(Reply, frozen=True, kw_only=True):
    """The sandbox of an attempt."""

    id: str | None
    name: str
    provider: str
    snapshot: str | None
    state: str


class UsageView(Reply, frozen=True, kw_only=True):
    """Totals of the current attempt so far."""

    input_tokens: int
    output_tokens: int
    cost_usd: float
    turns: int


class DeadlineView(Reply, frozen=True, kw_only=True):
    """The next clock that comes due, and its name."""

    at: Moment
    what: str


class AgentView(Reply, frozen=True, kw_only=True):
    """The agent and its limits, with defaults."""

    engine: str
    model_provider: str
    model: str | None
    effort: str | None
    max_turns: int
    max_cost_usd: float
    max_repair_rounds: int
    command: tuple[str, ...] | None


class TaskView(Reply, frozen=True, kw_only=True):
    """A task as every route shows it."""

    id: str
    project: str
    status: str
    flag: FlagView | None
    attempt: int
    max_attempts: int
    title: str
    repo_url: str
    continue_of: str | None
    base_branch: str | None
    branch_name: str
    prompt: str
    agent: AgentView
    snapshot: str
    provider: str | None
    sandbox: SandboxView | None
    stage: str | None
    message: str | None
    pr_url: str | None
    commit_sha: str | None
    error: ErrorView | None
    usage: UsageView
    warnings: tuple[str, ...]
    """Sentences to read with the result, each once."""
    cancel_requested_at: Moment | None
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    updated_at: Moment
    purged_at: Moment | None
    """From then on there is no prompt, env, log, patch or body of it."""
    next_deadline: DeadlineView | None
    task_seq: int
    metadata: dict[str, str]


class AttemptView(Reply, frozen=True, kw_only=True):
    """An attempt of a task; it may end without having been claimed."""

    number: int
    status: str
    """Its end; of the current attempt, the state of the task."""
    provider: str | None
    realm: str | None
    sandbox: SandboxView | None
    opened_at: Moment
    claimed_at: Moment | None
    started_at: Moment | None
    ended_at: Moment | None
    launches: int
    usage: UsageView
    error: ErrorView | None


class WholeTaskView(TaskView, frozen=True, kw_only=True):
    """A task with what `include` asked for."""

    attempts: tuple[AttemptView, ...] | msgspec.UnsetType = msgspec.UNSET
    deliveries: tuple[DeliveryView, ...] | msgspec.UnsetType = msgspec.UNSET


class EventFields(Reply, frozen=True, kw_only=True):
    """An event without the fields of its type."""

    id: str
    seq: int
    task_id: str | None
    task_seq: int | None
    attempt: int | None
    type: str
    at: Moment
    applied: bool
    reason: str | None
    source: str
    actor: str | None
    """The one who caused it: `key:<id>`, `cli`, `launcher:<id>`, or the kind (`agent`, `gateway`,
    `github`). Null: an older version has not kept it."""
    customer: str | msgspec.UnsetType | None = msgspec.UNSET
    """Of an own event alone, like `eventId`; null: it is of none."""
    event_id: str | msgspec.UnsetType | None = msgspec.UNSET
    """The application's own id."""


class EventView(EventFields, frozen=True, kw_only=True):
    """An event of a task, with `data` byte for byte as stored. An event about an endpoint has no
    task: its state is in `data.endpoint`."""

    data: JSONObject


class LogChunk(Reply, frozen=True, kw_only=True):
    """A piece of the log of one attempt."""

    attempt: int
    offset: int
    """Bytes of UTF-8 from the attempt's beginning."""
    chunk: str
    missing: int
    """Bytes before it that have not arrived."""
    at: Moment


class ReceiptView(Reply, frozen=True, kw_only=True):
    """A command that validated the agent's changes, and how it ended."""

    command: str
    exit_code: int | None
    seconds: float | None
    status: str
    """`passed`, `failed`, `timed_out`, `not_run`, or an agent's own word."""
    reason: str | None
    baseline: str | None
    """The same command on the base commit: `passed` or `failed`."""
    output_digest: str | None
    """SHA-256 of the whole output, of which `output_tail` is the end."""
    output_tail: str | None


class ReceiptsView(Reply, frozen=True, kw_only=True):
    """The receipts of an attempt; `signature` is that of its final event."""

    data: tuple[ReceiptView, ...]
    signature: str | None
    verified: bool | None
    """None: there is no signature, or the gateway took a secret out of what was signed."""
    attempt: int


class StepView(Reply, frozen=True, kw_only=True):
    """The next automatic step, unless something else happens first."""

    at: Moment
    what: str


class ExplanationView(Reply, frozen=True, kw_only=True):
    """The explanation of a task's state; the texts are for people and may change."""

    status: str
    summary: str
    waiting_for: str | None
    next: tuple[StepView, ...]
    evidence: tuple[str, ...]


class StreamToken(Reply, frozen=True, kw_only=True):
    """A short-lived token for a browser that reads one task; `url` is its event stream."""

    token: str
    expires_at: str
    refresh_at: str
    """The time to replace it."""
    url: str


class NoticeData(Reply, frozen=True, kw_only=True):
    """The event, and the task when the webhook was written."""

    event: EventView
    task: TaskView


class Notice(Reply, frozen=True, kw_only=True):
    """The body of a webhook that slipgate sends."""

    type: str
    timestamp: Moment
    """Of the event."""
    data: NoticeData


class Page(Reply, Generic[T], frozen=True, kw_only=True):
    """A page of a list, and the cursor of the next one; None: there is none."""

    data: tuple[T, ...]
    next_cursor: str | None
