"""A task as it stands: the fold of its applied events, plus the clocks that run for it."""

from enum import StrEnum
from typing import Final, Literal

import msgspec


class Status(StrEnum):
    """The states of `lifecycle.md`; the same words stand in the CHECK of the schema."""

    QUEUED = "queued"
    LAUNCHING = "launching"
    RUNNING = "running"
    COMPLETED = "completed"
    NEEDS_REVIEW = "needs_review"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        """Whether the task has ended; only a retry leaves such a state."""
        return self in TERMINAL


TERMINAL: Final = frozenset(
    {
        Status.COMPLETED,
        Status.NEEDS_REVIEW,
        Status.FAILED,
        Status.TIMED_OUT,
        Status.CANCELLED,
        Status.EXPIRED,
    }
)

LIVE: Final = frozenset({Status.LAUNCHING, Status.RUNNING})
"""States that take a place of their concurrency key."""

TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.QUEUED: frozenset(
        {
            Status.LAUNCHING,
            Status.RUNNING,
            Status.EXPIRED,
            Status.CANCELLED,
            Status.FAILED,
            Status.COMPLETED,
            Status.NEEDS_REVIEW,
        }
    ),
    Status.LAUNCHING: frozenset(
        {
            Status.QUEUED,
            Status.LAUNCHING,
            Status.RUNNING,
            Status.FAILED,
            Status.CANCELLED,
            Status.COMPLETED,
            Status.NEEDS_REVIEW,
        }
    ),
    Status.RUNNING: frozenset(
        {
            Status.QUEUED,
            Status.COMPLETED,
            Status.NEEDS_REVIEW,
            Status.FAILED,
            Status.TIMED_OUT,
            Status.CANCELLED,
        }
    ),
    **{status: frozenset({Status.QUEUED}) for status in TERMINAL},
}
"""Which state may follow which; a terminal one is left by a retry alone. An agent whose first word
is its last passes `running` within one event."""

FLAG_ORDER: Final = (
    "sandbox_unconfirmed",
    "cleanup_pending",
    "realm_missing",
    "wrong_snapshot",
    "unreachable",
    "silent",
    "no_progress",
    "launch_slow",
    "no_launcher",
)
"""The first flag that is set, in this order, is the one the API shows."""


class Frozen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value; it is changed by `msgspec.structs.replace`."""


class Flag(Frozen, frozen=True, kw_only=True):
    """Something is wrong while the state stands. `since` in milliseconds."""

    code: str
    since: int
    detail: str = ""


class TaskError(Frozen, frozen=True, kw_only=True):
    """Why a task or an attempt ended badly."""

    stage: str
    code: str
    message: str
    retryable: bool = False


class Sandbox(Frozen, frozen=True, kw_only=True):
    """Where an attempt runs; realm and name identify it even before it has an id."""

    name: str
    provider: str
    realm: str = ""
    id: str | None = None
    snapshot: str | None = None
    state: str = "creating"


class Usage(Frozen, frozen=True, kw_only=True):
    """Totals of an attempt so far."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    turns: int = 0


class Clocks(Frozen, frozen=True, kw_only=True):
    """Absolute moments (milliseconds) at which a rule of `lifecycle.md` comes due."""

    queue: int | None = None
    launch_slow: int | None = None
    launch_end: int | None = None
    heartbeat: int | None = None
    stall_end: int | None = None
    progress: int | None = None
    run: int | None = None
    run_end: int | None = None
    cancel: int | None = None
    cancel_end: int | None = None
    cleanup: int | None = None
    # Behind these two nobody's time is over: they are no deadlines, and stand last.
    no_launcher: int | None = None
    drain: int | None = None
    callback: int | None = None
    """From when on the final flat callback may be sent. Nothing comes due then, so it stands behind
    the clocks that do."""

    def next(self) -> tuple[int, str] | None:
        """The earliest deadline and its name."""
        moments = msgspec.structs.astuple(self)[:DEADLINES]
        at = min(filter(None, moments), default=None)
        return None if at is None else (at, CLOCK_NAMES[moments.index(at)])


CLOCK_NAMES: Final = Clocks.__struct_fields__[:-1]
"""All but `callback`, which is no clock."""
DEADLINES: Final = CLOCK_NAMES.index("no_launcher")

PUBLIC_CLOCK: Final = {
    "launch_slow": "launch",
    "launch_end": "launch",
    "stall_end": "heartbeat",
    "run_end": "run",
    "cancel_end": "cancel",
}
"""What `nextDeadline.what` says for the clocks whose inner name is longer."""

OnStall = Literal["flag", "fail", "retry"]


class Timeouts(Frozen, frozen=True, kw_only=True):
    """The limits of a task, in seconds."""

    queue: int = 900
    heartbeat: int = 300
    run: int = 3600


class Task(Frozen, frozen=True, kw_only=True):
    """The hot row: everything decisions need, and nothing that is large."""

    id: str
    project: str
    status: Status
    attempt: int
    max_attempts: int
    seq: int
    """`taskSeq` of its newest event."""
    created_at: int
    updated_at: int
    timeouts: Timeouts
    on_stall: OnStall = "flag"
    priority: int = 5
    snapshot: str = ""
    provider: str | None = None
    concurrency_key: str | None = None
    keep_sandbox: bool = False
    endpoint_id: str | None = None
    """The implicit endpoint of its `callbackUrl`."""
    claimable_at: int | None = None
    """From when the create job of the current attempt may be claimed; None: not now."""
    started_at: int | None = None
    finished_at: int | None = None
    cancel_requested_at: int | None = None
    stage: str | None = None
    message: str | None = None
    pr_url: str | None = None
    commit_sha: str | None = None
    error: TaskError | None = None
    usage: Usage = Usage()
    sandbox: Sandbox | None = None
    flags: tuple[Flag, ...] = ()
    clocks: Clocks = Clocks()
    warnings: tuple[str, ...] = ()
    """What a person should know of its result, in sentences; each once."""

    @property
    def flag(self) -> Flag | None:
        """The flag the API shows."""
        if not self.flags:
            return None
        return min(self.flags, key=lambda flag: FLAG_ORDER.index(flag.code))

    @property
    def scoped_key(self) -> str:
        """Its concurrency key, which means something within its project alone."""
        return f"{self.project}/{self.concurrency_key}"

    def has_flag(self, code: str) -> bool:
        """Whether this flag is set."""
        return bool(self.flags) and any(flag.code == code for flag in self.flags)

    @property
    def due_at(self) -> int | None:
        """The earliest of its clocks: the one indexed column the reconciler reads."""
        return min(
            filter(None, msgspec.structs.astuple(self.clocks)[: len(CLOCK_NAMES)]), default=None
        )


class KeptPatch(Frozen, frozen=True, kw_only=True):
    """How much of an attempt's patch is kept."""

    stored: int = 0
    """Bytes that its pieces take."""
    in_final: bool = False
    """The final event carries it whole."""


class Attempt(Frozen, frozen=True, kw_only=True):
    """One try of a task. The first has a row from its first claim on: a task that waits needs none
    beside its own."""

    task_id: str
    number: int
    key_id: str
    """The master key its signing key is derived from, for life."""
    opened_at: int
    """When it began to exist: with the task, or with the retry."""
    provider: str | None = None
    realm: str | None = None
    """Set before the first create: only launchers of this realm may judge the sandbox."""
    sandbox: Sandbox | None = None
    launches: int = 0
    queue_left: int | None = None
    """What its queue clock still had when it was claimed (milliseconds): a counted re-launch goes
    on with that."""
    tried_at: int | None = None
    """When `trying` was last said; None means that no sandbox was ever made."""
    create_before: int | None = None
    spoke_at: int | None = None
    """When the agent's first word was applied."""
    gone_at: int | None = None
    """When its sandbox was known to be gone, or released."""
    missing_since: int | None = None
    """When a look first found no sandbox; gone needs two looks at least 15 s apart."""
    spool_offset: int = 0
    inspections: int = 0
    refused: int = 0
    """Words stored although they came too late; at most 100 are kept."""
    ended_at: int | None = None
    outcome: str | None = None
    error: TaskError | None = None
    usage: Usage = Usage()
    claimed_at: int | None = None
    """When a launcher first took it."""
    started_at: int | None = None
    """When it began to run."""
    tried_as: str | None = None
    """Lease and number of the newest try: the same one again is no second try."""
    exited_at: int | None = None
    """When a launcher told, unasked, that its process had ended."""
    patch: KeptPatch | None = None
    resumable: bool = False
    """Its work is whole in its patch and has not gone out: the next attempt may go on with it."""

    @property
    def provider_realm(self) -> tuple[str, str] | None:
        """Provider and realm of its sandbox, once they are known."""
        return None if self.realm is None else (self.provider or "", self.realm)

    @property
    def was_tried(self) -> bool:
        """Whether a sandbox may exist for it."""
        return self.tried_at is not None

    @property
    def is_gone(self) -> bool:
        """Whether no sandbox of it can be alive."""
        return self.gone_at is not None or not self.was_tried

    @property
    def has_final_patch(self) -> bool:
        """A final event has brought a patch."""
        return self.patch is not None and self.patch.in_final

    def with_final_patch(self) -> "Attempt":
        """The same, once a final event has brought a patch."""
        kept = msgspec.structs.replace(self.patch or KeptPatch(), in_final=True)
        return msgspec.structs.replace(self, patch=kept)
