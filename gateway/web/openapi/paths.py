"""Paths and their parameters as callers see them."""

from typing import Final

from gateway.domain.kernel.ids import TASK_ID_PATTERN
from gateway.web.http.headers import Parameter, Schema


def _segment(name: str, meaning: str, **schema: object) -> Parameter:
    text: Schema = {"type": "string"}
    return Parameter(name=name, meaning=meaning, schema=schema or text, where="path")


PATH_PARAMETERS: Final = {
    "task_id": _segment("taskId", "The task's id.", type="string", pattern=f"^{TASK_ID_PATTERN}$"),
    "attempt": _segment("attempt", "The attempt's number, from 1 on.", type="integer", minimum=1),
    "workspace_id": _segment("workspaceId", "The id of its task."),
    "endpoint_id": _segment("endpointId", "The endpoint's id."),
    "event_type": _segment("eventType", "The name of the event type."),
    "delivery_id": _segment("deliveryId", "The delivery's id."),
    "launcher_id": _segment("launcherId", "The id by which the launcher claims."),
    "replay_id": _segment("replayId", "The replay's id."),
    "bulk_id": _segment("bulkId", "The bulk action's id."),
    "request_id": _segment("requestId", "The request's id."),
    "job_id": _segment("jobId", "The job's id."),
    "key_id": _segment("keyId", "The key's id."),
    "page": _segment("page", "The name of a page that `/docs` lists."),
    "token": _segment(
        "token", "The capability: the attempt's number and a code that only its sandbox was given."
    ),
}
"""By their names in the list of routes."""


def shown_path(path: str) -> str:
    """`/v1/tasks/{task_id}` as `/v1/tasks/{taskId}`."""
    for name, segment in PATH_PARAMETERS.items():
        path = path.replace(f"{{{name}}}", f"{{{segment.name}}}")
    return path
