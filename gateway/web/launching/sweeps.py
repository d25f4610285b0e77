"""`/v1/sweeps`: what is found in the realms and wanted by nobody; the next sweep, right now."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import SweepNow
from gateway.domain.kernel.ids import sweep_id
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import Realm, Sweep, Unwanted
from gateway.web.context import Context, context_of
from gateway.web.http.auth import OPS, authorize
from gateway.web.http.replies import reply
from gateway.wire.operations import SweepsView, SweepView, UnwantedView
from gateway.wire.times import maybe_rfc3339, rfc3339

MOST_REALMS: Final = 200


async def show(request: Request) -> Response:
    """`GET /v1/sweeps`."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    return reply(await _sweeps(context, await context.reads.sweeps(MOST_REALMS)))


async def begin(request: Request) -> Response:
    """`POST /v1/sweeps`; again it asks for nothing more."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    found = await context.reads.sweeps(MOST_REALMS)
    await context.ask(SweepNow(realms=tuple(realm.key for realm, _ in found)), Accepted)
    return reply(await _sweeps(context, found), 202)


async def _sweeps(context: Context, found: list[tuple[Realm, Sweep | None]]) -> SweepsView:
    now = context.clock()
    asked = SweepNow(realms=tuple(realm.key for realm, _ in found))
    jobs = (await context.reads.unit_of_work([asked.needs], context.policy, now)).jobs
    return SweepsView(
        data=tuple(
            _sweep(realm, sweep, jobs.get(sweep_id(*realm.key)), now) for realm, sweep in found
        )
    )


def _sweep(realm: Realm, sweep: Sweep | None, job: Job | None, now: int) -> SweepView:
    is_waiting = job is not None and job.is_free
    return SweepView(
        provider=realm.provider,
        realm=realm.realm,
        project=realm.project or None,
        live=realm.is_live(now),
        swept_at=maybe_rfc3339(sweep.at if sweep else None),
        next_at=rfc3339(max(job.not_before, now)) if job is not None and is_waiting else None,
        seen=sweep.seen if sweep else 0,
        unwanted=sweep.unwanted if sweep else 0,
        sandboxes=tuple(map(_unwanted, sweep.told)) if sweep else (),
    )


def _unwanted(found: Unwanted) -> UnwantedView:
    return UnwantedView(
        id=found.id,
        name=found.name,
        state=found.state,
        task_id=found.task_id,
        attempt=found.attempt,
        created_at=maybe_rfc3339(found.created_at),
        outcome=found.outcome,
        reason=found.reason,
    )
