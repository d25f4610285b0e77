"""For operators and their machines: health, readiness, metrics."""

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.domain.errors import Unavailable
from gateway.metrics import MEDIA_TYPE
from gateway.web.auth import METRICS, authorize
from gateway.web.context import context_of


async def healthz(request: Request) -> Response:
    """The process and its loops move."""
    if context_of(request).is_healthy():
        return PlainTextResponse("ok\n")
    raise Unavailable("A loop of the gateway has stopped.")


async def readyz(request: Request) -> Response:
    """The store commits; not so while draining."""
    context = context_of(request)
    if context.is_draining():
        raise Unavailable("The gateway is stopping.")
    await context.commits()
    return PlainTextResponse("ok\n")


async def metrics(request: Request) -> Response:
    """Prometheus."""
    context = context_of(request)
    await authorize(request, context.keys, METRICS)
    text = context.metrics.render(await context.standing())
    return Response(text, media_type=MEDIA_TYPE)
