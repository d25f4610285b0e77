"""For operators and their machines: health, readiness, metrics."""

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from prometheus_client.process_collector import ProcessCollector
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.domain.commands import Pulse
from gateway.domain.errors import Unavailable
from gateway.domain.task import Status
from gateway.web.auth import METRICS, authorize
from gateway.web.context import context_of

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
TASKS: Final = Gauge("slipgate_tasks", "Tasks by state.", ["status"], registry=REGISTRY)


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
    await context.submit(Pulse(at=context.clock()))
    return PlainTextResponse("ok\n")


async def metrics(request: Request) -> Response:
    """Prometheus."""
    context = context_of(request)
    await authorize(request, context.keys, METRICS)
    counts = await context.reads.counts()
    for status in Status:
        TASKS.labels(status.value).set(counts.get(status, 0))
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)
