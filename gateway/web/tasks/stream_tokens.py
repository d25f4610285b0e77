"""Stream tokens: issued to a frontend's backend, for its users' browsers."""

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.tasks.stream_token import LIFETIME, REFRESH, stream_token
from gateway.web.context import context_of
from gateway.web.http.auth import TASKS
from gateway.web.http.body import read_nothing
from gateway.web.http.replies import reply
from gateway.web.tasks.task_access import visible_task
from gateway.wire.tasks import StreamToken
from gateway.wire.times import rfc3339


async def issue(request: Request) -> Response:
    """`POST /v1/tasks/{id}/stream-token`."""
    context = context_of(request)
    task, _ = await visible_task(request, context, TASKS)
    await read_nothing(request)
    ends_at = context.clock() + LIFETIME
    token = stream_token(context.keyring, task.id, ends_at)
    base = context.public_url or str(request.base_url)
    granted = StreamToken(
        token=token,
        expires_at=rfc3339(ends_at),
        refresh_at=rfc3339(ends_at - REFRESH),
        url=f"{base.rstrip('/')}/v1/tasks/{task.id}/events?token={token}",
    )
    return reply(granted, headers={"Cache-Control": "no-store"})
