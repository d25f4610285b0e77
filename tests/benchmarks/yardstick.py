"""The yardstick: the same server, validation and reply, headers too, as `POST /v1/tasks`, by
Starlette as it is, storing nothing."""

import itertools
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.domain.repositories.allowed import check_repository
from gateway.domain.repositories.branch_names import check_branch
from gateway.domain.tasks.reserved_env import check_env
from gateway.wire.decode import decode
from gateway.wire.ijson import check, is_suspect
from gateway.wire.tasks import AgentView, DeadlineView, NewTask, TaskView, UsageView
from gateway.wire.times import rfc3339

_ENCODE: Final = msgspec.json.Encoder().encode
_NUMBERS: Final = itertools.count(1)
TASK_ID: Final = "task_01k5q3v8m2f0r8x4d1c6b9n7aw"
PROCESS: Final = "51a85a13"


async def create(request: Request) -> Response:
    """Reads the whole request, shows the whole task."""
    return answer(validated(await request.body()), TASK_ID)


def validated(body: bytes) -> NewTask:
    """The request, in I-JSON, of the right shape, by the rules of its fields."""
    if is_suspect(body):
        check(body)
    task = decode(NewTask, body)
    check_repository(task.repo_url or "", "$.repoUrl")
    if task.base_branch is not None:
        check_branch(task.base_branch, "$.baseBranch")
    check_env(task.env)
    return task


def answer(task: NewTask, task_id: str) -> Response:
    """The whole task."""
    shown = _view(task, task_id, time.time_ns() // 1_000_000)
    headers = {"Location": f"/v1/tasks/{shown.id}", "X-Request-Id": f"{PROCESS}-{next(_NUMBERS):x}"}
    return Response(_ENCODE(shown), 202, headers=headers, media_type="application/json")


async def ready(request: Request) -> Response:
    """As soon as it answers."""
    return Response("ok\n")


def _view(task: NewTask, task_id: str, now: int) -> TaskView:
    created_at = rfc3339(now)
    return TaskView(
        id=task_id,
        project="default",
        status="queued",
        flag=None,
        attempt=1,
        max_attempts=task.max_attempts,
        title=task.title or task.prompt[:72],
        repo_url=task.repo_url or "",
        continue_of=task.continue_of,
        base_branch=task.base_branch,
        branch_name=task.branch_name or f"slipgate/{task_id}",
        prompt=task.prompt,
        agent=AgentView(
            engine=task.agent.engine,
            model_provider=task.agent.provider,
            model=task.agent.model,
            effort=task.agent.effort,
            max_turns=task.agent.max_turns,
            max_cost_usd=task.agent.max_cost_usd or 3.0,
            max_repair_rounds=task.agent.max_repair_rounds,
            command=task.agent.command,
        ),
        snapshot=task.snapshot or "slipgate-agent-1",
        provider=task.provider,
        sandbox=None,
        stage=None,
        message=None,
        pr_url=None,
        warnings=(),
        commit_sha=None,
        error=None,
        usage=UsageView(input_tokens=0, output_tokens=0, cost_usd=0.0, turns=0),
        cancel_requested_at=None,
        created_at=created_at,
        started_at=None,
        finished_at=None,
        updated_at=created_at,
        purged_at=None,
        next_deadline=DeadlineView(
            at=rfc3339(now + task.timeouts.queue_seconds * 1000), what="queue"
        ),
        task_seq=1,
        metadata=task.metadata,
    )


def main() -> None:
    """Serves on the port of the first argument, as the gateway is served."""
    serve(create)


def serve(create: Callable[[Request], Awaitable[Response]]) -> None:
    """Serves `POST /v1/tasks` and `GET /readyz`."""
    app = Starlette(
        routes=[
            Route("/v1/tasks", create, methods=["POST"]),
            Route("/readyz", ready, methods=["GET"]),
        ]
    )
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
