"""`/dashboard/health`: the gateway itself: its queue, its loops, its database, its version."""

from collections.abc import Mapping
from importlib.metadata import version

from gateway.web.dashboard.page import Page, Visit
from gateway.web.operations import health, reconcile


@Page(template="health.html")
async def show(visit: Visit) -> Mapping[str, object]:
    context = visit.context
    visit.api.check(health.metrics)
    stats = await context.stats()
    return {
        "stats": stats,
        "is_healthy": context.is_healthy(),
        "is_draining": context.is_draining(),
        "commit_age": context.metrics.seconds_since_commit,
        "version": version("slipgate"),
        "instance": context.instance_id,
        "due": await visit.api.read(reconcile.show) if visit.session.is_ops else None,
    }
