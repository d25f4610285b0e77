"""The launcher protocol over HTTP: claims that wait, and reports under a lease."""

import asyncio
import hashlib
import time
from functools import partial
from typing import Any, Final, TypedDict

import msgspec
from starlette.responses import Response

from gateway.domain.kernel import commands
from gateway.domain.kernel.answers import Accepted, ClaimedJob, ClaimReply, LeaseReply, TryReply
from gateway.domain.kernel.errors import ApiError, Unavailable
from gateway.domain.kernel.read_set import Command
from gateway.domain.launching.version import check_version
from gateway.domain.tasks.task import Sandbox
from gateway.notifier import pause_after
from gateway.web.agents.patches import kept_piece, own_texts
from gateway.web.context import Context
from gateway.web.convert import convert
from gateway.web.http.access import LAUNCHER
from gateway.web.http.auth import served_by
from gateway.web.http.body import REPORT_LIMIT
from gateway.web.http.call import Call
from gateway.web.http.fields import to_millis
from gateway.web.http.operation import Answer, Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.web.launching.jobs import readable_job
from gateway.web.launching.launchers import VERSION
from gateway.web.launching.spool import submit_spooled
from gateway.wire import launcher as wire
from gateway.wire.redaction import redact
from gateway.wire.scrubbing import plain
from gateway.wire.times import rfc3339

CREATE_SECONDS: Final = 30
_UNDER_LEASE: Final = ("unknown_job", "lease_lost")
_ABOUT_SANDBOX: Final = (*_UNDER_LEASE, "realm_mismatch", "provider_mismatch", "sandbox_mismatch")
operation: Final = partial(Operation, tag="Launchers", access=LAUNCHER)


def _acknowledged(meaning: str) -> tuple[Answer, ...]:
    return (answer(wire.Acknowledged, meaning),)


@operation(
    id="claimJobs",
    summary="Wait for work that this launcher can do",
    description="A key made for a project gets the jobs of that project alone. Projects take "
    "turns, and within one the most urgent task is first. A `launcherId` belongs to the key that "
    "used it first, until it has not called for 60 s.",
    body=Body(kind=wire.Claim),
    answers=(answer(wire.Jobs, "Jobs under a lease; none when time is over."),),
    errors=("launcher_id_taken", "launcher_revoked", "launcher_too_old"),
)
async def claim(call: Call[wire.Claim]) -> Response:
    context, key, wanted = call.context, call.key, call.body
    check_version(wanted.version, VERSION)
    command = convert(
        commands.Claim,
        wanted,
        providers=tuple(map(_pair, wanted.providers)),
        secret=context.secret(),
        key_id=key.id,
        project=served_by(key),
    )
    claimed = await _wait_for_jobs(call, command)
    jobs = await asyncio.gather(*(readable_job(context, job) for job in claimed))
    return reply(wire.Jobs(jobs=tuple(job for job in jobs if job is not None)))


@operation(
    id="renewLease",
    summary="Keep a job",
    description=(
        "Keeps the job for another `leaseSeconds`. `cancel: true`: destroy what was made, and "
        "end the job as `cancelled`."
    ),
    body=Body(kind=wire.Lease),
    answers=(answer(wire.Renewed, "The lease holds until then."),),
    errors=_UNDER_LEASE,
)
async def renew(call: Call[wire.Lease]) -> Response:
    answer = await call.ask(commands.RenewLease(**_lease(call)), LeaseReply)
    expires = rfc3339(answer.expires_at)
    return reply(wire.Renewed(lease_expires_at=expires, cancel=answer.cancel))


@operation(
    id="reportTrying",
    summary="Ask before each create call",
    description=(
        "Before each create call, so that the gateway knows of every sandbox that may exist. "
        "`create: false`: only find and adopt."
    ),
    body=Body(kind=wire.Trying),
    answers=(
        answer(
            wire.MayTry, "No create call may start later; with `create: false` only find and adopt."
        ),
    ),
    errors=_ABOUT_SANDBOX,
)
async def trying(call: Call[wire.Trying]) -> Response:
    report = call.body
    command = convert(
        commands.TrySandbox,
        report,
        **_lease(call),
        number=report.try_,
        note=_safe(report.note) if report.note else None,
    )
    answer = await call.ask(command, TryReply)
    return reply(
        wire.MayTry(
            create_before=rfc3339(answer.create_before),
            create_seconds=CREATE_SECONDS,
            create=answer.create,
        )
    )


@operation(
    id="reportCreated",
    summary="Report that the provider has named an id",
    description=(
        "As soon as the provider names an id. Idempotent: the same token gets the first answer."
    ),
    body=Body(kind=wire.Created),
    answers=_acknowledged("Stored."),
    errors=_ABOUT_SANDBOX,
)
async def created(call: Call[wire.Created]) -> Response:
    sandbox = convert(Sandbox, call.body.sandbox)
    return await _acknowledge(call, commands.ReportCreated(**_lease(call), sandbox=sandbox))


@operation(
    id="reportDone",
    summary="End a job with what was seen",
    description="Idempotent by lease token. The events of the spool are applied first.",
    body=Body(kind=wire.Done, limit=REPORT_LIMIT),
    answers=_acknowledged("The job is closed."),
    errors=_ABOUT_SANDBOX,
)
async def done(call: Call[wire.Done]) -> Response:
    report = call.body
    if report.spool:
        job = await _held(call)
        if job is not None:
            await submit_spooled(
                call.context, report.spool, task_id=job.task_id, attempt=job.attempt
            )
    command = commands.FinishJob(
        **_lease(call),
        sandbox=convert(Sandbox, report.sandbox) if report.sandbox else None,
        sandboxes=report.sandboxes or (),
        process=report.process,
        spooled=len(report.spool),
        spool_offset=report.spool_offset,
        diagnosis=_safe(report.diagnosis) if report.diagnosis else None,
    )
    return await _acknowledge(call, command)


@operation(
    id="reportFailed",
    summary="End a job that could not be done",
    description="Idempotent by lease token.",
    body=Body(kind=wire.Failed),
    answers=_acknowledged("The job is closed."),
    errors=_UNDER_LEASE,
)
async def failed(call: Call[wire.Failed]) -> Response:
    error = _safe_error(call.body.error)
    return await _acknowledge(call, commands.FailJob(**_lease(call), error=error))


@operation(
    id="delegateJob",
    summary="Leave a job to a launcher that was asked to start elsewhere",
    description=(
        "The job waits, and can be claimed by its `jobId` alone, until the launcher that was "
        "asked to start claims it."
    ),
    body=Body(kind=wire.Delegate),
    answers=_acknowledged("The job waits for its claim by id."),
    errors=_UNDER_LEASE,
)
async def delegate(call: Call[wire.Delegate]) -> Response:
    until = to_millis(call.body.until, "$.until")
    command = commands.DelegateJob(**_lease(call), until=until, note=_safe(call.body.note))
    return await _acknowledge(call, command)


@operation(
    id="savePatch",
    summary="Save what the agent changed before its sandbox goes",
    description=(
        "For jobs with `rescue: true`, under their lease, also after the end of the task. The same "
        "piece again is kept once."
    ),
    body=Body(kind=wire.RescuedPiece),
    answers=_acknowledged("Kept."),
    errors=(*_UNDER_LEASE, "patch_too_large"),
)
async def patch(call: Call[wire.RescuedPiece]) -> Response:
    report = call.body
    lease = await call.ask(commands.RenewLease(**_lease(call)), LeaseReply)
    if lease.task_id is None or lease.attempt is None:
        raise ApiError("unknown_job", "This job is not about a task.")
    own = await own_texts(call.context, lease.task_id, lease.attempt)
    fields = msgspec.to_builtins(report)
    piece, data, _ = await kept_piece(report, fields, own, call.context.thread)
    command = commands.RescuePatch(
        **_lease(call),
        task_id=lease.task_id,
        attempt=lease.attempt,
        data=data,
        piece=piece,
        body_hash=hashlib.sha256(data + piece.chunk).digest(),
    )
    return await _acknowledge(call, command)


@operation(
    id="reportEnded",
    summary="Tell that processes which the launcher held have ended",
    description=(
        "Their running attempts are inspected at once; unknown sandboxes, and those in a realm "
        "that the launcher does not serve, are ignored."
    ),
    body=Body(kind=wire.Ended),
    answers=_acknowledged("Taken."),
    errors=("launcher_revoked",),
)
async def ended(call: Call[wire.Ended]) -> Response:
    sandboxes = tuple(
        (sandbox.provider, sandbox.realm, sandbox.name)
        for sandbox in call.body.sandboxes
        if sandbox.instance_id == call.context.instance_id
    )
    if not sandboxes:
        return reply(wire.Acknowledged())
    command = commands.ReportEnded(
        sandboxes=sandboxes,
        launcher_id=call.body.launcher_id,
        key_id=call.key.id,
        project=served_by(call.key),
    )
    return await _acknowledge(call, command)


class _Lease(TypedDict):
    job_id: str
    lease_token: str
    key_id: str
    project: str


def _lease(call: Call[Any]) -> _Lease:
    """The fields of every command under a lease."""
    return _Lease(
        job_id=call.path["job_id"],
        lease_token=call.body.lease_token,
        key_id=call.key.id,
        project=served_by(call.key),
    )


async def _held(call: Call[wire.Done]) -> LeaseReply | None:
    """The job, if the lease is live: only then may spooled events be older than the tolerance."""
    try:
        return await call.ask(commands.RenewLease(**_lease(call)), LeaseReply)
    except Unavailable:
        raise
    except ApiError:
        return None


async def _acknowledge(call: Call[Any], command: Command) -> Response:
    await call.ask(command, Accepted)
    return reply(wire.Acknowledged())


async def _wait_for_jobs(call: Call[wire.Claim], command: commands.Claim) -> tuple[ClaimedJob, ...]:
    context = call.context
    end, fruitless = time.monotonic() + call.body.wait_seconds, 0
    with context.notifier.listen("jobs") as listener:
        while True:
            await call.admit_again()
            asked_at = context.clock()
            answer = await call.ask(command, ClaimReply)
            left = end - time.monotonic()
            if answer.jobs or left <= 0 or context.is_draining():
                return answer.jobs
            if await listener.wait(min(left, await _seconds_to_next(context, command, asked_at))):
                left = max(0.0, end - time.monotonic())
                await asyncio.sleep(min(pause_after(fruitless), left))
                fruitless += 1
            # A caller that has died must not be given jobs: they would sit out a whole lease.
            if await call.request.is_disconnected():
                return ()


async def _seconds_to_next(context: Context, command: commands.Claim, asked_at: int) -> float:
    """Seconds to the next due job, 0.01 for one that came due while the claim was answered."""
    at = await context.reads.next_claimable(command.providers, asked_at, command.project)
    return 30.0 if at is None else max(0.01, (at - context.clock()) / 1000)


def _safe_error(error: wire.LaunchError) -> wire.LaunchError:
    tail = error.stderr_tail
    return msgspec.structs.replace(
        error, message=_safe(error.message), stderr_tail=_safe(tail) if tail else None
    )


def _safe(text: str) -> str:
    """A text of a provider or its command, without secrets and control characters."""
    return plain(redact(text))


def _pair(provider: str) -> tuple[str, str]:
    name, _, realm = provider.partition("@")
    return name, realm
