"""Every route, and everything around them."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.web import agent, events, hooks, launcher, operations, results, tasks
from gateway.web.context import Context
from gateway.web.middleware import Application, Handler


def _route(method: str, path: str, handle: Callable[[Request], Awaitable[Response]]) -> Route:
    return Route(path, Handler(handle), methods=[method])


ROUTES = [
    # Looked through from the top: what comes most often stands first.
    _route("POST", "/v1/webhooks/agent", agent.hear),
    _route("POST", "/v1/tasks", tasks.create),
    _route("GET", "/v1/tasks", tasks.page),
    _route("GET", "/v1/tasks/{task_id}", tasks.show),
    _route("POST", "/v1/tasks/{task_id}/cancel", tasks.cancel),
    _route("POST", "/v1/tasks/{task_id}/retry", tasks.retry),
    _route("GET", "/v1/tasks/{task_id}/events", events.of_task),
    _route("GET", "/v1/tasks/{task_id}/logs", results.logs),
    _route("GET", "/v1/tasks/{task_id}/patch", results.patch),
    _route("GET", "/v1/events", events.of_project),
    _route("GET", "/v1/agent/prompt", agent.prompt),
    _route("POST", "/v1/hooks/{task_id}/{token}", hooks.hear),
    _route("POST", "/v1/launcher/claim", launcher.claim),
    _route("POST", "/v1/launcher/jobs/{job_id}/renew", launcher.renew),
    _route("POST", "/v1/launcher/jobs/{job_id}/trying", launcher.trying),
    _route("POST", "/v1/launcher/jobs/{job_id}/created", launcher.created),
    _route("POST", "/v1/launcher/jobs/{job_id}/done", launcher.done),
    _route("POST", "/v1/launcher/jobs/{job_id}/failed", launcher.failed),
    _route("POST", "/v1/launcher/jobs/{job_id}/delegate", launcher.delegate),
    _route("GET", "/healthz", operations.healthz),
    _route("GET", "/readyz", operations.readyz),
    _route("GET", "/metrics", operations.metrics),
]


def application(context: Context) -> Application:
    """The application on these collaborators."""
    return Application(context, ROUTES)
