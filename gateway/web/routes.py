"""Every route with its handler, and every page of the dashboard."""

from typing import Final

from starlette.routing import Route

from gateway.web.agents import agent, capability_url, github_token
from gateway.web.dashboard import access, feed, login, now, views
from gateway.web.dashboard import bulk as bulk_pages
from gateway.web.dashboard import deliveries as delivery_pages
from gateway.web.dashboard import endpoints as endpoint_pages
from gateway.web.dashboard import health as health_page
from gateway.web.dashboard import launchers as launcher_pages
from gateway.web.dashboard import task as task_page
from gateway.web.dashboard import tasks as task_list
from gateway.web.dashboard.home import Home
from gateway.web.dashboard.page import Shown
from gateway.web.dashboard.rendering import STATIC
from gateway.web.dashboard.static_files import FOREVER, StaticFiles
from gateway.web.deliveries import (
    deliveries,
    endpoint_secrets,
    endpoints,
    event_types,
    own_events,
    replays,
)
from gateway.web.http.handler import Handler
from gateway.web.http.operation import Handled
from gateway.web.launching import launchers, protocol, sweeps, token_requests
from gateway.web.operations import (
    audit,
    bulk,
    client,
    docs_pages,
    health,
    keys,
    reconcile,
    status,
    switches,
)
from gateway.web.portal import deliveries as portal_deliveries
from gateway.web.portal import endpoints as portal_endpoints
from gateway.web.portal import links
from gateway.web.portal import login as portal_login
from gateway.web.portal.page import Shown as PortalShown
from gateway.web.sources import daytona, github, workspace
from gateway.web.tasks import events, explain, lists, receipts, results, tasks


def _route(method: str, path: str, handled: Handled, label: str) -> Route:
    # Browsers ask with OPTIONS before they read with a stream token.
    methods = [method, "OPTIONS"] if handled.operation.access.takes_token else [method]
    return Route(path, Handler(handled, label), methods=methods)


def _shown(path: str, shown: Shown) -> Route:
    return Route(f"/dashboard{path}", shown, methods=[shown.method])


def _portal(path: str, shown: PortalShown) -> Route:
    return Route(f"/portal{path}", shown, methods=[shown.method])


_ENDPOINT: Final = "/v1/endpoints/{endpoint_id}"
_EVENT_TYPE: Final = "/v1/event-types/{event_type}"
_JOB: Final = "/v1/launcher/jobs/{job_id}"

ROUTES: Final = [
    # Searched from the top: frequent requests first. The last column is the label `route` of the
    # metrics: dashboards select by it, so it stays when a handler is renamed.
    _route("POST", "/v1/webhooks/agent", agent.receive, "agent.hear"),
    _route("POST", "/v1/tasks", tasks.create, "tasks.create"),
    _route("GET", "/v1/tasks", lists.page, "tasks.page"),
    _route("GET", "/v1/tasks/{task_id}", tasks.show, "tasks.show"),
    _route("GET", "/v1/tasks/{task_id}/explain", explain.show, "explain.show"),
    _route("POST", "/v1/tasks/{task_id}/cancel", tasks.cancel, "tasks.cancel"),
    _route("POST", "/v1/tasks/{task_id}/retry", tasks.retry, "tasks.retry"),
    _route(
        "POST", "/v1/tasks/{task_id}/attempts/{attempt}/release", tasks.release, "tasks.release"
    ),
    _route("POST", "/v1/tasks/{task_id}/purge", tasks.purge, "tasks.purge"),
    _route("GET", "/v1/tasks/{task_id}/events", events.of_task, "events.of_task"),
    _route("GET", "/v1/tasks/{task_id}/logs", results.logs, "results.logs"),
    _route("GET", "/v1/tasks/{task_id}/patch", results.patch, "results.patch"),
    _route("GET", "/v1/tasks/{task_id}/receipts", receipts.show, "receipts.show"),
    _route("GET", "/v1/tasks/{task_id}/trajectory", results.trajectory, "results.trajectory"),
    _route(
        "POST", "/v1/tasks/{task_id}/stream-token", tasks.issue_stream_token, "stream_tokens.issue"
    ),
    _route("GET", "/v1/events", events.of_project, "events.of_project"),
    _route("POST", "/v1/events", own_events.post, "own_events.post"),
    _route("POST", "/v1/events/batch", own_events.post_all, "own_events.post_all"),
    _route("GET", "/v1/event-types", event_types.page, "event_types.page"),
    _route("PUT", _EVENT_TYPE, event_types.put, "event_types.put"),
    _route("GET", _EVENT_TYPE, event_types.show, "event_types.show"),
    _route("DELETE", _EVENT_TYPE, event_types.delete, "event_types.delete"),
    _route("GET", "/v1/agent/prompt", agent.prompt, "agent.prompt"),
    _route("GET", "/v1/agent/patch", agent.patch, "agent.patch"),
    _route("GET", "/v1/agent/github-token", github_token.show, "agent.github_token"),
    _route("POST", "/v1/hooks/{task_id}/{token}", capability_url.receive, "hooks.hear"),
    _route("POST", "/v1/webhooks/daytona", daytona.receive, "daytona.hear"),
    _route("POST", "/v1/webhooks/github", github.receive, "github.hear"),
    _route("GET", "/v1/launcher", launchers.identity, "identity.show"),
    _route("POST", "/v1/launcher/claim", protocol.claim, "launcher.claim"),
    _route("POST", f"{_JOB}/renew", protocol.renew, "launcher.renew"),
    _route("POST", f"{_JOB}/trying", protocol.trying, "launcher.trying"),
    _route("POST", f"{_JOB}/created", protocol.created, "launcher.created"),
    _route("POST", f"{_JOB}/done", protocol.done, "launcher.done"),
    _route("POST", f"{_JOB}/failed", protocol.failed, "launcher.failed"),
    _route("POST", f"{_JOB}/delegate", protocol.delegate, "launcher.delegate"),
    _route("POST", f"{_JOB}/patch", protocol.patch, "launcher.patch"),
    _route("POST", "/v1/launcher/ended", protocol.ended, "launcher.ended"),
    _route("POST", "/v1/launcher/token-requests", token_requests.claim, "launcher.token_requests"),
    _route(
        "POST",
        "/v1/launcher/token-requests/{request_id}",
        token_requests.settle,
        "launcher.token_answer",
    ),
    _route("POST", "/v1/endpoints", endpoints.create, "endpoints.create"),
    _route("GET", "/v1/endpoints", endpoints.page, "endpoints.page"),
    _route("GET", _ENDPOINT, endpoints.show, "endpoints.show"),
    _route("PATCH", _ENDPOINT, endpoints.update, "endpoints.update"),
    _route("DELETE", _ENDPOINT, endpoints.delete, "endpoints.delete"),
    _route("POST", f"{_ENDPOINT}/enable", endpoints.enable, "endpoints.enable"),
    _route("POST", f"{_ENDPOINT}/disable", endpoints.disable, "endpoints.disable"),
    _route(
        "POST", f"{_ENDPOINT}/rotate-secret", endpoint_secrets.rotate, "endpoint_secrets.rotate"
    ),
    _route("POST", f"{_ENDPOINT}/test", endpoint_secrets.test, "endpoint_secrets.test"),
    _route("POST", f"{_ENDPOINT}/replay", replays.start, "replays.start"),
    _route("POST", "/v1/portal-links", links.create, "portal_links.create"),
    _route("POST", "/v1/portal-links/expire-all", links.expire_all, "portal_links.expire_all"),
    _route("GET", "/v1/replays/{replay_id}", replays.show, "replays.show"),
    _route("GET", "/v1/deliveries", deliveries.page, "deliveries.page"),
    _route("GET", "/v1/deliveries/{delivery_id}", deliveries.show, "deliveries.show"),
    _route("POST", "/v1/deliveries/{delivery_id}/retry", deliveries.retry, "deliveries.retry"),
    _route("POST", "/workspace", workspace.create, "workspace.create"),
    _route("GET", "/workspace", workspace.page, "workspace.page"),
    _route("GET", "/workspace/{workspace_id}", workspace.show, "workspace.show"),
    _route("DELETE", "/workspace/{workspace_id}", workspace.delete, "workspace.stop"),
    _route("POST", "/workspace/{workspace_id}/stop", workspace.stop, "workspace.stop"),
    _route("GET", "/v1/launchers", launchers.page, "launchers.page"),
    _route("POST", "/v1/launchers/{launcher_id}/drain", launchers.drain, "launchers.drain"),
    _route("POST", "/v1/launchers/{launcher_id}/resume", launchers.resume, "launchers.resume"),
    _route("POST", "/v1/launchers/{launcher_id}/revoke", launchers.revoke, "launchers.revoke"),
    _route("GET", "/v1/switches", switches.show, "switches.show"),
    _route("PUT", "/v1/switches", switches.change, "switches.change"),
    _route("GET", "/v1/sweeps", sweeps.show, "sweeps.show"),
    _route("POST", "/v1/sweeps", sweeps.begin, "sweeps.begin"),
    _route("POST", "/v1/keys", keys.create, "keys.create"),
    _route("GET", "/v1/keys", keys.page, "keys.page"),
    _route("POST", "/v1/keys/{key_id}/revoke", keys.revoke, "keys.revoke"),
    _route("GET", "/v1/audit", audit.page, "audit.page"),
    _route("POST", "/v1/bulk", bulk.start, "bulk.start"),
    _route("GET", "/v1/bulk", bulk.page, "bulk.page"),
    _route("GET", "/v1/bulk/{bulk_id}", bulk.show, "bulk.show"),
    _route("POST", "/v1/bulk/{bulk_id}/abort", bulk.abort, "bulk.abort"),
    _route("GET", "/v1/status", status.show, "status.show"),
    _route("GET", "/v1/reconcile", reconcile.show, "reconcile.show"),
    _route("GET", "/healthz", health.healthz, "operations.healthz"),
    _route("GET", "/readyz", health.readyz, "operations.readyz"),
    _route("GET", "/openapi.json", health.openapi, "handler.show"),
    _route("GET", "/client.ts", client.typescript, "client.typescript"),
    _route("GET", "/docs", docs_pages.index, "docs_pages.index"),
    _route("GET", "/docs/{page}", docs_pages.page, "docs_pages.page"),
    _route("GET", "/metrics", health.metrics, "operations.metrics"),
]

DASHBOARD: Final = [
    Route("/", Home(), methods=["GET"]),
    Route("/dashboard/login", login.Login(), methods=["GET", "POST"]),
    Route("/dashboard/static/{name}", StaticFiles(STATIC, FOREVER), methods=["GET"]),
    Route(
        "/docs/images/{name}",
        StaticFiles(docs_pages.IMAGES, "public, max-age=3600"),
        methods=["GET"],
    ),
    _shown("/logout", login.log_out),
    _shown("/feed", feed.of_project),
    _shown("/tasks/{task_id}/feed", feed.of_task),
    _shown("", now.show),
    _shown("/switches", now.switch),
    _shown("/tasks", task_list.show),
    _shown("/tasks/{task_id}", task_page.show),
    _shown("/tasks/{task_id}/cancel", task_page.cancel),
    _shown("/tasks/{task_id}/retry", task_page.retry),
    _shown("/tasks/{task_id}/purge", task_page.purge),
    _shown("/tasks/{task_id}/attempts/{attempt}/release", task_page.release),
    _shown("/views", views.save),
    _shown("/views/forget", views.forget),
    _shown("/bulk", bulk_pages.index),
    _shown("/bulk", bulk_pages.start),
    _shown("/bulk/preview", bulk_pages.preview),
    _shown("/bulk/{bulk_id}", bulk_pages.show),
    _shown("/bulk/{bulk_id}/abort", bulk_pages.abort),
    _shown("/launchers", launcher_pages.show),
    _shown("/launchers/{launcher_id}", launcher_pages.decide),
    _shown("/sweeps", launcher_pages.sweep),
    _shown("/endpoints", endpoint_pages.index),
    _shown("/endpoints", endpoint_pages.create),
    _shown("/endpoints/{endpoint_id}", endpoint_pages.show),
    _shown("/endpoints/{endpoint_id}/enable", endpoint_pages.enable),
    _shown("/endpoints/{endpoint_id}/disable", endpoint_pages.disable),
    _shown("/endpoints/{endpoint_id}/test", endpoint_pages.test),
    _shown("/endpoints/{endpoint_id}/rotate-secret", endpoint_pages.rotate),
    _shown("/endpoints/{endpoint_id}/replay", endpoint_pages.replay),
    _shown("/deliveries", delivery_pages.index),
    _shown("/deliveries/{delivery_id}", delivery_pages.show),
    _shown("/deliveries/{delivery_id}/retry", delivery_pages.resend),
    _shown("/access", access.show),
    _shown("/access/keys", access.create),
    _shown("/access/keys/{key_id}/revoke", access.revoke),
    _shown("/health", health_page.show),
]

PORTAL: Final = [
    Route("/portal", portal_login.Login(), methods=["GET"]),
    _portal("/leave", portal_login.leave),
    _portal("/endpoints", portal_endpoints.create),
    _portal("/endpoints/{endpoint_id}", portal_endpoints.show),
    _portal("/endpoints/{endpoint_id}/update", portal_endpoints.update),
    _portal("/endpoints/{endpoint_id}/delete", portal_endpoints.delete),
    _portal("/endpoints/{endpoint_id}/enable", portal_endpoints.enable),
    _portal("/endpoints/{endpoint_id}/disable", portal_endpoints.disable),
    _portal("/endpoints/{endpoint_id}/test", portal_endpoints.test),
    _portal("/endpoints/{endpoint_id}/rotate-secret", portal_endpoints.rotate),
    _portal("/endpoints/{endpoint_id}/replay", portal_endpoints.replay),
    _portal("/deliveries", portal_deliveries.index),
    _portal("/deliveries/{delivery_id}", portal_deliveries.show),
    _portal("/deliveries/{delivery_id}/retry", portal_deliveries.resend),
]
