"""What documents the routes for operators and their machines."""

from typing import Final

from msgspec import Raw

from gateway.metrics import MEDIA_TYPE
from gateway.web.http import access
from gateway.web.http.operation import Answer, Content, Operation, answer
from gateway.web.launching import launchers
from gateway.web.openapi.examples import TASK_ID
from gateway.web.operations import reconcile
from gateway.wire.message import JSONObject
from gateway.wire.operations import (
    DryRunEventView,
    DryRunJobView,
    DryRunStepView,
    DueView,
    HeldJobView,
    LauncherView,
    ReconcileView,
    SweepsView,
    SweepView,
    UnwantedView,
)
from gateway.wire.tasks import DeadlineView, Page

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
    description="A second line, `logDropped: n`, says how many lines of the log were lost.",
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
LAUNCHERS: Final = Operation(
    id="listLaunchers",
    tag=_TAG,
    summary="List launchers, the one that called last first",
    access=access.OPS,
    parameters=launchers.PARAMETERS,
    answers=(
        answer(
            Page[LauncherView],
            Page[LauncherView](
                data=(
                    LauncherView(
                        id="launcher-7f3a",
                        providers=("daytona-api@https://app.daytona.io/api#org-1", "docker@d41d8"),
                        project=None,
                        capacity=3,
                        version="0.1.0",
                        last_called_at="2026-01-01T12:00:00.000Z",
                        live=True,
                        jobs=(
                            HeldJobView(
                                id=f"job_{TASK_ID.removeprefix('task_')}-1-create",
                                kind="create",
                                task_id=TASK_ID,
                                attempt=1,
                                lease_expires_at="2026-01-01T12:01:00.000Z",
                            ),
                        ),
                    ),
                ),
                next_cursor=None,
            ),
            "A page of launchers.",
        ),
    ),
    errors=("invalid_cursor",),
)
_SWEEPS: Final = SweepsView(
    data=(
        SweepView(
            provider="daytona-api",
            realm="app.daytona.io/6a1f0e52",
            project=None,
            live=True,
            swept_at="2026-01-01T12:00:00.000Z",
            next_at="2026-01-01T12:05:00.000Z",
            seen=4,
            unwanted=1,
            sandboxes=(
                UnwantedView(
                    id="0f4b",
                    name="slipgate-0e00800000000001a-1",
                    state="started",
                    task_id=TASK_ID,
                    attempt=1,
                    created_at="2026-01-01T11:20:00.000Z",
                    outcome="destroying",
                    reason="attempt 1 is over",
                ),
            ),
        ),
    )
)
SWEEPS: Final = Operation(
    id="listSweeps",
    tag=_TAG,
    summary="What the newest sweep of each realm has found",
    access=access.OPS,
    answers=(answer(SweepsView, _SWEEPS, "The realms that are served."),),
)
SWEEP_NOW: Final = Operation(
    id="sweepNow",
    tag=_TAG,
    summary="Have every realm that is served swept now",
    description="A launcher of each does it; `sweptAt` says when it is done.",
    access=access.OPS,
    answers=(answer(SweepsView, _SWEEPS, "What was found last, before that.", status=202),),
)
RECONCILE: Final = Operation(
    id="rehearseReconciler",
    tag=_TAG,
    summary="What the reconciler would do now, without doing it",
    description="Its own rules decide, on a copy that is thrown away.",
    access=access.OPS,
    parameters=reconcile.PARAMETERS,
    answers=(
        answer(
            ReconcileView,
            ReconcileView(
                at="2026-01-01T12:05:00.000Z",
                data=(
                    DryRunStepView(
                        task_id=TASK_ID,
                        job_id=None,
                        realm=None,
                        status="running",
                        due=(DueView(what="heartbeat", since="2026-01-01T12:04:59.000Z"),),
                        next_status="running",
                        next_deadline=DeadlineView(at="2026-01-01T12:10:00.000Z", what="heartbeat"),
                        events=(
                            DryRunEventView(
                                task_id=TASK_ID,
                                attempt=1,
                                type="task.stalled",
                                data=Raw(b'{"code": "silent", "detail": "no word for 300 s"}'),
                            ),
                        ),
                        jobs=(
                            DryRunJobView(
                                id=f"job_{TASK_ID.removeprefix('task_')}-1-inspect",
                                kind="inspect",
                                state="open",
                                not_before="2026-01-01T12:05:00.000Z",
                            ),
                        ),
                    ),
                ),
                is_whole=True,
                next_due_at="2026-01-01T12:04:59.000Z",
                outage_since=None,
            ),
            "What is due, and what would come of it.",
        ),
    ),
)
