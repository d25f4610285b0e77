"""`/dashboard/feed`: the events of the project as a stream, by the session's cookie."""

from starlette.responses import Response

from gateway.web.dashboard.page import Visit, stream
from gateway.web.tasks import events


@stream
async def of_project(visit: Visit) -> Response:
    return await visit.api.open(events.of_project, {"after": visit.query.get("after", "0")})


@stream
async def of_task(visit: Visit) -> Response:
    query = {"after": visit.query.get("after", "0")}
    return await visit.api.open(events.of_task, query, task_id=visit.path["task_id"])
