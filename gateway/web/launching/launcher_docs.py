"""What documents the launcher protocol."""

from datetime import UTC, datetime
from typing import Final

from gateway.web.http import access
from gateway.web.http.body import REPORT_LIMIT
from gateway.web.http.operation import Answer, Body, Operation, answer
from gateway.web.openapi.examples import SANDBOX_NAME, TASK_ID
from gateway.wire import launcher as wire
from gateway.wire.launcher import GatewayView

_TAG: Final = "Launchers"
_LEASE: Final = "1.kJ4vQ2m8Zr0sT6yWc1xUfA"
_UNDER_LEASE: Final = ("unknown_job", "lease_lost")
_ABOUT_SANDBOX: Final = (
    *_UNDER_LEASE,
    "realm_mismatch",
    "provider_mismatch",
    "sandbox_mismatch",
)
_INSTANCE: Final = "ins_01k5ya0000e00800000000001a"
_SANDBOX: Final = wire.Sandbox(
    id="6f0d",
    name=SANDBOX_NAME,
    provider="local",
    realm="build-1",
    snapshot="slipgate-agent-1",
    state="started",
)
_JOB: Final = wire.Job(
    id=f"job_{TASK_ID.removeprefix('task_')}-1-create",
    kind="create",
    lease_token=_LEASE,
    lease_expires_at="2026-01-05T09:31:01.000Z",
    lease_seconds=60,
    instance_id=_INSTANCE,
    task_id=TASK_ID,
    attempt=1,
    sandbox=wire.JobSandbox(name=SANDBOX_NAME),
    snapshot="slipgate-agent-1",
    labels={
        "slipgate-instance": _INSTANCE,
        "slipgate-task": TASK_ID,
        "slipgate-attempt": "1",
    },
    env={
        "TARGET_REPO": "https://github.com/acme/widgets",
        "AGENT_PROMPT": "Add a /health endpoint",
    },
)


def _acknowledged(meaning: str) -> tuple[Answer, ...]:
    return (answer(wire.Acknowledged, wire.Acknowledged(), meaning),)


IDENTITY: Final = Operation(
    id="showGateway",
    tag=_TAG,
    summary="Who this gateway is",
    description="For whoever sets up a launcher: it changes nothing, and is no call of a launcher.",
    access=access.LAUNCHER,
    answers=(
        answer(
            GatewayView,
            GatewayView(
                instance_id=_INSTANCE,
                version="0.1.0",
                public_url="https://slipgate.example.com",
                snapshot="slipgate-agent-1",
            ),
            "What launchers have to know of it.",
        ),
    ),
)
CLAIM: Final = Operation(
    id="claimJobs",
    tag=_TAG,
    summary="Wait for work that this launcher can do",
    access=access.LAUNCHER,
    body=Body(
        kind=wire.Claim,
        example=wire.Claim(
            launcher_id="build-1:4711", providers=("local@build-1",), capacity=4, wait_seconds=20
        ),
    ),
    answers=(
        answer(wire.Jobs, wire.Jobs(jobs=(_JOB,)), "Jobs under a lease; none when time is over."),
    ),
    description="A key made for a project gets the jobs of that project alone. Projects take "
    "turns, and within one the most urgent task is first. A `launcherId` belongs to the key that "
    "used it first, until it has not called for 60 s.",
    errors=("launcher_id_taken",),
)
RENEW: Final = Operation(
    id="renewLease",
    tag=_TAG,
    summary="Keep a job",
    access=access.LAUNCHER,
    body=Body(kind=wire.Lease, example=wire.Lease(lease_token=_LEASE)),
    answers=(
        answer(
            wire.Renewed,
            wire.Renewed(lease_expires_at="2026-01-05T09:31:16.000Z", cancel=False),
            "The lease holds until then.",
        ),
    ),
    errors=_UNDER_LEASE,
)
TRYING: Final = Operation(
    id="reportTrying",
    tag=_TAG,
    summary="Ask before each create call",
    access=access.LAUNCHER,
    body=Body(
        kind=wire.Trying,
        example=wire.Trying(
            lease_token=_LEASE, provider="local", realm="build-1", name=SANDBOX_NAME, try_=1
        ),
    ),
    answers=(
        answer(
            wire.MayTry,
            wire.MayTry(create_before="2026-01-05T09:30:32.000Z", create_seconds=30, create=True),
            "No create call may start later; with `create: false` only find and adopt.",
        ),
    ),
    errors=_ABOUT_SANDBOX,
)
CREATED: Final = Operation(
    id="reportCreated",
    tag=_TAG,
    summary="Report that the provider has named an id",
    access=access.LAUNCHER,
    body=Body(kind=wire.Created, example=wire.Created(lease_token=_LEASE, sandbox=_SANDBOX)),
    answers=_acknowledged("Stored."),
    errors=_ABOUT_SANDBOX,
)
DONE: Final = Operation(
    id="reportDone",
    tag=_TAG,
    summary="End a job with what was seen",
    description="Idempotent by lease token. The words of the spool are applied first.",
    access=access.LAUNCHER,
    body=Body(
        kind=wire.Done,
        example=wire.Done(lease_token=_LEASE, sandbox=_SANDBOX),
        limit=REPORT_LIMIT,
    ),
    answers=_acknowledged("The job is closed."),
    errors=_ABOUT_SANDBOX,
)
FAILED: Final = Operation(
    id="reportFailed",
    tag=_TAG,
    summary="End a job that could not be done",
    description="Idempotent by lease token.",
    access=access.LAUNCHER,
    body=Body(
        kind=wire.Failed,
        example=wire.Failed(
            lease_token=_LEASE,
            error=wire.LaunchError(
                code="provider_quota", message="No CPU is left.", retryable=True, provider="local"
            ),
        ),
    ),
    answers=_acknowledged("The job is closed."),
    errors=_UNDER_LEASE,
)
DELEGATE: Final = Operation(
    id="delegateJob",
    tag=_TAG,
    summary="Leave a job to a launcher that was asked to start elsewhere",
    access=access.LAUNCHER,
    body=Body(
        kind=wire.Delegate,
        example=wire.Delegate(
            lease_token=_LEASE,
            until=datetime(2026, 1, 5, 9, 35, tzinfo=UTC),
            note="workflow run 42",
        ),
    ),
    answers=_acknowledged("The job waits for its claim by id."),
    errors=_UNDER_LEASE,
)
PATCH: Final = Operation(
    id="savePatch",
    tag=_TAG,
    summary="Save what the agent changed before its sandbox goes",
    description=(
        "For jobs with `rescue: true`, under their lease, also after the end of the task. The same "
        "piece again is kept once."
    ),
    access=access.LAUNCHER,
    body=Body(
        kind=wire.RescuedPiece,
        example=wire.RescuedPiece(
            lease_token=_LEASE,
            offset=0,
            chunk="--- a/app.py\n+++ b/app.py\n@@ -1 +1,2 @@\n app\n+health\n",
            size=55,
            partial=True,
            base_sha="8d3f0c6b1e2a4f5d9c7b8a6e5f4d3c2b1a098765",
        ),
    ),
    answers=_acknowledged("Kept."),
    errors=(*_UNDER_LEASE, "patch_too_large"),
)
ENDED: Final = Operation(
    id="reportEnded",
    tag=_TAG,
    summary="Tell that processes which the launcher held have ended",
    description="Their running attempts are inspected at once; unknown sandboxes are ignored.",
    access=access.LAUNCHER,
    body=Body(
        kind=wire.Ended,
        example=wire.Ended(
            launcher_id="build-1:4711",
            sandboxes=(
                wire.EndedSandbox(
                    instance_id=_INSTANCE, provider="local", realm="build-1", name=SANDBOX_NAME
                ),
            ),
        ),
    ),
    answers=_acknowledged("Heard."),
)
