"""Health, readiness, metrics, and the OpenAPI document."""

import asyncio
from functools import partial
from typing import Final

from starlette.responses import PlainTextResponse, Response

from gateway.domain.kernel.errors import Unavailable
from gateway.metrics.registry import MEDIA_TYPE
from gateway.web.http.access import METRICS, OPEN
from gateway.web.http.call import Call
from gateway.web.http.operation import Answer, Content, Operation, answer
from gateway.wire.message import JSONObject

READY_SECONDS: Final = 0.8
"""Probes give up after a second or two, and learn nothing."""
_OK: Final = (Content(kind=str, example="ok\n", media_type="text/plain"),)
_METRICS: Final = Content(
    kind=str, example='slipgate_tasks{status="running"} 3.0\n', media_type=MEDIA_TYPE
)
operation: Final = partial(Operation, tag="Operations")


@operation(
    id="checkHealth",
    summary="Whether the process and its loops move",
    description="For the liveness probe of a platform: it is answered whatever else is full.",
    access=OPEN,
    answers=(Answer(meaning="They move.", content=_OK),),
)
async def healthz(call: Call[None]) -> Response:
    if call.context.is_healthy():
        return PlainTextResponse("ok\n")
    raise Unavailable("A loop of the gateway has stopped.")


@operation(
    id="checkReadiness",
    summary="Whether the store commits; not so while draining",
    description="A second line, `logDropped: n`, says how many lines of the log were lost.",
    access=OPEN,
    answers=(Answer(meaning="It commits.", content=_OK),),
)
async def readyz(call: Call[None]) -> Response:
    context = call.context
    if context.is_draining():
        raise Unavailable("The gateway is stopping.")
    try:
        async with asyncio.timeout(READY_SECONDS):
            await context.commits()
    except TimeoutError as exc:
        raise Unavailable("The store does not commit just now.") from exc
    dropped = context.log_dropped()
    return PlainTextResponse(f"ok\nlogDropped: {dropped}\n" if dropped else "ok\n")


@operation(
    id="readMetrics",
    summary="Metrics for Prometheus",
    description=(
        "The text form of version 0.0.4; alerts and a dashboard for them are in `gateway/ops`."
    ),
    access=METRICS,
    answers=(Answer(meaning="Prometheus' text form.", content=(_METRICS,)),),
)
async def metrics(call: Call[None]) -> Response:
    text = call.context.metrics.render(await call.context.stats())
    return Response(text, media_type=MEDIA_TYPE)


@operation(
    id="readOpenAPI",
    summary="This document",
    description=(
        "Made of the same message types that the routes decode and encode; a test holds every "
        "answer against it."
    ),
    access=OPEN,
    answers=(answer(JSONObject, "OpenAPI 3.1.", example="readOpenAPI"),),
)
async def openapi(call: Call[None]) -> Response:
    return Response(call.request.app.openapi, media_type="application/json")
