"""The yardstick: the same server, request type and reply, headers too, as `POST
/v1/tasks`, storing nothing."""

import itertools
import sys
import time
from typing import Final

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.wire.tasks import AgentView, DeadlineView, NewTask, TaskView, UsageView
from gateway.wire.times import rfc3339

_DECODE: Final = msgspec.json.Decoder(NewTask).decode
_ENCODE: Final = msgspec.json.Encoder().encode
_NUMBERS: Final = itertools.count(1)
TASK_ID: Final = "task_01k5q3v8m2f0r8x4d1c6b9n7aw"
PROCESS: Final = "51a85a13"


async def create(request: Request) -> Response:
    """Reads the whole request, shows the whole task."""
    shown = _view(_DECODE(await request.body()), time.time_ns() // 1_000_000)
    headers = {"Location": f"/v1/tasks/{shown.id}", "X-Request-Id": f"{PROCESS}-{next(_NUMBERS):x}"}
    return Response(_ENCODE(shown), 202, headers=headers, media_type="application/json")


async def ready(request: Request) -> Response:
    """As soon as it answers."""
    return Response("ok\n")


def _view(task: NewTask, now: int) -> TaskView:
    created_at = rfc3339(now)
    return TaskView(
        id=TASK_ID,
        project="default",
        status="queued",
        flag=None,
        attempt=1,
        max_attempts=task.max_attempts,
        title=task.title or task.prompt[:72],
        repo_url=task.repo_url or "",
        continue_of=task.continue_of,
        base_branch=task.base_branch,
        branch_name=task.branch_name or f"slipgate/{TASK_ID}",
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
