"""The one route of GitHub's API that starts a run, with its refusals.

Source: docs.github.com/rest/actions/workflows, "Create a workflow dispatch event": 204, or 200 with
the run where `return_run_details` was given (since February 2026).
"""

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
    """What is answered instead."""

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
    """Whether the token has Actions: write."""
    knows_details: bool = True
    """Whether `return_run_details` is known at all."""
    faults: deque[Fault] = field(default_factory=deque)
    calls: list[dict[str, Any]] = field(default_factory=list)
    runs: list[str] = field(default_factory=list)
    """The jobs that runs were asked for, in order."""
    on_run: Callable[[str], object] = lambda _: None

    @property
    def app(self) -> Starlette:
        """The API."""
        path = "/repos/{owner}/{name}/actions/workflows/{file}/dispatches"
        return Starlette(routes=[Route(path, self._dispatch, methods=["POST"])])

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
        path = request.path_params
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _complaint(401, "Bad credentials")
        if f"{path['owner']}/{path['name']}" != REPOSITORY or path["file"] != FILE:
            return _complaint(404, "Not Found")
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
