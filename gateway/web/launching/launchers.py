"""Launchers, their last call and the jobs they hold; the identity of the gateway for them."""

from importlib.metadata import version
from typing import Final

from starlette.responses import Response

from gateway.domain.launching.job import Job
from gateway.domain.launching.launcher import LauncherCall, LauncherMode
from gateway.domain.launching.launcher_mode import LauncherReply, SetLauncherMode
from gateway.domain.launching.realm import LIVE_FOR
from gateway.web.convert import convert
from gateway.web.http.access import LAUNCHER, OPS
from gateway.web.http.call import Call
from gateway.web.http.cursors import CURSOR, LIMIT, keyset_page
from gateway.web.http.operation import Body, Handled, Operation, answer
from gateway.web.http.replies import reply
from gateway.wire.launcher import GatewayView, WarningView
from gateway.wire.operations import HeldJobView, LauncherOrder, LauncherView
from gateway.wire.tasks import Page
from gateway.wire.times import maybe_rfc3339, rfc3339

VERSION: Final = version("slipgate")


@Operation(
    id="showGateway",
    tag="Launchers",
    summary="Who this gateway is",
    description="For whoever sets up a launcher: it changes nothing, and is no call of a launcher.",
    access=LAUNCHER,
    answers=(answer(GatewayView, "What launchers have to know of it."),),
)
async def identity(call: Call[None]) -> Response:
    warnings = tuple(convert(WarningView, danger) for danger in call.context.dangers)
    return reply(convert(GatewayView, call.context, version=VERSION, warnings=warnings))


@Operation(
    id="listLaunchers",
    tag="Operations",
    summary="List launchers, the one that called last first",
    description="Those that called within a day, with the jobs they hold.",
    access=OPS,
    query=(LIMIT, CURSOR),
    answers=(answer(Page[LauncherView], "A page of launchers."),),
    errors=("invalid_cursor",),
)
async def page(call: Call[None]) -> Response:
    reads, now = call.context.reads, call.context.clock()
    found = await keyset_page(
        call,
        b"launchers",
        lambda start, limit: reads.launchers_before(*start, limit),
        position=lambda row: (row[0].at, row[0].launcher_id),
        view=lambda row: _launcher(*row, now),
    )
    return reply(found)


def _decides(verb: str, mode: LauncherMode, *, summary: str, description: str) -> Handled:
    """The operation that gives a launcher this mode."""

    @Operation(
        id=f"{verb}Launcher",
        tag="Operations",
        summary=summary,
        description=f"{description} Idempotent.",
        access=OPS,
        body=Body(kind=LauncherOrder),
        answers=(answer(LauncherView, "The launcher as it now stands."),),
        errors=("not_found",),
    )
    async def decide(call: Call[LauncherOrder]) -> Response:
        command = SetLauncherMode(
            launcher_id=call.path["launcher_id"],
            mode=mode,
            reason=call.body.reason,
        )
        found = await call.ask(command, LauncherReply)
        return reply(_launcher(found.launcher, list(found.jobs), call.context.clock()))

    return decide


drain: Final = _decides(
    "drain",
    "drained",
    summary="Give a launcher no new create jobs",
    description="It finishes what it holds, and goes on to inspect and destroy.",
)
resume: Final = _decides(
    "resume",
    "working",
    summary="Let a drained or revoked launcher work again",
    description="It gets jobs at once, also under a claim that waits.",
)
revoke: Final = _decides(
    "revoke",
    "revoked",
    summary="Take a launcher's jobs away and refuse its calls",
    description="Its leases end at once, and other launchers go on with its jobs. A process that "
    "is started anew has another id: revoke its key too if it is not to be trusted.",
)


def _launcher(launcher: LauncherCall, held: list[Job], now: int) -> LauncherView:
    named = (f"{name}@{realm}" if realm else name for name, realm in launcher.providers)
    return convert(
        LauncherView,
        launcher,
        id=launcher.launcher_id,
        providers=tuple(named),
        project=launcher.project or None,
        last_called_at=rfc3339(launcher.at),
        live=now - launcher.at < LIVE_FOR,
        mode_since=maybe_rfc3339(launcher.mode_since),
        jobs=tuple(
            convert(HeldJobView, job, lease_expires_at=rfc3339(job.lease_expires_at or now))
            for job in held
        ),
    )
