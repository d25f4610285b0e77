"""The API: the routes that a launcher, the CLI and the doctor call, over real HTTP.

Paths, fields, texts and quirks are those of v0.190 and later, read from its source; what changed
since then is set by the fields of `Api` and by the organisation's habits.
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from gateway.demo.serve import serving
from tests.daytona.documents import (
    error_document,
    listed_document,
    sandbox_document,
    snapshot_document,
)
from tests.daytona.faults import Fault, Faults
from tests.daytona.machine import Machine
from tests.daytona.organisation import ORGANISATION, Organisation, Refusal, Sandbox, labels_of
from tests.daytona.releases import ENDS_GROUPS_SINCE

VERSION = "v0.214.3"
ALL_SCOPES = frozenset({"write:sandboxes", "delete:sandboxes", "write:snapshots"})
Handler = Callable[["Api", Request], Awaitable[Response]]


@dataclass(kw_only=True)
class Api:
    """An organisation behind HTTP; `url` is the base that clients are given."""

    organisation: Organisation
    machine: Machine
    faults: Faults = field(default_factory=Faults)
    keys: dict[str, frozenset[str]] = field(default_factory=lambda: {"dtn_key": ALL_SCOPES})
    tells_scopes: bool = True
    """True if the API describes the key of a request."""
    tells_organisation: bool = False
    """True if that description names the key's organisation."""
    lists_all_at_once: bool = False
    """Before v0.180 the list is a bare array of everything; `/sandbox/paginated` has pages."""
    omits_exit_code: bool = False
    """True if the daemon leaves out the exit code 0."""
    url: str = ""
    late: set[asyncio.Task[Response]] = field(default_factory=set)

    @property
    def toolbox(self) -> str:
        """Base URL of commands."""
        return f"{self.url.removesuffix('/api')}/toolbox"

    async def stop(self, id_or_name: str) -> Sandbox:
        """Stops a sandbox once its processes have ended, as auto-stop, a quota or a person does."""
        found = self.organisation.find(id_or_name)
        found.move(self.organisation.clock(), (0.0, "stopping"))
        await self.machine.stop(found.id)
        return self.organisation.stop(found.id)

    def document(self, sandbox: Sandbox, state: str | None = None) -> dict[str, object]:
        """The sandbox as it is now, or in `state`."""
        now = self.organisation.clock()
        return sandbox_document(sandbox, state or sandbox.state(now), self.toolbox)


@asynccontextmanager
async def opened(api: Api) -> AsyncIterator[Api]:
    """Serves the organisation and its sandboxes on this machine until the block ends."""
    async with serving(application(api)) as address:
        api.url = f"{address}/api"
        try:
            yield api
        finally:
            for task in api.late:
                task.cancel()
            await api.machine.close()


def application(api: Api) -> Starlette:
    routes = [
        _route(api, "POST", "/sandbox", create, "write:sandboxes"),
        _route(api, "GET", "/sandbox", page),
        _route(api, "GET", "/sandbox/paginated", numbered_page),
        _route(api, "GET", "/sandbox/{name}", show),
        _route(api, "DELETE", "/sandbox/{name}", destroy, "delete:sandboxes"),
        _route(api, "POST", "/sandbox/{name}/start", start, "write:sandboxes"),
        _route(api, "POST", "/sandbox/{name}/stop", stop, "write:sandboxes"),
        _route(api, "GET", "/sandbox/{name}/ports/{port}/preview-url", preview),
        _route(api, "GET", "/sandbox/{name}/toolbox-proxy-url", toolbox_url),
        _route(api, "GET", "/snapshots", snapshots),
        _route(api, "POST", "/snapshots", add_snapshot, "write:snapshots"),
        _route(api, "POST", "/snapshots/{id}/activate", activate, "write:snapshots"),
        _route(api, "GET", "/snapshots/{name:path}", snapshot),
        _route(api, "GET", "/api-keys/current", current_key),
    ]
    toolbox = [_route(api, "POST", "/{id}/process/execute", execute)]
    return Starlette(routes=[Mount("/api", routes=routes), Mount("/toolbox", routes=toolbox)])


async def create(api: Api, request: Request) -> Response:
    """Waits a while for `started`, and responds with the state before the wait."""
    made = api.organisation.create(await _json(request))
    before = made.state(api.organisation.clock())
    await asyncio.sleep(
        min(api.organisation.habits.wait_seconds, api.organisation.habits.start_seconds)
    )
    if made.state(api.organisation.clock()) == "error":
        raise Refusal(400, f"Sandbox failed to start: {made.error_reason}")
    return JSONResponse(api.document(made, "creating" if before == "started" else before))


async def show(api: Api, request: Request) -> Response:
    found = api.organisation.find(request.path_params["name"])
    await _run(api, found)
    return JSONResponse(api.document(found))


async def destroy(api: Api, request: Request) -> Response:
    """Responds once the deletion is accepted, not when it is done."""
    found = api.organisation.destroy(request.path_params["name"])
    await api.machine.end(found.id)
    return JSONResponse(api.document(found))


async def start(api: Api, request: Request) -> Response:
    """Runs the entrypoint again."""
    found = api.organisation.start(request.path_params["name"])
    await _run(api, found)
    return JSONResponse(api.document(found))


async def stop(api: Api, request: Request) -> Response:
    return JSONResponse(api.document(await api.stop(request.path_params["name"])))


async def page(api: Api, request: Request) -> Response:
    """Filtered by labels, at most 200 at a time."""
    query = request.query_params
    limit = min(int(query.get("limit", "100")), 200)
    after = int(query.get("cursor", "0"))
    found = list(api.organisation.listed(labels_of(query.get("labels"))))
    if api.lists_all_at_once:
        return JSONResponse(_listed(api, found, whole=True))
    items = _listed(api, found[after : after + limit])
    more = after + limit < len(found)
    return JSONResponse({"items": items, "nextCursor": str(after + limit) if more else None})


async def numbered_page(api: Api, request: Request) -> Response:
    """The list for CLIs before v0.180; each sandbox is shown whole."""
    query = request.query_params
    number, limit = int(query.get("page", "1")), int(query.get("limit", "100"))
    found = list(api.organisation.listed(labels_of(query.get("labels"))))
    return JSONResponse(
        {
            "items": _listed(api, found[(number - 1) * limit : number * limit], whole=True),
            "total": len(found),
            "page": number,
            "totalPages": -(-len(found) // limit),
        }
    )


def _listed(api: Api, found: list[Sandbox], *, whole: bool = False) -> list[dict[str, object]]:
    then = api.organisation.clock() - api.organisation.habits.list_lag_seconds
    document = sandbox_document if whole else listed_document
    return [document(each, each.state(then), api.toolbox) for each in found]


async def preview(api: Api, request: Request) -> Response:
    """The address of a port; the CLI asks for the terminal's after every create."""
    found = api.organisation.find(request.path_params["name"])
    port = request.path_params["port"]
    url = f"https://{port}-{found.id}.proxy.daytona.work"
    return JSONResponse({"sandboxId": found.id, "url": url, "token": "preview-token"})


async def toolbox_url(api: Api, request: Request) -> Response:
    """The URL for commands in this sandbox."""
    api.organisation.find(request.path_params["name"])
    return JSONResponse({"url": api.toolbox})


async def snapshots(api: Api, request: Request) -> Response:
    number, limit = (int(request.query_params.get(key, "1")) for key in ("page", "limit"))
    everything = list(api.organisation.snapshots.values())
    shown = everything[(number - 1) * limit : number * limit]
    return JSONResponse(
        {
            "items": [snapshot_document(each) for each in shown],
            "total": len(everything),
            "page": number,
            "totalPages": -(-len(everything) // limit),
        }
    )


async def snapshot(api: Api, request: Request) -> Response:
    return JSONResponse(snapshot_document(api.organisation.snapshot(request.path_params["name"])))


async def activate(api: Api, request: Request) -> Response:
    """Activates an inactive snapshot."""
    return JSONResponse(snapshot_document(api.organisation.activate(request.path_params["id"])))


async def current_key(api: Api, request: Request) -> Response:
    """The key of the request, as the dashboard lists it."""
    if not api.tells_scopes:
        raise Refusal(404, "Cannot GET /api/api-keys/current")
    _, _, key = request.headers["authorization"].partition(" ")
    return JSONResponse(
        {
            "name": "launcher",
            "value": f"{key[:3]}********************{key[-3:]}",
            "createdAt": "2026-11-01T00:00:00.000Z",
            "permissions": sorted(api.keys[key]),
            "lastUsedAt": None,
            "expiresAt": None,
            **({"organizationId": ORGANISATION} if api.tells_organisation else {}),
        }
    )


async def add_snapshot(api: Api, request: Request) -> Response:
    """Builds from a Dockerfile or an image, which takes a while."""
    wanted = await _json(request)
    name = str(wanted["name"])
    if name in api.organisation.snapshots:
        raise Refusal(409, f'Snapshot with name "{name}" already exists for this organization')
    return JSONResponse(snapshot_document(api.organisation.build(name, wanted)))


async def execute(api: Api, request: Request) -> Response:
    """Runs a command; refused unless the sandbox is started."""
    found = _started(api, request)
    wanted = await _json(request)
    command, given = str(wanted["command"]), wanted.get("timeout")
    seconds = float(str(given)) if given else None
    if not command.strip():
        words = "bad request: command cannot be empty or whitespace-only"
        return _refused_inside(api, request, 400, words)
    try:
        done = await api.machine.execute(found.id, found.env, command, seconds)
    except TimeoutError:
        return _refused_inside(api, request, 408, "request timeout: command execution timeout")
    if api.omits_exit_code and done.exit_code == 0:
        return JSONResponse({"result": done.result})
    return JSONResponse({"exitCode": done.exit_code, "result": done.result})


def _refused_inside(api: Api, request: Request, status: int, message: str) -> Response:
    """The daemon's own errors have a `code` and no `error`; before v0.155 they are plain text."""
    phrase = HTTPStatus(status).phrase
    is_old = api.machine.release < ENDS_GROUPS_SINCE
    path = request.url.path.removeprefix(f"/toolbox/{request.path_params['id']}")
    code = phrase if is_old else phrase.upper().replace(" ", "_")
    words = message.partition(": ")[2] if is_old else message
    document = {"statusCode": status, "message": words, "code": code}
    document |= {"path": path, "method": request.method}
    return JSONResponse(document, status, media_type="text/plain" if is_old else None)


def _started(api: Api, request: Request) -> Sandbox:
    found = api.organisation.find(request.path_params["id"])
    state = found.state(api.organisation.clock())
    if state != "started":
        raise Refusal(400, f"Sandbox is not started: {state}")
    return found


async def _run(api: Api, sandbox: Sandbox) -> None:
    """Starts the entrypoint on the next request after the sandbox has started. Daytona's own
    snapshots have none of ours."""
    is_ours = not api.organisation.snapshots[sandbox.snapshot].general
    if is_ours and sandbox.state(api.organisation.clock()) == "started":
        await api.machine.start(sandbox.id, sandbox.env)


async def _json(request: Request) -> Mapping[str, object]:
    try:
        document = json.loads(await request.body())
    except ValueError as exc:
        raise Refusal(400, str(exc)) from exc
    if not isinstance(document, dict):
        raise Refusal(400, "Expected an object")
    return document


class _Endpoint:
    """A route as an ASGI application, so that a fault can break the connection itself."""

    def __init__(self, api: Api, call: str, handle: Handler, scope: str | None) -> None:
        self._api = api
        self._call = call
        self._handle = handle
        self._scope = scope

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        fault = self._api.faults.next(self._call)
        response = await self._answer(request, fault)
        if response is None:
            await _break(send)
        else:
            response.headers["X-Daytona-Api-Version"] = VERSION
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
            case "hang":
                await asyncio.sleep(fault.seconds or 3600)
                return None
            case "late":
                self._do_later(request, fault.seconds)
                await asyncio.sleep(fault.seconds + 3600)
                return None
            case "slow":
                await asyncio.sleep(fault.seconds)
                return await self._do(request)
            case "status" | "html" | "garbage" | "partial":
                return await self._corrupt(request, fault)

    async def _corrupt(self, request: Request, fault: Fault) -> Response:
        if fault.kind == "html":
            page = "<html><head><title>502 Bad Gateway</title></head></html>"
            return HTMLResponse(page, fault.status)
        if fault.kind == "status":
            refused = _refused(request, Refusal(fault.status, fault.message))
            if fault.body is not None:
                refused = JSONResponse(fault.body, fault.status)
            refused.headers.update(dict(fault.headers))
            return refused
        answered = await self._do(request)
        if fault.kind == "garbage":
            return Response("}{", answered.status_code, media_type="application/json")
        document = json.loads(bytes(answered.body))
        kept = itertools.islice(document.items(), len(document) // 2)
        return JSONResponse({key: value for key, value in kept if key != "toolboxProxyUrl"})

    def _do_later(self, request: Request, seconds: float) -> None:
        async def later() -> Response:
            await asyncio.sleep(seconds)
            return await self._do(request)

        task = asyncio.ensure_future(later())
        self._api.late.add(task)
        task.add_done_callback(self._api.late.discard)

    async def _do(self, request: Request) -> Response:
        try:
            self._authorize(request)
            return await self._handle(self._api, request)
        except Refusal as refusal:
            return _refused(request, refusal)

    def _authorize(self, request: Request) -> None:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        scopes = self._api.keys.get(key)
        if scheme != "Bearer" or scopes is None:
            raise Refusal(401, "Invalid credentials")
        if self._scope is not None and self._scope not in scopes:
            raise Refusal(403, "Forbidden resource")


def _route(api: Api, method: str, path: str, handle: Handler, scope: str | None = None) -> Route:
    return Route(path, _Endpoint(api, f"{method} {path}", handle, scope), methods=[method])


def _refused(request: Request, refusal: Refusal) -> Response:
    reason = HTTPStatus(refusal.status).phrase
    document = error_document(refusal.status, reason, refusal.message, request.url.path)
    return JSONResponse(document, refusal.status)


async def _break(send: Send) -> None:
    """A response that is announced and never sent: the server closes the connection."""
    headers = [(b"content-length", b"1")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
