"""What documents the routes for operators and their machines."""

from typing import Final

from gateway.metrics import MEDIA_TYPE
from gateway.web.openapi import access
from gateway.web.openapi.operation import Answer, Content, Operation, answer
from gateway.wire.message import JSONObject

_TAG: Final = "Operations"
_OK: Final = Content(kind=str, example="ok\n", media_type="text/plain")

HEALTHZ: Final = Operation(
    id="checkHealth",
    tag=_TAG,
    summary="Whether the process and its loops move",
    access=access.OPEN,
    answers=(Answer(meaning="They move.", content=(_OK,)),),
)
READYZ: Final = Operation(
    id="checkReadiness",
    tag=_TAG,
    summary="Whether the store commits; not so while draining",
    access=access.OPEN,
    answers=(Answer(meaning="It commits.", content=(_OK,)),),
)
METRICS: Final = Operation(
    id="readMetrics",
    tag=_TAG,
    summary="Metrics for Prometheus",
    access=access.METRICS,
    answers=(
        Answer(
            meaning="Prometheus' text form.",
            content=(
                Content(
                    kind=str,
                    example='slipgate_tasks{status="running"} 3.0\n',
                    media_type=MEDIA_TYPE,
                ),
            ),
        ),
    ),
)
OPENAPI: Final = Operation(
    id="readOpenAPI",
    tag=_TAG,
    summary="This document",
    access=access.OPEN,
    answers=(answer(JSONObject, {"openapi": "3.1.0", "info": {}, "paths": {}}, "OpenAPI 3.1."),),
)
