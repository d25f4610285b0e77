"""Paths and their parameters as callers see them."""

from typing import Final

import msgspec

from gateway.domain.kernel.ids import TASK_ID_PATTERN
from gateway.web.http.operation import Schema


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a path."""

    name: str
    meaning: str
    schema: Schema
    where: str = "path"


PATH_PARAMETERS: Final = {
    "task_id": Segment(
        name="taskId",
        meaning="The task's id.",
        schema={"type": "string", "pattern": f"^{TASK_ID_PATTERN}$"},
    ),
    "attempt": Segment(
        name="attempt",
        meaning="The attempt's number, from 1 on.",
        schema={"type": "integer", "minimum": 1},
    ),
    "workspace_id": Segment(
        name="workspaceId", meaning="The id of its task.", schema={"type": "string"}
    ),
    "endpoint_id": Segment(
        name="endpointId", meaning="The endpoint's id.", schema={"type": "string"}
    ),
    "delivery_id": Segment(
        name="deliveryId", meaning="The delivery's id.", schema={"type": "string"}
    ),
    "replay_id": Segment(name="replayId", meaning="The replay's id.", schema={"type": "string"}),
    "job_id": Segment(name="jobId", meaning="The job's id.", schema={"type": "string"}),
    "page": Segment(
        name="page", meaning="The name of a page that `/docs` lists.", schema={"type": "string"}
    ),
    "token": Segment(
        name="token",
        meaning="The capability: the attempt's number and a code that only its sandbox was given.",
        schema={"type": "string"},
    ),
}
"""By their names in the list of routes."""


def shown_path(path: str) -> str:
    """`/v1/tasks/{task_id}` as `/v1/tasks/{taskId}`."""
    for name, segment in PATH_PARAMETERS.items():
        path = path.replace(f"{{{name}}}", f"{{{segment.name}}}")
    return path
