"""The events that an attempt reports, as the gateway's webhook route takes them."""

from typing import ClassVar, Final, Literal

import msgspec

CHUNK_BYTES: Final = 64 * 1024
"""The gateway's limit for one chunk of a log or a patch, in bytes of UTF-8."""
Stage = Literal["clone", "setup", "agent", "patch", "validate", "push", "pr"]
Status = Literal["passed", "failed", "timed_out", "not_run"]


class Event(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One event; its fields become `data`, beside `taskId` and `attempt`."""

    type: ClassVar[str]


class Started(Event, frozen=True):
    """The first event; its answer permits the attempt to begin."""

    type = "task.started"
    script_digest: str
    snapshot: str


class Heartbeat(Event, frozen=True):
    type = "task.heartbeat"


class Progress(Event, frozen=True):
    type = "task.progress"
    stage: Stage
    message: str


class Receipt(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One validation command: how it ended, or why it did not run."""

    command: str
    exit_code: int | None
    """None: it did not run, or its time limit ended it."""
    seconds: float
    output_tail: str
    status: Status
    reason: str = ""
    baseline: Literal["passed", "failed"] | None = None
    """The same command on the base commit; None: it did not fail here, or did not run there."""
    output_digest: str = ""
    """SHA-256 of the whole output, of which `output_tail` is the end."""


class PushRequest(Progress, frozen=True):
    """Asks for the push; the spool keeps with it what a later start needs to finish the attempt."""

    commit_sha: str
    base_branch: str
    summary: str
    is_complete: bool
    validation: tuple[Receipt, ...]
    body: str
    """Of the pull request; likewise its title."""
    title: str = ""


class Log(Event, frozen=True):
    """A piece of the agent's log; `offset` counts bytes of UTF-8 from the attempt's beginning."""

    type = "task.log"
    offset: int
    chunk: str


class TrajectoryPiece(Log, frozen=True):
    """A piece of the record of the agent's turns; `offset` as in `Log`."""

    type = "task.trajectory"


class Usage(Event, frozen=True):
    """Totals of the attempt so far, its earlier starts included."""

    type = "task.usage"
    input_tokens: int
    output_tokens: int
    cost_usd: float
    turns: int


class PullRequestCreated(Event, frozen=True):
    type = "task.pr_created"
    pr_url: str
    branch_name: str
    commit_sha: str
    draft: bool


class PatchChunk(Event, frozen=True, kw_only=True):
    """A piece of the patch; `offset` and `size` count bytes of UTF-8, unpacked."""

    type = "task.patch"
    offset: int
    chunk: str
    encoding: str | None = None
    """`gzip`: the chunk is base64 of a packed piece. None: it is text."""
    revision: int = 1
    size: int
    partial: bool = False
    base_sha: str = ""
    summary: str = ""
    warnings: tuple[str, ...] = ()


class FinalEvent(Event, frozen=True):
    """The last event of an attempt."""

    warnings: tuple[str, ...] = ()
    """Why something is not in the patch or the pull request."""


class Result(FinalEvent, frozen=True, kw_only=True):
    branch_name: str
    summary: str
    validation: tuple[Receipt, ...]
    pr_url: str | None = None
    commit_sha: str | None = None
    patch: str | None = None
    resumable: bool = False
    """As in `Failed`."""


class Completed(Result, frozen=True):
    """Changed, validated, pushed."""

    type = "task.completed"


class NeedsReview(Result, frozen=True):
    """Work that a person must look at; the summary says why."""

    type = "task.needs_review"


class Error(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    stage: str
    code: str
    message: str
    retryable: bool
    """Another attempt may succeed."""


class Failed(FinalEvent, frozen=True, kw_only=True):
    type = "task.failed"
    error: Error
    log_tail: str | None = None
    resumable: bool = False
    """The agent's work is whole in the patch; the next attempt goes on from it."""


FINAL_TYPES: Final = frozenset(kind.type for kind in (Completed, NeedsReview, Failed))


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a webhook."""

    type: str
    timestamp: str
    """RFC 3339, UTC, milliseconds."""
    data: dict[str, object]
