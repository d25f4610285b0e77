"""`/v1/sweeps`: the orphan sandboxes of each realm, and a sweep right now."""

from functools import partial
from typing import Final

from starlette.responses import Response

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.commands import SweepNow
from gateway.domain.kernel.ids import sweep_id
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import Realm, Sweep
from gateway.web.context import Context
from gateway.web.convert import convert
from gateway.web.http.access import OPS
from gateway.web.http.call import Call
from gateway.web.http.operation import Operation, answer
from gateway.web.http.replies import reply
from gateway.wire.operations import SweepsView, SweepView, UnwantedView
from gateway.wire.times import maybe_rfc3339, rfc3339

MOST_REALMS: Final = 200
operation: Final = partial(Operation, tag="Operations", access=OPS)


@operation(
    id="listSweeps",
    summary="What the newest sweep of each realm has found",
    description=(
        "Each realm that is served, with what its last sweep has found: sandboxes with our "
        "label that no task wants."
    ),
    answers=(answer(SweepsView, "The realms that are served."),),
)
async def show(call: Call[None]) -> Response:
    context = call.context
    return reply(await _sweeps(context, await context.reads.sweeps(MOST_REALMS)))


@operation(
    id="sweepNow",
    summary="Have every realm that is served swept now",
    description="A launcher of each does it; `sweptAt` says when it is done.",
    answers=(answer(SweepsView, "What was found last, before that.", status=202),),
)
async def begin(call: Call[None]) -> Response:
    found = await call.context.reads.sweeps(MOST_REALMS)
    await call.ask(SweepNow(realms=tuple(realm.key for realm, _ in found)), Accepted)
    return reply(await _sweeps(call.context, found), 202)


async def _sweeps(context: Context, found: list[tuple[Realm, Sweep | None]]) -> SweepsView:
    now = context.clock()
    needs = SweepNow(realms=tuple(realm.key for realm, _ in found)).needs
    jobs = (await context.reads.unit_of_work([needs], context.policy, now)).jobs
    jobs_of = ((realm, sweep, jobs.get(sweep_id(*realm.key))) for realm, sweep in found)
    return SweepsView(data=tuple(_sweep(*each, now) for each in jobs_of))


def _sweep(realm: Realm, sweep: Sweep | None, job: Job | None, now: int) -> SweepView:
    is_waiting = job is not None and job.is_free
    return convert(
        SweepView,
        realm,
        project=realm.project or None,
        live=realm.is_live(now),
        swept_at=maybe_rfc3339(sweep.at if sweep else None),
        next_at=rfc3339(max(job.not_before, now)) if job is not None and is_waiting else None,
        seen=sweep.seen if sweep else 0,
        unwanted=sweep.unwanted if sweep else 0,
        sandboxes=tuple(convert(UnwantedView, each) for each in sweep.sandboxes) if sweep else (),
    )
