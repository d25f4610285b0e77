"""The launcher protocol: a launcher claims jobs and reports on them.

Every report carries the job's lease token, a fencing token: it changes at each claim, and an old
one is refused with 409 `lease_lost`.
"""

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec

from gateway.wire.message import BLANK, Reply, Request
from gateway.wire.patches import Chunk, Count, Encoding, RevisionNumber, Sha, Warnings
from gateway.wire.times import Moment

JobKind = Literal["create", "inspect", "destroy", "sweep"]
SandboxState = Literal[
    "creating", "started", "stopped", "error", "gone", "unknown", "destroying", "destroyed"
]
ReportedState = Literal["creating", "started", "stopped", "error", "gone", "unknown", "destroyed"]

ShortText = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Note = Annotated[str, msgspec.Meta(max_length=2_000)]
ExitCode = Annotated[int, msgspec.Meta(ge=-(2**31), lt=2**32)]
"""Windows has unsigned ones, and a signal may be a negative number."""
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

SPOOL_BYTES_PER_CALL: Final = 512 * 1024
"""The most bytes of spool lines in one report."""


class Claim(Request, frozen=True, kw_only=True):
    """`POST /v1/launcher/claim`: asks for jobs."""

    launcher_id: LauncherId
    providers: Annotated[tuple[ProviderAtRealm, ...], msgspec.Meta(min_length=1, max_length=20)]
    capacity: Annotated[int, msgspec.Meta(ge=0, le=200)]
    """Create jobs wanted; other jobs come in addition."""
    wait_seconds: Annotated[float, msgspec.Meta(ge=0, le=30)] = 0
    version: Annotated[str, msgspec.Meta(max_length=100)] = ""
    holding: Annotated[tuple[str, ...], msgspec.Meta(max_length=500)] = ()
    """Jobs in work; others that were given and never renewed are released."""
    job_id: str | None = None
    """Claims only this job, as a delegated launcher does."""


class JobSandbox(Reply, frozen=True, kw_only=True, omit_defaults=True):
    """The sandbox of a job; its name is the idempotency key of the create."""

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
    """Bytes of the spool that the gateway already has (inspect and destroy)."""
    rescue: bool = False
    """True if the agent has started and no complete patch is stored: save it (destroy)."""


class Jobs(Reply, frozen=True, kw_only=True):
    """The answer to a claim; empty if no job came during the wait."""

    jobs: tuple[Job, ...]


class Lease(Request, frozen=True, kw_only=True):
    """`renew`: the launcher still works on the job."""

    lease_token: ShortText


class Renewed(Reply, frozen=True, kw_only=True):
    """A renewed lease; `cancel` asks to destroy the sandbox and to end the job."""

    lease_expires_at: Moment
    cancel: bool


class Trying(Request, frozen=True, kw_only=True):
    """`trying`: sent before each create call, so that the gateway knows every sandbox."""

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
    """The same as a duration from sending the request, by a monotonic clock."""
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
    """The agent's process as the launcher sees it."""

    state: Literal["running", "exited", "unknown"]
    exit_code: ExitCode | None = None


class Spooled(Request, frozen=True, kw_only=True):
    """A signed webhook from a sandbox's spool, as the agent wrote it."""

    id: ShortText
    timestamp: int
    signature: Annotated[str, msgspec.Meta(max_length=2_000)]
    body: Annotated[str, msgspec.Meta(max_length=1_500_000)]
    """base64 of the signed bytes."""


class SweptSandbox(Request, frozen=True, kw_only=True):
    """A sandbox with our labels, found by a sweep."""

    id: ShortText
    name: ShortText
    labels: dict[str, str]
    state: ReportedState
    created_at: (
        Annotated[str, msgspec.Meta(max_length=40, extra_json_schema={"format": "date-time"})]
        | None
    ) = None


class Done(Request, frozen=True, kw_only=True):
    """`done`: the job is over; its findings and the events of the spool."""

    lease_token: ShortText
    sandbox: Sandbox | None = None
    sandboxes: Annotated[tuple[SweptSandbox, ...], msgspec.Meta(max_length=1_000)] | None = None
    process: Process | None = None
    spool: Annotated[tuple[Spooled, ...], msgspec.Meta(max_length=5_000)] = ()
    spool_offset: Annotated[int, msgspec.Meta(ge=0, le=2**53)] | None = None
    """Bytes of the spool read so far, for the next job."""
    diagnosis: Note | None = None


class LaunchError(Request, frozen=True, kw_only=True):
    """The reason a job failed; permanent errors end the attempt at once."""

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
    """`patch`: a piece of the agent's changes, found in its sandbox."""

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
    """A sandbox whose process this launcher ran."""

    instance_id: ShortText
    provider: ShortText
    realm: Annotated[str, msgspec.Meta(max_length=200)] = ""
    name: ShortText


class Ended(Request, frozen=True, kw_only=True):
    """`POST /v1/launcher/ended`: processes that have ended; the gateway inspects them at once."""

    launcher_id: LauncherId
    sandboxes: Annotated[tuple[EndedSandbox, ...], msgspec.Meta(max_length=500)]


class Acknowledged(Reply, frozen=True, kw_only=True):
    """The plain 200 of `created`, `done`, `failed`, `delegate`, `patch` and `ended`."""

    accepted: bool = True


class WarningView(Reply, frozen=True, kw_only=True):
    """A danger of the place that the gateway runs in, such as `ephemeral_database`."""

    code: str
    detail: str
    hint: str
    """The way to end it."""


class GatewayView(Reply, frozen=True, kw_only=True):
    """The gateway's identity, and its settings that matter to launchers."""

    instance_id: str
    """The label of its sandboxes; those of other instances are not touched."""
    version: str
    public_url: str | None
    """The URL that sandboxes call; null: they only spool."""
    snapshot: str
    """The default of tasks."""
    warnings: tuple[WarningView, ...] = ()
    """As it logged them at its start."""
