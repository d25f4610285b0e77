"""The API server: the paths that a launcher and the doctor call, over real HTTP.

Paths, bodies and messages are those of release 1.33, read from its answers.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import (
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from tests.daytona.faults import Fault
from tests.kubernetes.store import KINDS, Object, Refusal

if TYPE_CHECKING:
    from tests.kubernetes.cluster import Cluster

Handler = Callable[["Cluster", Request], Awaitable[Response]]
VERSION = {"major": "1", "minor": "33", "gitVersion": "v1.33.13"}
VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
PROTOCOL = "v5.channel.k8s.io"
STDOUT, STDERR, ERROR = b"\x01", b"\x02", b"\x03"


def application(cluster: "Cluster") -> Starlette:
    routes: list[Route | WebSocketRoute] = []
    for root in ("/api/v1", "/apis/batch/v1", "/apis/networking.k8s.io/v1"):
        base = f"{root}/namespaces/{{namespace}}/{{resource}}"
        routes += [
            _route(cluster, "GET", base, listed),
            _route(cluster, "POST", base, create),
            _route(cluster, "GET", f"{base}/{{name}}/log", log),
            _route(cluster, "GET", f"{base}/{{name}}", show),
            _route(cluster, "PUT", f"{base}/{{name}}", replace),
            _route(cluster, "PATCH", f"{base}/{{name}}", patch),
            _route(cluster, "DELETE", f"{base}/{{name}}", delete),
        ]
    reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    routes += [
        _route(cluster, "GET", "/api/v1/namespaces/{name}", namespace),
        _route(cluster, "GET", "/version", version),
        _route(cluster, "POST", reviews, review),
        WebSocketRoute("/api/v1/namespaces/{namespace}/pods/{name}/exec", _Execution(cluster)),
    ]
    return Starlette(routes=routes)


async def listed(cluster: "Cluster", request: Request) -> Response:
    resource, query = _resource(request), dict(request.query_params)
    if query.get("watch") == "true":
        cluster.watches += 1
        stream = _watch(cluster, resource, query)
        return StreamingResponse(stream, media_type="application/json")
    return JSONResponse(cluster.store.page(resource, query, cluster.page_size))


async def show(cluster: "Cluster", request: Request) -> Response:
    return JSONResponse(cluster.store.get(_resource(request), request.path_params["name"]))


async def create(cluster: "Cluster", request: Request) -> Response:
    resource, body = _resource(request), await request.json()
    namespace = request.path_params["namespace"]
    if ("namespaces", namespace) not in cluster.store.objects:
        raise Refusal(404, "NotFound", f'namespaces "{namespace}" not found')
    if resource == "jobs" and cluster.quota:
        name = body["metadata"]["name"]
        message = f'jobs.batch "{name}" is forbidden: {cluster.quota}'
        raise Refusal(403, "Forbidden", message)
    return JSONResponse(cluster.store.create(resource, body), 201)


async def replace(cluster: "Cluster", request: Request) -> Response:
    name, body = request.path_params["name"], await request.json()
    return JSONResponse(cluster.store.replace(_resource(request), name, body))


async def patch(cluster: "Cluster", request: Request) -> Response:
    if request.headers["content-type"] != "application/merge-patch+json":
        raise Refusal(
            415, "UnsupportedMediaType", "the body of the request was in an unknown format"
        )
    name, body = request.path_params["name"], await request.json()
    return JSONResponse(cluster.store.patch(_resource(request), name, body))


async def delete(cluster: "Cluster", request: Request) -> Response:
    """Answers with the object while it goes, and with a `Status` if it is gone."""
    name, options = request.path_params["name"], json.loads(await request.body() or b"{}")
    found = cluster.store.delete(_resource(request), name, options)
    if "deletionTimestamp" in found["metadata"]:
        return JSONResponse(found)
    return JSONResponse({"kind": "Status", "apiVersion": "v1", "status": "Success"})


async def log(cluster: "Cluster", request: Request) -> Response:
    pod = cluster.store.get("pods", request.path_params["name"])
    text = cluster.node.log(pod["metadata"]["uid"]).decode(errors="replace")
    lines = text.splitlines(keepends=True)[-int(request.query_params["tailLines"]) :]
    return PlainTextResponse("".join(lines))


async def namespace(cluster: "Cluster", request: Request) -> Response:
    return JSONResponse(cluster.store.get("namespaces", request.path_params["name"]))


async def version(_cluster: "Cluster", _request: Request) -> Response:
    return JSONResponse(VERSION)


async def review(cluster: "Cluster", request: Request) -> Response:
    """A SelfSubjectAccessReview."""
    body: Object = await request.json()
    asked = body["spec"]["resourceAttributes"]
    resource = "/".join(filter(None, (asked["resource"], asked.get("subresource"))))
    body["status"] = {"allowed": (asked["verb"], resource) not in cluster.denied}
    return JSONResponse(body, 201)


async def _watch(cluster: "Cluster", resource: str, query: dict[str, str]) -> AsyncIterator[bytes]:
    """Changes after a version, and bookmarks between them."""
    seen, until = int(query["resourceVersion"]), float(query["timeoutSeconds"])
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + until
    while not cluster.closing.is_set() and loop.time() < ends_at:
        changed, version = cluster.store.changed, cluster.store.version
        try:
            for change in cluster.store.since(resource, seen, query):
                seen = change.version
                yield _line(change.type, change.object)
        except Refusal as refusal:
            yield _line("ERROR", refusal.document())
            return
        try:
            await asyncio.wait_for(changed.wait(), cluster.bookmark_seconds)
        except TimeoutError:
            seen = max(seen, version)
            kind, api_version, _ = KINDS[resource]
            marked = {"metadata": {"resourceVersion": str(seen), "creationTimestamp": None}}
            yield _line("BOOKMARK", {"kind": kind, "apiVersion": api_version, **marked})


def _line(kind: str, found: Object) -> bytes:
    return json.dumps({"type": kind, "object": found}).encode() + b"\n"


class _Execution:
    """Commands by WebSocket."""

    def __init__(self, cluster: "Cluster") -> None:
        self._cluster = cluster

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = WebSocket(scope, receive, send)
        fault = self._cluster.faults.next("EXEC")
        try:
            _authorize(self._cluster, dict(socket.headers), "create", "pods/exec")
            pod = self._cluster.store.get("pods", socket.path_params["name"])
        except Refusal as refusal:
            await socket.send_denial_response(JSONResponse(refusal.document(), refusal.code))
            return
        await socket.accept(subprotocol=PROTOCOL)
        container = socket.query_params["container"]
        if not _is_running(pod, container):
            message = f'unable to upgrade connection: container not found ("{container}")'
            failed = Refusal(500, "InternalError", f"Internal error occurred: {message}")
            await socket.send_bytes(ERROR + json.dumps(failed.document()).encode())
            await socket.close()
            return
        command = socket.query_params.getlist("command")
        code, out, err = await self._cluster.node.execute(pod, container, command)
        try:
            await self._answer(socket, fault, code, out, err)
        except WebSocketDisconnect:
            return

    async def _answer(
        self, socket: WebSocket, fault: Fault | None, code: int, out: bytes, err: bytes
    ) -> None:
        for start in range(0, len(out), 32_768):
            await socket.send_bytes(STDOUT + out[start : start + 32_768])
            if fault is not None:
                await socket.close(1011)
                return
        await socket.send_bytes(STDERR + err)
        status: dict[str, Any] = {"metadata": {}, "status": "Success"}
        if code:
            causes = [{"reason": "ExitCode", "message": str(code)}]
            status |= {
                "status": "Failure",
                "reason": "NonZeroExitCode",
                "message": f"command terminated with non-zero exit code: exit code {code}",
                "details": {"causes": causes},
            }
        await socket.send_bytes(ERROR + json.dumps(status).encode())
        await socket.close()


def _is_running(pod: Object, container: str) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses", ())
    states = {each["name"]: each["state"] for each in statuses}
    return "running" in states.get(container, {})


class _Endpoint:
    """A route as an ASGI application, so that a fault can break the connection itself."""

    def __init__(self, cluster: "Cluster", handle: Handler) -> None:
        self._cluster = cluster
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request, self._cluster.faults.next(_call(request)))
        if response is None:
            headers = [(b"content-length", b"1")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
        else:
            await response(scope, receive, send)

    async def _answer(self, request: Request, fault: Fault | None) -> Response | None:
        """The response; None: the connection breaks without one."""
        if fault is None:
            return await self._do(request)
        await request.body()
        match fault.kind:
            case "refused":
                return None
            case "lost":
                await self._do(request)
                return None
            case "status":
                refusal = Refusal(fault.status, "", fault.message)
                return JSONResponse(refusal.document(), fault.status, dict(fault.headers))
            case "html":
                return HTMLResponse("<html>nginx</html>", fault.status)
            case _:
                await self._do(request)
                return Response("}{", 200, media_type="application/json")

    async def _do(self, request: Request) -> Response:
        try:
            _authorize(self._cluster, dict(request.headers), *_attributes(request))
            return await self._handle(self._cluster, request)
        except Refusal as refusal:
            return JSONResponse(refusal.document(), refusal.code)


def _authorize(cluster: "Cluster", headers: dict[str, str], verb: str, resource: str) -> None:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or token not in cluster.tokens:
        raise Refusal(401, "Unauthorized", "Unauthorized")
    if (verb, resource) in cluster.denied:
        user = "system:serviceaccount:slipgate:launcher"
        message = (
            f'{resource} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API '
            'group "" in the namespace "slipgate-sandboxes"'
        )
        raise Refusal(403, "Forbidden", message)


def _attributes(request: Request) -> tuple[str, str]:
    """The verb and the resource by which a request is judged."""
    params = request.path_params
    resource = params.get("resource", "namespaces")
    verb = VERBS[request.method]
    if request.method == "GET" and "name" not in params:
        verb = "watch" if request.query_params.get("watch") == "true" else "list"
    if request.url.path.endswith("/log"):
        resource = f"{resource}/log"
    return verb, resource


def _call(request: Request) -> str:
    """`GET jobs`, for plans of faults."""
    verb, resource = _attributes(request)
    return f"{'WATCH' if verb == 'watch' else request.method} {resource}"


def _resource(request: Request) -> str:
    resource = str(request.path_params["resource"])
    if resource not in KINDS:
        raise Refusal(404, "NotFound", "the server could not find the requested resource")
    return resource


def _route(cluster: "Cluster", method: str, path: str, handle: Handler) -> Route:
    return Route(path, _Endpoint(cluster, handle), methods=[method])
