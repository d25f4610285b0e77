"""`GET /v1/status`: what is wrong, since when, how many, and the command for it."""

from typing import Final

from starlette.responses import Response

from gateway.domain.launching.realm import LIVE_FOR
from gateway.domain.operations.alert import alert_id
from gateway.domain.operations.status import Problem, StatusFacts, problems
from gateway.web.convert import convert
from gateway.web.http.access import READ
from gateway.web.http.call import Call
from gateway.web.http.operation import Operation, answer
from gateway.web.http.replies import reply
from gateway.wire.launcher import WarningView
from gateway.wire.operations import ProblemView, StatusView, StripView
from gateway.wire.times import maybe_rfc3339, rfc3339


@Operation(
    id="readStatus",
    tag="Operations",
    summary="Show what is wrong, grouped by its cause",
    description="Of the key's project; of all projects with an `ops` key.",
    access=READ,
    answers=(answer(StatusView, "Problems with a command for each; none if all is well."),),
)
async def show(call: Call[None]) -> Response:
    context, now = call.context, call.context.clock()
    facts = await context.reads.status_facts(call.project, now=now, launchers_since=now - LIVE_FOR)
    found = await _problems(call, facts, now)
    view = StatusView(
        ok=not found,
        since=maybe_rfc3339(min((problem.since for problem in found), default=None)),
        problems=tuple(map(_problem, found)),
        strip=_strip(facts, now, context.gateways()),
        warnings=_warnings(call),
    )
    return reply(view)


def _warnings(call: Call[None]) -> tuple[WarningView, ...]:
    """The dangers of the place that this gateway runs in, which is none of a single project."""
    dangers = () if call.project else call.context.dangers
    return tuple(convert(WarningView, danger) for danger in dangers)


async def _problems(call: Call[None], facts: StatusFacts, now: int) -> tuple[Problem, ...]:
    """The problems; the disk is none of a single project."""
    if call.project is not None:
        return problems(facts, now, refusing=call.context.disk().refusing)
    low = (await call.context.reads.alerts()).get(alert_id("ops.disk_low"))
    since = None if low is None else low.since
    return problems(facts, now, call.context.disk(), disk_low_since=since)


def _problem(problem: Problem) -> ProblemView:
    return convert(ProblemView, problem, since=rfc3339(problem.since))


def _strip(facts: StatusFacts, now: int, gateways: int) -> StripView:
    oldest: Final = facts.oldest_due_at
    return StripView(
        queued=facts.tasks.get("queued", 0),
        launching=facts.tasks.get("launching", 0),
        running=facts.tasks.get("running", 0),
        ended_last_hour=facts.ended,
        deliveries_due=facts.due,
        oldest_due_seconds=0.0 if oldest is None else max(0, now - oldest) / 1000,
        launchers_live=facts.launchers,
        gateways_live=gateways,
    )
