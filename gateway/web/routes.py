"""Every route with what documents it, and everything around them."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.web import (
    deliveries,
    docs,
    docs_pages,
    endpoint_secrets,
    endpoints,
    events,
    explain,
    identity,
    launcher,
    launchers,
    operations,
    reconcile,
    replays,
    results,
    stream_tokens,
    sweeps,
    tasks,
    workspace,
)
from gateway.web.browsers import METHODS, BrowserHandler
from gateway.web.context import Context
from gateway.web.middleware import Application, Handler
from gateway.web.openapi import handler
from gateway.web.openapi.operation import Operation
from gateway.web.sources import agent, daytona, github, hooks
from gateway.web.sources.handler import SourceHandler


def _route(
    method: str,
    path: str,
    handle: Callable[[Request], Awaitable[Response]],
    operation: Operation,
) -> Route:
    return Route(path, Handler(handle, operation), methods=[method])


def _source(
    name: str,
    path: str,
    hear: Callable[[Request], Awaitable[Response]],
    operation: Operation,
) -> Route:
    """Webhooks in."""
    return Route(path, SourceHandler(name, hear, operation), methods=["POST"])


def _shared(
    path: str, handle: Callable[[Request], Awaitable[Response]], operation: Operation
) -> Route:
    """A read that a stream token opens too."""
    return Route(path, BrowserHandler(handle, operation), methods=METHODS)


_ENDPOINT: Final = "/v1/endpoints/{endpoint_id}"
_JOB: Final = "/v1/launcher/jobs/{job_id}"

ROUTES = [
    # Looked through from the top: what comes most often stands first.
    _source("agent", "/v1/webhooks/agent", agent.hear, docs.agents.HEAR),
    _route("POST", "/v1/tasks", tasks.create, docs.tasks.CREATE),
    _route("GET", "/v1/tasks", tasks.page, docs.tasks.LIST),
    _shared("/v1/tasks/{task_id}", tasks.show, docs.tasks.SHOW),
    _route("GET", "/v1/tasks/{task_id}/explain", explain.show, docs.tasks.EXPLAIN),
    _route("POST", "/v1/tasks/{task_id}/cancel", tasks.cancel, docs.tasks.CANCEL),
    _route("POST", "/v1/tasks/{task_id}/retry", tasks.retry, docs.tasks.RETRY),
    _route(
        "POST",
        "/v1/tasks/{task_id}/attempts/{attempt}/release",
        tasks.release,
        docs.tasks.RELEASE,
    ),
    _shared("/v1/tasks/{task_id}/events", events.of_task, docs.events.OF_TASK),
    _shared("/v1/tasks/{task_id}/logs", results.logs, docs.results.LOGS),
    _shared("/v1/tasks/{task_id}/patch", results.patch, docs.results.PATCH),
    _route(
        "POST", "/v1/tasks/{task_id}/stream-token", stream_tokens.issue, docs.tasks.STREAM_TOKEN
    ),
    _route("GET", "/v1/events", events.of_project, docs.events.OF_PROJECT),
    _route("GET", "/v1/agent/prompt", agent.prompt, docs.agents.PROMPT),
    _route("GET", "/v1/agent/patch", agent.patch, docs.agents.PATCH),
    _source("hook", "/v1/hooks/{task_id}/{token}", hooks.hear, docs.agents.HOOK),
    _source("daytona", "/v1/webhooks/daytona", daytona.hear, docs.sources.DAYTONA),
    _source("github", "/v1/webhooks/github", github.hear, docs.sources.GITHUB),
    _route("GET", "/v1/launcher", identity.show, docs.launchers.IDENTITY),
    _route("POST", "/v1/launcher/claim", launcher.claim, docs.launchers.CLAIM),
    _route("POST", f"{_JOB}/renew", launcher.renew, docs.launchers.RENEW),
    _route("POST", f"{_JOB}/trying", launcher.trying, docs.launchers.TRYING),
    _route("POST", f"{_JOB}/created", launcher.created, docs.launchers.CREATED),
    _route("POST", f"{_JOB}/done", launcher.done, docs.launchers.DONE),
    _route("POST", f"{_JOB}/failed", launcher.failed, docs.launchers.FAILED),
    _route("POST", f"{_JOB}/delegate", launcher.delegate, docs.launchers.DELEGATE),
    _route("POST", f"{_JOB}/patch", launcher.patch, docs.launchers.PATCH),
    _route("POST", "/v1/launcher/ended", launcher.ended, docs.launchers.ENDED),
    _route("POST", "/v1/endpoints", endpoints.create, docs.endpoints.CREATE),
    _route("GET", "/v1/endpoints", endpoints.page, docs.endpoints.LIST),
    _route("GET", _ENDPOINT, endpoints.show, docs.endpoints.SHOW),
    _route("PATCH", _ENDPOINT, endpoints.update, docs.endpoints.UPDATE),
    _route("DELETE", _ENDPOINT, endpoints.delete, docs.endpoints.DELETE),
    _route("POST", f"{_ENDPOINT}/enable", endpoints.enable, docs.endpoints.ENABLE),
    _route("POST", f"{_ENDPOINT}/disable", endpoints.disable, docs.endpoints.DISABLE),
    _route("POST", f"{_ENDPOINT}/rotate-secret", endpoint_secrets.rotate, docs.endpoints.ROTATE),
    _route("POST", f"{_ENDPOINT}/test", endpoint_secrets.test, docs.endpoints.TEST),
    _route("POST", f"{_ENDPOINT}/replay", replays.start, docs.endpoints.REPLAY),
    _route("GET", "/v1/replays/{replay_id}", replays.show, docs.endpoints.SHOW_REPLAY),
    _route("GET", "/v1/deliveries", deliveries.page, docs.endpoints.DELIVERIES),
    _route("GET", "/v1/deliveries/{delivery_id}", deliveries.show, docs.endpoints.DELIVERY_SHOWN),
    _route("POST", "/v1/deliveries/{delivery_id}/retry", deliveries.retry, docs.endpoints.RETRY),
    _route("POST", "/workspace", workspace.create, docs.workspaces.CREATE),
    _route("GET", "/workspace", workspace.page, docs.workspaces.LIST),
    _route("GET", "/workspace/{workspace_id}", workspace.show, docs.workspaces.SHOW),
    _route("DELETE", "/workspace/{workspace_id}", workspace.stop, docs.workspaces.DELETE),
    _route("POST", "/workspace/{workspace_id}/stop", workspace.stop, docs.workspaces.STOP),
    _route("GET", "/v1/launchers", launchers.page, docs.operators.LAUNCHERS),
    _route("GET", "/v1/sweeps", sweeps.show, docs.operators.SWEEPS),
    _route("POST", "/v1/sweeps", sweeps.begin, docs.operators.SWEEP_NOW),
    _route("GET", "/v1/reconcile", reconcile.show, docs.operators.RECONCILE),
    _route("GET", "/healthz", operations.healthz, docs.operators.HEALTHZ),
    _route("GET", "/readyz", operations.readyz, docs.operators.READYZ),
    _route("GET", "/openapi.json", handler.show, docs.operators.OPENAPI),
    _route("GET", "/docs", docs_pages.index, docs_pages.INDEX),
    _route("GET", "/docs/{page}", docs_pages.page, docs_pages.PAGE),
    _route("GET", "/metrics", operations.metrics, docs.operators.METRICS),
]


def application(context: Context) -> Application:
    """The application on these collaborators."""
    return Application(context, ROUTES)
