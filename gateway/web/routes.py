"""Every route, and everything around them."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from gateway.domain.errors import Refused
from gateway.web import agent, events, hooks, launcher, operations, results, tasks
from gateway.web.context import Context
from gateway.web.middleware import Requests
from gateway.web.problems import http_error, refused
from gateway.wire.decode import WrongShape

ROUTES = [
    # Looked through from the top: what comes most often stands first.
    Route("/v1/webhooks/agent", agent.hear, methods=["POST"]),
    Route("/v1/tasks", tasks.create, methods=["POST"]),
    Route("/v1/tasks", tasks.page, methods=["GET"]),
    Route("/v1/tasks/{task_id}", tasks.show, methods=["GET"]),
    Route("/v1/tasks/{task_id}/cancel", tasks.cancel, methods=["POST"]),
    Route("/v1/tasks/{task_id}/retry", tasks.retry, methods=["POST"]),
    Route("/v1/tasks/{task_id}/events", events.of_task, methods=["GET"]),
    Route("/v1/tasks/{task_id}/logs", results.logs, methods=["GET"]),
    Route("/v1/tasks/{task_id}/patch", results.patch, methods=["GET"]),
    Route("/v1/events", events.of_project, methods=["GET"]),
    Route("/v1/agent/prompt", agent.prompt, methods=["GET"]),
    Route("/v1/hooks/{task_id}/{token}", hooks.hear, methods=["POST"]),
    Route("/v1/launcher/claim", launcher.claim, methods=["POST"]),
    Route("/v1/launcher/jobs/{job_id}/renew", launcher.renew, methods=["POST"]),
    Route("/v1/launcher/jobs/{job_id}/trying", launcher.trying, methods=["POST"]),
    Route("/v1/launcher/jobs/{job_id}/created", launcher.created, methods=["POST"]),
    Route("/v1/launcher/jobs/{job_id}/done", launcher.done, methods=["POST"]),
    Route("/v1/launcher/jobs/{job_id}/failed", launcher.failed, methods=["POST"]),
    Route("/v1/launcher/jobs/{job_id}/delegate", launcher.delegate, methods=["POST"]),
    Route("/healthz", operations.healthz, methods=["GET"]),
    Route("/readyz", operations.readyz, methods=["GET"]),
    Route("/metrics", operations.metrics, methods=["GET"]),
]


def application(context: Context) -> Starlette:
    """The application on these collaborators."""
    app = Starlette(
        routes=ROUTES,
        middleware=[Middleware(Requests, count=context.metrics.count_request)],
        exception_handlers={
            Refused: refused,
            WrongShape: refused,
            HTTPException: http_error,
        },
    )
    # A redirect would be answered by nobody: callers here follow none, and bodies do not travel.
    app.router.redirect_slashes = False
    app.state.context = context
    return app
