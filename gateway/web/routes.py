"""Every route with what documents it, and everything around them."""

from collections.abc import Awaitable, Callable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.web.agents import agent, agent_docs, capability_url
from gateway.web.context import Context
from gateway.web.deliveries import (
    deliveries,
    endpoint_docs,
    endpoint_secrets,
    endpoints,
    replays,
)
from gateway.web.http.browsers import METHODS, BrowserHandler
from gateway.web.http.handler import SourceHandler
from gateway.web.http.middleware import Application, Handler
from gateway.web.http.operation import Operation
from gateway.web.launching import (
    identity,
    launcher_docs,
    launchers,
    protocol,
    sweeps,
)
from gateway.web.openapi import handler
from gateway.web.operations import docs_pages, health, operator_docs, reconcile
from gateway.web.sources import daytona, github, source_docs, workspace, workspace_docs
from gateway.web.tasks import (
    event_docs,
    events,
    explain,
    result_docs,
    results,
    stream_tokens,
    task_docs,
    tasks,
)


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
    _source("agent", "/v1/webhooks/agent", agent.hear, agent_docs.HEAR),
    _route("POST", "/v1/tasks", tasks.create, task_docs.CREATE),
    _route("GET", "/v1/tasks", tasks.page, task_docs.LIST),
    _shared("/v1/tasks/{task_id}", tasks.show, task_docs.SHOW),
    _route("GET", "/v1/tasks/{task_id}/explain", explain.show, task_docs.EXPLAIN),
    _route("POST", "/v1/tasks/{task_id}/cancel", tasks.cancel, task_docs.CANCEL),
    _route("POST", "/v1/tasks/{task_id}/retry", tasks.retry, task_docs.RETRY),
    _route(
        "POST",
        "/v1/tasks/{task_id}/attempts/{attempt}/release",
        tasks.release,
        task_docs.RELEASE,
    ),
    _shared("/v1/tasks/{task_id}/events", events.of_task, event_docs.OF_TASK),
    _shared("/v1/tasks/{task_id}/logs", results.logs, result_docs.LOGS),
    _shared("/v1/tasks/{task_id}/patch", results.patch, result_docs.PATCH),
    _route("POST", "/v1/tasks/{task_id}/stream-token", stream_tokens.issue, task_docs.STREAM_TOKEN),
    _route("GET", "/v1/events", events.of_project, event_docs.OF_PROJECT),
    _route("GET", "/v1/agent/prompt", agent.prompt, agent_docs.PROMPT),
    _route("GET", "/v1/agent/patch", agent.patch, agent_docs.PATCH),
    _source("hook", "/v1/hooks/{task_id}/{token}", capability_url.hear, agent_docs.HOOK),
    _source("daytona", "/v1/webhooks/daytona", daytona.hear, source_docs.DAYTONA),
    _source("github", "/v1/webhooks/github", github.hear, source_docs.GITHUB),
    _route("GET", "/v1/launcher", identity.show, launcher_docs.IDENTITY),
    _route("POST", "/v1/launcher/claim", protocol.claim, launcher_docs.CLAIM),
    _route("POST", f"{_JOB}/renew", protocol.renew, launcher_docs.RENEW),
    _route("POST", f"{_JOB}/trying", protocol.trying, launcher_docs.TRYING),
    _route("POST", f"{_JOB}/created", protocol.created, launcher_docs.CREATED),
    _route("POST", f"{_JOB}/done", protocol.done, launcher_docs.DONE),
    _route("POST", f"{_JOB}/failed", protocol.failed, launcher_docs.FAILED),
    _route("POST", f"{_JOB}/delegate", protocol.delegate, launcher_docs.DELEGATE),
    _route("POST", f"{_JOB}/patch", protocol.patch, launcher_docs.PATCH),
    _route("POST", "/v1/launcher/ended", protocol.ended, launcher_docs.ENDED),
    _route("POST", "/v1/endpoints", endpoints.create, endpoint_docs.CREATE),
    _route("GET", "/v1/endpoints", endpoints.page, endpoint_docs.LIST),
    _route("GET", _ENDPOINT, endpoints.show, endpoint_docs.SHOW),
    _route("PATCH", _ENDPOINT, endpoints.update, endpoint_docs.UPDATE),
    _route("DELETE", _ENDPOINT, endpoints.delete, endpoint_docs.DELETE),
    _route("POST", f"{_ENDPOINT}/enable", endpoints.enable, endpoint_docs.ENABLE),
    _route("POST", f"{_ENDPOINT}/disable", endpoints.disable, endpoint_docs.DISABLE),
    _route("POST", f"{_ENDPOINT}/rotate-secret", endpoint_secrets.rotate, endpoint_docs.ROTATE),
    _route("POST", f"{_ENDPOINT}/test", endpoint_secrets.test, endpoint_docs.TEST),
    _route("POST", f"{_ENDPOINT}/replay", replays.start, endpoint_docs.REPLAY),
    _route("GET", "/v1/replays/{replay_id}", replays.show, endpoint_docs.SHOW_REPLAY),
    _route("GET", "/v1/deliveries", deliveries.page, endpoint_docs.DELIVERIES),
    _route("GET", "/v1/deliveries/{delivery_id}", deliveries.show, endpoint_docs.DELIVERY_SHOWN),
    _route("POST", "/v1/deliveries/{delivery_id}/retry", deliveries.retry, endpoint_docs.RETRY),
    _route("POST", "/workspace", workspace.create, workspace_docs.CREATE),
    _route("GET", "/workspace", workspace.page, workspace_docs.LIST),
    _route("GET", "/workspace/{workspace_id}", workspace.show, workspace_docs.SHOW),
    _route("DELETE", "/workspace/{workspace_id}", workspace.stop, workspace_docs.DELETE),
    _route("POST", "/workspace/{workspace_id}/stop", workspace.stop, workspace_docs.STOP),
    _route("GET", "/v1/launchers", launchers.page, operator_docs.LAUNCHERS),
    _route("GET", "/v1/sweeps", sweeps.show, operator_docs.SWEEPS),
    _route("POST", "/v1/sweeps", sweeps.begin, operator_docs.SWEEP_NOW),
    _route("GET", "/v1/reconcile", reconcile.show, operator_docs.RECONCILE),
    _route("GET", "/healthz", health.healthz, operator_docs.HEALTHZ),
    _route("GET", "/readyz", health.readyz, operator_docs.READYZ),
    _route("GET", "/openapi.json", handler.show, operator_docs.OPENAPI),
    _route("GET", "/docs", docs_pages.index, docs_pages.INDEX),
    _route("GET", "/docs/{page}", docs_pages.page, docs_pages.PAGE),
    _route("GET", "/metrics", health.metrics, operator_docs.METRICS),
]


def application(context: Context) -> Application:
    """The application on these collaborators."""
    return Application(context, ROUTES)
