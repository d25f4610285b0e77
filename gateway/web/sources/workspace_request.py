"""The request of today's frontend as a command; errors name the fields that it sent."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec

from gateway.domain.kernel.commands import CreateTask, OpenWorkspace
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.sealing import Sealed, env_context
from gateway.domain.sources.workspace import Workspace
from gateway.domain.tasks.reserved_env import COMPUTED, check_env
from gateway.web.context import Context
from gateway.web.http.problems import ErrorCollector, to_api_error
from gateway.web.tasks.creation import creation
from gateway.wire.decode import Path, WrongShape, mistakes_in, wrong_shape
from gateway.wire.problem import FieldError
from gateway.wire.tasks import NewTask
from gateway.wire.workspace import NewWorkspace

PROMPT_BYTES: Final = 96 * 1024
"""Scripts that cannot sign cannot fetch a longer one: it has to fit a variable."""
_OWN_NAMES: Final = {
    "$.prompt": "$.env.AGENT_PROMPT",
    "$.callbackUrl": "$.env.WEBHOOK_URL",
    "$.branchName": "$.env.BRANCH_NAME",
    "$.agent.modelProvider": "$.env.MODEL_PROVIDER",
    "$.agent.model": "$.env.MODEL",
}
"""Fields of a task, and the names the frontend has for them."""


async def opening(context: Context, wanted: NewWorkspace, project: str) -> OpenWorkspace:
    """The command that opens the workspace; errors name every field as the frontend sent it."""
    env = {name: value for name, value in wanted.env.items() if value}
    task_id = context.new_id("task")
    external = env.get("TASK_ID", "")
    made = _creation(context, wanted, env, task_id, project)
    made = msgspec.structs.replace(
        made,
        spec=msgspec.structs.replace(made.spec, flat=external),
        env=_sealed(context, env, task_id),
    )
    answered_by = context.clock() + int(context.workspace_wait_seconds * 1_000)
    if not external:
        return OpenWorkspace(creation=made, answered_by=answered_by)
    workspace = Workspace(
        project=project,
        external_id=external,
        task_id=task_id,
        repo_url=wanted.repo_url,
        branch=wanted.branch or "",
    )
    known = await context.reads.workspace(workspace.key)
    renewal = _sealed(context, env, known) if known else None
    return OpenWorkspace(
        creation=made, workspace=workspace, renewal=renewal, answered_by=answered_by
    )


def _creation(
    context: Context, wanted: NewWorkspace, env: dict[str, str], task_id: str, project: str
) -> CreateTask:
    collector = ErrorCollector()
    with collector:
        check_env({name: value for name, value in env.items() if name not in COMPUTED})
    made = None
    with collector, _own_names(env):
        made = creation(context, _as_task(wanted, env), task_id=task_id, project=project)
    collector.check()
    if made is None:
        raise AssertionError("a request without an error makes a task")
    return made


def _as_task(wanted: NewWorkspace, env: dict[str, str]) -> NewTask:
    prompt = env.get("AGENT_PROMPT", "")
    mistakes: list[tuple[Path, str]] = []
    if not prompt or len(prompt.encode()) > PROMPT_BYTES:
        message = f"Expected the prompt, 1 to {PROMPT_BYTES} bytes"
        mistakes.append((("prompt",), message))
    agent = {"modelProvider": env.get("MODEL_PROVIDER"), "model": env.get("MODEL")}
    fields = {
        "repoUrl": wanted.repo_url,
        "prompt": prompt or "-",
        "snapshot": wanted.snapshot or None,
        "baseBranch": env.get("BASE_BRANCH") or wanted.branch or None,
        "branchName": env.get("BRANCH_NAME"),
        "callbackUrl": env.get("WEBHOOK_URL"),
        "keepSandbox": env.get("KEEP_ALIVE", "").lower() == "true",
        "agent": {name: value for name, value in agent.items() if value},
    }
    mistakes += mistakes_in(NewTask, fields)
    if mistakes:
        raise wrong_shape(mistakes)
    return msgspec.convert(fields, NewTask)


@contextmanager
def _own_names(env: Mapping[str, str]) -> Iterator[None]:
    """Errors name the fields that the frontend sent, never those they were made into."""
    base = "$.env.BASE_BRANCH" if env.get("BASE_BRANCH") else "$.branch"
    try:
        yield
    except (ApiError, WrongShape) as error:
        raise _renamed(to_api_error(error), {**_OWN_NAMES, "$.baseBranch": base}) from error


def _renamed(error: ApiError, names: Mapping[str, str]) -> ApiError:
    errors = tuple(
        FieldError(path=names.get(field.path, field.path), message=field.message)
        for field in error.errors
    )
    detail = error.detail
    for ours, theirs in names.items():
        detail = detail.replace(ours, theirs)
    return ApiError(error.code, detail, hint=error.hint, errors=errors)


def _sealed(context: Context, env: dict[str, str], task_id: str) -> Sealed:
    """Everything as given but the webhook's address: the sandbox gets the capability URL."""
    kept = {name: value for name, value in env.items() if name != "WEBHOOK_URL"}
    return context.seal(msgspec.json.encode(kept), env_context(task_id))
