"""A task: the fold of its applied events, plus its clocks; and its attempts."""

from enum import StrEnum
from typing import Final, Literal

import msgspec


class Status(StrEnum):
    """The states of `lifecycle.md`; a CHECK of the schema lists the same words."""

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
        return self in TERMINAL

    @property
    def is_waiting(self) -> bool:
        """True if the agent's next event or the launcher's `done` makes the task running."""
        return self in WAITING


WAITING: Final = frozenset({Status.QUEUED, Status.LAUNCHING})
LIVE: Final = frozenset({Status.LAUNCHING, Status.RUNNING})
"""States that occupy a slot of their concurrency key."""
TERMINAL: Final = frozenset(Status) - LIVE - {Status.QUEUED}

_ENDS: Final = frozenset({Status.COMPLETED, Status.NEEDS_REVIEW, Status.FAILED, Status.CANCELLED})
TRANSITIONS: Final[dict[Status, frozenset[Status]]] = {
    Status.QUEUED: _ENDS | {Status.LAUNCHING, Status.RUNNING, Status.EXPIRED},
    Status.LAUNCHING: _ENDS | {Status.QUEUED, Status.LAUNCHING, Status.RUNNING},
    Status.RUNNING: _ENDS | {Status.QUEUED, Status.TIMED_OUT},
    **{status: frozenset({Status.QUEUED}) for status in TERMINAL},
}
"""The allowed next states; only a retry leaves a terminal one. An agent whose first event is its
final one passes `running` within that event."""

FLAG_ORDER: Final = (
    "sandbox_unconfirmed",
    "cleanup_pending",
    "realm_missing",
    "wrong_snapshot",
    "unreachable",
    "silent",
    "no_progress",
    "launch_slow",
    "provider_down",
    "no_launcher",
)
"""The API shows the first of these flags that is set."""


class Frozen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value; it is changed by `msgspec.structs.replace`."""


class Flag(Frozen, frozen=True, kw_only=True):
    """A problem that does not change the state; `since` in milliseconds."""

    code: str
    since: int
    detail: str = ""


class TaskError(Frozen, frozen=True, kw_only=True):
    """The error that ended a task or an attempt."""

    stage: str
    code: str
    message: str
    retryable: bool = False


class Sandbox(Frozen, frozen=True, kw_only=True):
    """The sandbox of an attempt; realm and name identify it even before it has an id."""

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
    """Absolute times (milliseconds) at which a rule of `lifecycle.md` is due."""

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
    # The clocks from here on are no deadlines, and must stay last: `next` cuts them off.
    no_launcher: int | None = None
    drain: int | None = None
    callback: int | None = None
    """Earliest time of the final flat callback: no clock, so it stays behind all clocks."""

    def next(self) -> tuple[int, str] | None:
        """The earliest deadline and its name."""
        times = msgspec.structs.astuple(self)[:DEADLINES]
        at = min(filter(None, times), default=None)
        return None if at is None else (at, CLOCK_NAMES[times.index(at)])


CLOCK_NAMES: Final = Clocks.__struct_fields__[:-1]
"""All fields but `callback`."""
DEADLINES: Final = CLOCK_NAMES.index("no_launcher")

PUBLIC_CLOCK: Final = {
    "launch_slow": "launch",
    "launch_end": "launch",
    "stall_end": "heartbeat",
    "run_end": "run",
    "cancel_end": "cancel",
}
"""`nextDeadline.what` of the clocks whose field has another name."""

OnStall = Literal["flag", "fail", "retry"]


class Timeouts(Frozen, frozen=True, kw_only=True):
    """The limits of a task, in seconds."""

    queue: int = 900
    heartbeat: int = 300
    run: int = 3600


class Task(Frozen, frozen=True, kw_only=True):
    """The row of a task: everything that decisions need, and nothing large."""

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
    """Earliest time to claim the current attempt's create job; None: it cannot be claimed."""
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
    follow_up_of: str | None = None
    """The pull request that it continues because of a message of GitHub."""
    warnings: tuple[str, ...] = ()
    """Sentences about the result for people; each once."""
    purged_at: int | None = None
    """Time at which its prompt, `env`, log, patch and bodies were purged."""
    traceparent: str | None = None
    """The trace that it belongs to (W3C Trace Context)."""

    @property
    def flag(self) -> Flag | None:
        """The flag the API shows."""
        if not self.flags:
            return None
        return min(self.flags, key=lambda flag: FLAG_ORDER.index(flag.code))

    @property
    def scoped_key(self) -> str:
        """Its concurrency key, qualified by its project."""
        return f"{self.project}/{self.concurrency_key}"

    def has_flag(self, code: str) -> bool:
        return bool(self.flags) and any(flag.code == code for flag in self.flags)

    @property
    def due_at(self) -> int | None:
        """The earliest of its clocks: the one indexed column the reconciler reads."""
        return min(
            filter(None, msgspec.structs.astuple(self.clocks)[: len(CLOCK_NAMES)]), default=None
        )


class KeptPatch(Frozen, frozen=True, kw_only=True):
    """The stored part of an attempt's patch."""

    stored: int = 0
    """Bytes of its pieces."""
    in_final: bool = False
    """True if the final event contains the whole patch."""


class Attempt(Frozen, frozen=True, kw_only=True):
    """One try of a task; the first attempt has a row only from its first claim on."""

    task_id: str
    number: int
    key_id: str
    """The master key from which its signing key is derived."""
    opened_at: int
    """Creation of the task, or its retry."""
    provider: str | None = None
    realm: str | None = None
    """Set before the first create call: only launchers of this realm may report on the sandbox."""
    sandbox: Sandbox | None = None
    launches: int = 0
    queue_left: int | None = None
    """Time left on its queue clock at the claim (milliseconds): a relaunch continues with it."""
    tried_at: int | None = None
    """Time of the newest `trying`; None: no sandbox was ever made."""
    create_before: int | None = None
    first_event_at: int | None = None
    """Time of the agent's first applied event."""
    gone_at: int | None = None
    """Time at which its sandbox was confirmed gone, or released."""
    missing_since: int | None = None
    """Time of the first inspection that found no sandbox; gone needs two, at least 15 s apart."""
    spool_offset: int = 0
    inspections: int = 0
    refused: int = 0
    """Number of late events; at most 100 are stored."""
    ended_at: int | None = None
    outcome: str | None = None
    error: TaskError | None = None
    usage: Usage = Usage()
    claimed_at: int | None = None
    """Time of its first claim."""
    started_at: int | None = None
    """Time at which it began to run."""
    tried_as: str | None = None
    """Lease and number of the newest try, to recognise a repeated report."""
    exited_at: int | None = None
    """Time of a launcher's unsolicited report that its process had ended."""
    patch: KeptPatch | None = None
    resumable: bool = False
    """True if its patch is complete and unpublished: the next attempt may continue with it."""
    launcher_id: str | None = None
    """The launcher that claimed it last."""

    @property
    def provider_realm(self) -> tuple[str, str] | None:
        """Provider and realm of its sandbox, once they are known."""
        return None if self.realm is None else (self.provider or "", self.realm)

    @property
    def was_tried(self) -> bool:
        """True if a sandbox may exist for it."""
        return self.tried_at is not None

    @property
    def is_gone(self) -> bool:
        """True if no sandbox of it can be alive."""
        return self.gone_at is not None or not self.was_tried

    @property
    def has_final_patch(self) -> bool:
        return self.patch is not None and self.patch.in_final

    def with_final_patch(self) -> "Attempt":
        """The attempt after a final event with a patch."""
        kept = msgspec.structs.replace(self.patch or KeptPatch(), in_final=True)
        return msgspec.structs.replace(self, patch=kept)
