"""The request: the immutable part of a task, stored once, in its `task.created` event."""

from typing import Final, Literal

import msgspec

from gateway.domain.tasks.task import Frozen, OnStall

DEFAULT_COST_USD: Final = 3.0


class Document(Frozen, frozen=True, kw_only=True, rename="camel"):
    """A value that is also stored and shown as JSON."""


class AgentSpec(Document, frozen=True, kw_only=True):
    """The agent and its limits."""

    engine: Literal["mini", "claude-code", "codex", "opencode", "command"] = "mini"
    model_provider: Literal["openai", "anthropic", "google", "openrouter"] = "openai"
    model: str | None = None
    effort: Literal["low", "medium", "high"] | None = None
    max_turns: int = 60
    max_cost_usd: float = DEFAULT_COST_USD
    has_cost_bound: bool = False
    """True: the request named `max_cost_usd`."""
    max_repair_rounds: int = 1
    command: tuple[str, ...] | None = None


class TimeoutSpec(Document, frozen=True, kw_only=True):
    """Limits in seconds."""

    queue_seconds: int = 900
    heartbeat_seconds: int = 300
    run_seconds: int = 3600


FollowUpKind = Literal["comment", "review", "check"]


class Continuation(Document, frozen=True, kw_only=True):
    """The ended task that a task goes on with, as it was when this one was created."""

    task_id: str
    pr_url: str | None = None
    commit_sha: str | None = None
    """The newest commit that it pushed; None: it pushed none."""
    follow_up: FollowUpKind | None = None
    """The message of GitHub that asked for it; None: a request of the API."""
    requested_by: str | None = None
    """The login of the person on GitHub."""
    context: str = ""
    """The history of the branch, which precedes the prompt."""


class Spec(Document, frozen=True, kw_only=True):
    """The request after defaults; it holds no secret: a callback's query is masked."""

    project: str
    repo_url: str
    prompt: str
    title: str
    branch_name: str
    base_branch: str | None = None
    snapshot: str = ""
    provider: str | None = None
    agent: AgentSpec = AgentSpec()
    validate: tuple[tuple[str, ...], ...] | None = None
    timeouts: TimeoutSpec = TimeoutSpec()
    max_attempts: int = 1
    on_stall: OnStall = "flag"
    priority: int = 5
    not_before: int | None = None
    """Milliseconds since the epoch."""
    concurrency_key: str | None = None
    keep_sandbox: bool = False
    callback_url: str | None = None
    endpoint_id: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    traceparent: str | None = None
    continues: Continuation | None = None
    flat: str | None = None
    """The frontend's TASK_ID (may be empty), if the drop-in API created it: callbacks are flat."""

    @property
    def whole_prompt(self) -> str:
        """The prompt as the agent gets it."""
        if self.continues is None:
            return self.prompt
        return f"{self.continues.context}\n\nAsked now:\n{self.prompt}"
