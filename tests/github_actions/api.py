"""The route of GitHub's API that starts a run, its refusals, and those that tell of a workflow.

Source: docs.github.com/rest/actions/workflows, "Create a workflow dispatch event": 204, or 200 with
the run where `return_run_details` was given (since February 2026).
"""

import base64
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.github_actions.workflow import Workflow

REPOSITORY = "acme/slipgate"
TOKEN = "github_pat_test"
FILE = "slipgate.yml"
DOCUMENTATION = "https://docs.github.com/rest/actions/workflows#create-a-workflow-dispatch-event"


@dataclass(kw_only=True)
class Fault:
    """A fault in place of the response."""

    status: int
    message: str = "Server Error"
    headers: dict[str, str] = field(default_factory=dict)
    is_done: bool = False
    """The run starts all the same."""


@dataclass(kw_only=True)
class GitHub:
    """One repository with one workflow."""

    workflow: Workflow
    branches: tuple[str, ...] = ("main",)
    is_allowed: bool = True
    """True if the token has Actions: write."""
    knows_details: bool = True
    """True if `return_run_details` is known."""
    scopes: str = ""
    """Scopes of a classic token; a fine-grained one lists none."""
    shows_contents: bool = True
    """True if the token has Contents: read."""
    is_enabled: bool | None = None
    """True if Actions are enabled; None: shown to administrators only."""
    is_archived: bool = False
    state: str = "active"
    """State of the workflow."""
    texts: dict[str, str] = field(default_factory=dict)
    """Its file, by branch; by default the shipped one is on `main`."""
    faults: deque[Fault] = field(default_factory=deque)
    calls: list[dict[str, Any]] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    """Jobs of the dispatched runs, in order."""
    on_run: Callable[[str], object] = lambda _: None

    @property
    def app(self) -> Starlette:
        repository = "/repos/{owner}/{name}"
        workflow = f"{repository}/actions/workflows/{{file}}"
        return Starlette(
            routes=[
                Route(f"{workflow}/dispatches", self._dispatch, methods=["POST"]),
                Route(workflow, self._show_workflow),
                Route(f"{repository}/actions/permissions", self._show_switch),
                Route(f"{repository}/contents/.github/workflows/{{file}}", self._show_text),
                Route(repository, self._show_repository),
            ]
        )

    async def _show_repository(self, request: Request) -> Response:
        found = {"full_name": REPOSITORY, "default_branch": "main", "archived": self.is_archived}
        headers = {"x-oauth-scopes": self.scopes} if self.scopes else {}
        return self._unknown(request) or JSONResponse(found, headers=headers)

    async def _show_workflow(self, request: Request) -> Response:
        path = f".github/workflows/{FILE}"
        return self._unknown(request) or JSONResponse({"id": 1, "path": path, "state": self.state})

    async def _show_switch(self, request: Request) -> Response:
        if self.is_enabled is None:
            return _complaint(403, "Resource not accessible by personal access token")
        return self._unknown(request) or JSONResponse({"enabled": self.is_enabled})

    async def _show_text(self, request: Request) -> Response:
        if not self.shows_contents:
            return _complaint(403, "Resource not accessible by personal access token")
        text = {"main": self.workflow.text, **self.texts}.get(request.query_params["ref"])
        if text is None:
            return _complaint(404, "Not Found")
        # As GitHub writes it: in lines of sixty characters.
        content = base64.encodebytes(text.encode()).decode()
        return self._unknown(request) or JSONResponse({"encoding": "base64", "content": content})

    def _unknown(self, request: Request) -> Response | None:
        path = request.path_params
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _complaint(401, "Bad credentials")
        is_there = f"{path['owner']}/{path['name']}" == REPOSITORY
        if not is_there or path.get("file", FILE) != FILE:
            return _complaint(404, "Not Found")
        return None

    async def _dispatch(self, request: Request) -> Response:
        wanted: dict[str, Any] = await request.json()
        self.calls.append(wanted)
        if self.faults:
            fault = self.faults.popleft()
            if fault.is_done:
                self._run(wanted)
            return _complaint(fault.status, fault.message, fault.headers)
        refused = self._refusal(request, wanted)
        if refused is not None:
            return refused
        self._run(wanted)
        if not wanted.get("return_run_details"):
            return Response(status_code=204)
        number = len(self.runs)
        page = f"https://github.com/{REPOSITORY}/actions/runs/{number}"
        return JSONResponse({"workflow_run_id": number, "run_url": page, "html_url": page})

    def _refusal(self, request: Request, wanted: dict[str, Any]) -> Response | None:
        unknown_place = self._unknown(request)
        if unknown_place is not None:
            return unknown_place
        if not self.is_allowed:
            return _complaint(403, "Resource not accessible by personal access token")
        if "return_run_details" in wanted and not self.knows_details:
            return _complaint(400, 'Invalid request.\n\n"return_run_details" is not permitted.')
        if wanted["ref"] not in self.branches:
            return _complaint(422, f"No ref found for: {wanted['ref']}")
        if unknown := [name for name in wanted["inputs"] if name not in self.workflow.inputs]:
            return _complaint(422, f"Unexpected inputs provided: {unknown}")
        return None

    def _run(self, wanted: dict[str, Any]) -> None:
        self.runs.append(wanted["inputs"]["job"])
        self.on_run(wanted["inputs"]["job"])


def _complaint(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    body = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}
    return JSONResponse(body, status_code=status, headers=headers)
