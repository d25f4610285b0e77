"""The launcher protocol: a launcher pulls jobs, proves that it holds them, and reports.

Every report carries the job's lease token, a fencing token: it changes at each claim, and an old
one is refused with 409 `lease_lost` and changes nothing.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from gateway.wire.message import BLANK, Reply, Request
from gateway.wire.patches import Chunk, Count, Encoding, RevisionNumber, Sha, Warnings
from gateway.wire.times import Moment

JobKind = Literal["create", "inspect", "destroy", "sweep"]
SandboxState = Literal[
    "creating",
    "started",
    "stopped",
    "error",
    "gone",
    "unknown",
    "destroying",
    "destroyed",
]
ReportedState = Literal["creating", "started", "stopped", "error", "gone", "unknown", "destroyed"]

ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Note = Annotated[str, msgspec.Meta(max_length=2_000)]
ExitCode = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**32)]
"""Windows has unsigned ones, and a signal may be told as a negative number."""
LauncherId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9._:-]{1,100}$",
        description="1 to 100 ASCII letters, digits, `.`, `_`, `:` and `-`",
    ),
]
ProviderAtRealm = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^[a-z0-9-]{{1,40}}(@[^{BLANK}@]{{0,200}})?$(?!\n)",
        description="`<provider>@<realm>`, or `<provider>` for the empty realm",
    ),
]

SPOOL_BYTES_PER_CALL = 512 * 1024
"""A launcher reads at most so much of a spool into one report (bytes of its lines)."""


class Claim(Request, frozen=True, kw_only=True):
    """`POST /v1/launcher/claim`: give me work that I can do."""

    launcher_id: LauncherId
    providers: Annotated[tuple[ProviderAtRealm, ...], msgspec.Meta(min_length=1, max_length=20)]
    capacity: Annotated[int, msgspec.Meta(ge=0, le=200)]
    """Create jobs wanted; inspect, destroy and sweep jobs come on top."""
    wait_seconds: Annotated[float, msgspec.Meta(ge=0, le=30)] = 0
    version: Annotated[str, msgspec.Meta(max_length=100)] = ""
    holding: Annotated[tuple[str, ...], msgspec.Meta(max_length=500)] = ()
    """Jobs this process works on; others it was given and never renewed go back."""
    job_id: str | None = None
    """Claims that very job, as a delegated launcher does."""


class JobSandbox(Reply, frozen=True, kw_only=True, omit_defaults=True):
    """The sandbox a job is about: its name is the idempotency key of the create."""

    name: str
    id: str | None = None
    provider: str | None = None
    realm: str | None = None


class Job(Reply, frozen=True, kw_only=True, omit_defaults=True):
    """One piece of work under a lease. Durations (seconds) count, times are advisory."""

    id: str
    kind: JobKind
    lease_token: str
    lease_expires_at: Moment
    lease_seconds: int
    instance_id: str
    task_id: str | None = None
    attempt: int | None = None
    sandbox: JobSandbox | None = None
    snapshot: str | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    env: dict[str, str] = msgspec.field(default_factory=dict)
    spool_offset: int = 0
    """Bytes of the sandbox's spool the gateway has already taken (inspect and destroy)."""
    rescue: bool = False
    """The agent has spoken, and no complete patch of its attempt is kept: save it (destroy)."""


class Jobs(Reply, frozen=True, kw_only=True):
    """The answer to a claim; empty when the wait is over and nothing came."""

    jobs: tuple[Job, ...]


class Lease(Request, frozen=True, kw_only=True):
    """`renew`: the launcher still works on the job."""

    lease_token: ShortText


class Renewed(Reply, frozen=True, kw_only=True):
    """The lease holds until then; `cancel` asks to destroy what was made and to end."""

    lease_expires_at: Moment
    cancel: bool


class Trying(Request, frozen=True, kw_only=True):
    """`trying`: said before each create call, so that a sandbox can never be unknown to us."""

    lease_token: ShortText
    provider: ShortText
    realm: Annotated[str, msgspec.Meta(max_length=200)] = ""
    name: ShortText
    try_: Annotated[int, msgspec.Meta(ge=1, le=1000)] = msgspec.field(name="try")
    note: Note | None = None


class MayTry(Reply, frozen=True, kw_only=True):
    """No create call may start after `createBefore`; with `create: false` only find and adopt."""

    create_before: Moment
    create_seconds: int
    """The same as a duration, to be counted from sending the request on a monotonic clock."""
    create: bool


class Sandbox(Request, frozen=True, kw_only=True):
    """A sandbox as its provider describes it."""

    id: ShortText
    name: ShortText
    provider: ShortText
    realm: Annotated[str, msgspec.Meta(max_length=200)] = ""
    snapshot: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    state: ReportedState


class Created(Request, frozen=True, kw_only=True):
    """`created`: the provider has named an id."""

    lease_token: ShortText
    sandbox: Sandbox


class Process(Request, frozen=True, kw_only=True):
    """What the launcher sees of the agent's process."""

    state: Literal["running", "exited", "unknown"]
    exit_code: ExitCode | None = None


class Spooled(Request, frozen=True, kw_only=True):
    """One signed webhook read from a sandbox's spool, as the agent wrote it."""

    id: ShortText
    timestamp: int
    signature: Annotated[str, msgspec.Meta(max_length=2_000)]
    body: Annotated[str, msgspec.Meta(max_length=1_500_000)]
    """base64 of the exact bytes that were signed."""


class SweptSandbox(Request, frozen=True, kw_only=True):
    """One sandbox that carries our labels, found by a sweep."""

    id: ShortText
    name: ShortText
    labels: dict[str, str]
    state: ReportedState
    created_at: (
        Annotated[str, msgspec.Meta(max_length=40, extra_json_schema={"format": "date-time"})]
        | None
    ) = None


class Done(Request, frozen=True, kw_only=True):
    """`done`: the job is over; what was seen, and what the spool held."""

    lease_token: ShortText
    sandbox: Sandbox | None = None
    sandboxes: Annotated[tuple[SweptSandbox, ...], msgspec.Meta(max_length=1_000)] | None = None
    process: Process | None = None
    spool: Annotated[tuple[Spooled, ...], msgspec.Meta(max_length=5_000)] = ()
    spool_offset: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None
    """Bytes of the spool read so far; the next inspect or destroy job names it."""
    diagnosis: Note | None = None


class LaunchError(Request, frozen=True, kw_only=True):
    """Why a job failed; permanent errors end the attempt at once."""

    code: Annotated[
        str,
        msgspec.Meta(
            pattern=r"^[a-z][a-z0-9_]{0,59}$",
            description="a word of small letters, digits and `_`",
        ),
    ]
    message: Note
    retryable: bool
    provider: Annotated[str, msgspec.Meta(max_length=200)] = ""
    exit_code: ExitCode | None = None
    stderr_tail: Annotated[str, msgspec.Meta(max_length=8_000)] | None = None


class Failed(Request, frozen=True, kw_only=True):
    """`failed`: the job could not be done."""

    lease_token: ShortText
    error: LaunchError


class Delegate(Request, frozen=True, kw_only=True):
    """`delegate`: another launcher was asked to start and will claim this job by its id."""

    lease_token: ShortText
    until: Annotated[datetime, msgspec.Meta(tz=True)]
    note: Note = ""


class RescuedPiece(Request, frozen=True, kw_only=True):
    """`patch`: a piece of what the agent changed, found in its sandbox."""

    lease_token: ShortText
    offset: Count
    """Bytes of UTF-8 of the patch before this piece, uncompressed."""
    chunk: Chunk
    """Text, or base64 of one gzip member that holds at most 1 MiB of UTF-8 text."""
    encoding: Encoding | None = None
    revision: RevisionNumber = 1
    size: Count
    """Bytes of UTF-8 of the whole patch."""
    partial: bool
    base_sha: Sha
    warnings: Warnings = ()


class EndedSandbox(Request, frozen=True, kw_only=True):
    """A sandbox whose process the launcher held."""

    instance_id: ShortText
    provider: ShortText
    realm: Annotated[str, msgspec.Meta(max_length=200)] = ""
    name: ShortText


class Ended(Request, frozen=True, kw_only=True):
    """`POST /v1/launcher/ended`: these processes have ended; they are looked at, at once."""

    launcher_id: LauncherId
    sandboxes: Annotated[tuple[EndedSandbox, ...], msgspec.Meta(max_length=500)]


class Acknowledged(Reply, frozen=True, kw_only=True):
    """The plain 200 of `created`, `done`, `failed`, `delegate`, `patch` and `ended`."""

    accepted: bool = True


class GatewayView(Reply, frozen=True, kw_only=True):
    """Who the gateway is, and what of its settings matters to launchers."""

    instance_id: str
    """The label of its sandboxes: those of another instance are never touched."""
    version: str
    public_url: str | None
    """What sandboxes call back; null: they only spool."""
    snapshot: str
    """What a task gets that names none."""
