"""For operators and their machines: health, readiness, metrics."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.domain.kernel.errors import Unavailable
from gateway.metrics import MEDIA_TYPE
from gateway.web.context import context_of
from gateway.web.http.auth import METRICS, authorize

READY_SECONDS: Final = 0.8
"""Whoever asks gives up after a second or two, and learns nothing."""


async def healthz(request: Request) -> Response:
    """The process and its loops move."""
    if context_of(request).is_healthy():
        return PlainTextResponse("ok\n")
    raise Unavailable("A loop of the gateway has stopped.")


async def readyz(request: Request) -> Response:
    """The store commits; not so while draining. Who cannot write a log is ready, and says so."""
    context = context_of(request)
    if context.is_draining():
        raise Unavailable("The gateway is stopping.")
    try:
        async with asyncio.timeout(READY_SECONDS):
            await context.commits()
    except TimeoutError as exc:
        raise Unavailable("The store does not commit just now.") from exc
    dropped = context.log_dropped()
    return PlainTextResponse(f"ok\nlogDropped: {dropped}\n" if dropped else "ok\n")


async def metrics(request: Request) -> Response:
    """Prometheus."""
    context = context_of(request)
    await authorize(request, context.keys, METRICS)
    text = context.metrics.render(await context.stats())
    return Response(text, media_type=MEDIA_TYPE)
