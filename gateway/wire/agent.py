"""The events that agents report: the envelope of their webhooks, and one message per type.

Unknown fields are kept: `AgentEvent.data` is the JSON as it was sent.
"""

from typing import Annotated, Final

import msgspec

from gateway.wire.message import Reply
from gateway.wire.patches import (
    CHUNK_BYTES,
    Chunk,
    Count,
    Encoding,
    RevisionNumber,
    Sha,
    Warnings,
)
from gateway.wire.times import Moment

Text = Annotated[str, msgspec.Meta(max_length=2_000)]
LongText = Annotated[str, msgspec.Meta(max_length=8_000)]
Url = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
Short = Annotated[str, msgspec.Meta(max_length=255)]
Stage = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=60)]
PatchText = Annotated[str, msgspec.Meta(max_length=512 * 1024)]

MESSAGE_CHARACTERS: Final = 2_000
SUMMARY_CHARACTERS: Final = 8_000
MAX_ATTEMPT: Final = 1_000_000


class Part(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of an event's data; unknown fields are kept."""


class Data(Part, frozen=True, kw_only=True):
    """The `data` of an event; unknown fields are kept."""

    warnings: Warnings = ()
    """Sentences that a person should read with the result."""


class Started(Data, frozen=True, kw_only=True):
    """`task.started`: the agent's first event."""

    script_digest: Short | None = None
    snapshot: Short | None = None


class Heartbeat(Data, frozen=True, kw_only=True):
    """`task.heartbeat`: the agent is alive."""


class Progress(Data, frozen=True, kw_only=True):
    """`task.progress`: the current step of the agent."""

    stage: Stage
    message: Text
    percent: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None


class FlatProgress(Data, frozen=True, kw_only=True):
    """`task.progress` of a script that knows no stages."""

    stage: Stage | None = None
    message: Text | None = None
    percent: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None


class Piece(Data, frozen=True, kw_only=True):
    """`task.log`, `task.trajectory`: a piece of a longer text, at most 64 KiB of UTF-8."""

    offset: Count
    """Bytes from the attempt's beginning."""
    chunk: Chunk

    def __post_init__(self) -> None:
        """Counts bytes; msgspec has only counted characters."""
        if len(self.chunk) * 4 > CHUNK_BYTES and len(self.chunk.encode()) > CHUNK_BYTES:
            raise ValueError("`chunk` has more than 64 KiB")


class PatchPiece(Piece, frozen=True, kw_only=True):
    """`task.patch`: a piece of the agent's changes; text, or one gzip member of it."""

    encoding: Encoding | None = None
    """`gzip`: `chunk` is the base64 of one member that holds at most 1 MiB of UTF-8 text."""
    revision: RevisionNumber = 1
    """A later revision replaces the earlier ones as a whole."""
    size: Count | None = None
    """Bytes of UTF-8 of the whole revision."""
    partial: bool = False
    """The agent was interrupted."""
    base_sha: Sha | None = None
    """The commit it applies to."""
    summary: LongText | None = None


class Usage(Data, frozen=True, kw_only=True):
    """`task.usage`: totals of the attempt so far."""

    input_tokens: Count
    output_tokens: Count
    cost_usd: Annotated[float, msgspec.Meta(ge=0, le=1e9)]
    turns: Count


class PullRequest(Data, frozen=True, kw_only=True):
    """`task.pr_created`: a pull request is open; not an end."""

    pr_url: Url
    branch_name: Short | None = None
    commit_sha: Short | None = None
    draft: bool | None = None


class Receipt(Part, frozen=True, kw_only=True):
    """One validation command and its result; without `exitCode` it did not run."""

    command: LongText | tuple[LongText, ...]
    exit_code: int | None = None
    seconds: float | None = None
    output_tail: LongText | None = None
    status: Short | None = None
    """`passed`, `failed`, `timed_out` or `not_run`."""
    reason: LongText | None = None
    baseline: Short | None = None
    """The same command on the base commit: `passed` or `failed`."""
    output_digest: Short | None = None
    """SHA-256 of the whole output."""


class Error(Part, frozen=True, kw_only=True):
    """The reason an attempt failed."""

    stage: Stage
    code: Code
    message: LongText
    retryable: bool = False


class Result(Data, frozen=True, kw_only=True):
    """`task.completed`, `task.needs_review`: the result of a finished attempt."""

    pr_url: Url | None = None
    branch_name: Short | None = None
    commit_sha: Short | None = None
    summary: LongText | None = None
    validation: Annotated[tuple[Receipt, ...], msgspec.Meta(max_length=100)] = ()
    receipts_signature: Short | None = None
    """Of `validation`, by the attempt's key."""
    patch: PatchText | None = None
    error: Error | None = None
    resumable: bool = False
    """The patch is complete and was not pushed: the next attempt may go on with it."""


class Failed(Data, frozen=True, kw_only=True):
    """`task.failed`: the attempt has no result."""

    error: Error
    log_tail: PatchText | None = None
    pr_url: Url | None = None
    branch_name: Short | None = None
    commit_sha: Short | None = None
    summary: LongText | None = None
    patch: PatchText | None = None
    resumable: bool = False


Message = (
    Started
    | Heartbeat
    | Progress
    | FlatProgress
    | Piece
    | PatchPiece
    | Usage
    | PullRequest
    | Result
    | Failed
)

EVENTS: Final[dict[str, type[Message]]] = {
    "task.started": Started,
    "task.heartbeat": Heartbeat,
    "task.progress": Progress,
    "task.log": Piece,
    "task.trajectory": Piece,
    "task.usage": Usage,
    "task.pr_created": PullRequest,
    "task.completed": Result,
    "task.needs_review": Result,
    "task.failed": Failed,
    "task.patch": PatchPiece,
}
"""Every type an agent may send."""

TERMINAL_EVENTS: Final = frozenset({"task.completed", "task.needs_review", "task.failed"})
NEVER_REFUSED: Final = TERMINAL_EVENTS | {"task.patch"}
"""Types that are never refused for the size of an optional field: no content may be lost."""


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a signed webhook, its `data` still as sent."""

    type: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    timestamp: Annotated[str, msgspec.Meta(max_length=64)] = ""
    data: msgspec.Raw


class AgentEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A checked event of an agent; `data` is the JSON to store."""

    type: str
    message: Message
    data: bytes
    warnings: tuple[str, ...] = ()
    """One sentence per field that was dropped."""
    id: str | None = None
    """The key that deduplicates a flat payload; a signed one has its `webhook-id`."""


class Accepted(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The answer to a signed webhook; `cancel` tells the agent to stop."""

    accepted: bool
    applied: bool
    cancel: bool
    deadline_at: Moment | None
    duplicate: bool = False
    warnings: tuple[str, ...] = ()


class FlatAccepted(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The answer to an event through the capability URL."""

    status: str = "ok"
    cancel: bool
    deadline_at: Moment | None


class Target(msgspec.Struct, frozen=True, rename="camel"):
    """The task and attempt of an event."""

    task_id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    attempt: Annotated[int, msgspec.Meta(ge=1, le=MAX_ATTEMPT)]


class Prompt(Reply, frozen=True, kw_only=True):
    """The whole prompt of a task."""

    prompt: str


class ResumedPatch(Reply, frozen=True, kw_only=True):
    """The whole work of an earlier attempt, which has not gone out."""

    attempt: int
    base_sha: str | None
    summary: str | None
    warnings: tuple[str, ...]
    patch: str
