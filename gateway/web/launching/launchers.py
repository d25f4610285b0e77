"""`GET /v1/launchers`: who runs sandboxes, whether it is live, and what it holds."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.kernel.unit_of_work import LauncherCall
from gateway.domain.launching.job import Job
from gateway.domain.launching.realm import LIVE_FOR
from gateway.web.context import Context, context_of
from gateway.web.http.auth import OPS, authorize
from gateway.web.http.cursors import opened_place, sealed_place
from gateway.web.http.query import known_only
from gateway.web.http.replies import reply
from gateway.web.tasks.filters import CURSOR, LIMIT
from gateway.wire.operations import HeldJobView, LauncherView
from gateway.wire.tasks import Page
from gateway.wire.times import rfc3339

PARAMETERS: Final = (LIMIT, CURSOR)
_LIST: Final = b"launchers"
_FIRST: Final = (2**62, "")
"""Behind no call: where the list begins."""


async def page(request: Request) -> Response:
    """`GET /v1/launchers`, the one that called last first."""
    context = context_of(request)
    await authorize(request, context.keys, OPS)
    known_only(request, PARAMETERS)
    limit = LIMIT.of(request)
    at, name = _place(context, CURSOR.of(request))
    found = await context.reads.launchers_before(at, name, limit + 1)
    now = context.clock()
    following = _cursor(context, found[limit - 1][0]) if len(found) > limit else None
    data = tuple(_launcher(call, held, now) for call, held in found[:limit])
    return reply(Page[LauncherView](data=data, next_cursor=following))


def _place(context: Context, cursor: str | None) -> tuple[int, str]:
    if cursor is None:
        return _FIRST
    at, _, name = opened_place(context.keyring, _LIST, cursor).partition(" ")
    return int(at), name


def _cursor(context: Context, call: LauncherCall) -> str:
    return sealed_place(context.keyring, _LIST, f"{call.at} {call.launcher_id}")


def _launcher(call: LauncherCall, held: list[Job], now: int) -> LauncherView:
    return LauncherView(
        id=call.launcher_id,
        providers=tuple(f"{name}@{realm}" if realm else name for name, realm in call.providers),
        project=call.project or None,
        capacity=call.capacity,
        version=call.version,
        last_called_at=rfc3339(call.at),
        live=now - call.at < LIVE_FOR,
        jobs=tuple(
            HeldJobView(
                id=job.id,
                kind=job.kind,
                task_id=job.task_id,
                attempt=job.attempt,
                lease_expires_at=rfc3339(job.lease_expires_at or now),
            )
            for job in held
        ),
    )
