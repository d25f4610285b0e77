"""`POST /v1/hooks/{taskId}/{token}`: events of scripts that cannot sign."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.responses import Response

from gateway.domain.kernel.answers import AgentEventReply
from gateway.domain.kernel.commands import ReportAgentEvent
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import hook_attempt, is_hook_token
from gateway.domain.tasks.spec import Spec
from gateway.web.agents.agent import EVENT_ERRORS, TAG
from gateway.web.agents.reported import Kept, kept
from gateway.web.context import Context
from gateway.web.http.access import CAPABILITY
from gateway.web.http.body import check_json, run_long
from gateway.web.http.call import Call
from gateway.web.http.operation import Body, Operation, answer
from gateway.web.http.problems import to_api_error
from gateway.web.http.replies import reply
from gateway.web.openapi.agent_events import flat_events
from gateway.wire.agent import AgentEvent, FlatAccepted
from gateway.wire.decode import WrongShape
from gateway.wire.flat_events import decode
from gateway.wire.times import maybe_rfc3339


@Operation(
    id="callHook",
    tag=TAG,
    summary="Say how the task goes, by the capability URL",
    description=(
        "For scripts that cannot sign: whoever knows the URL may speak. `id`, if present, "
        "deduplicates; a `taskId` in the payload is ignored; texts that are too long are cut, "
        "and null and empty ones are as good as absent. What today's snapshot sends "
        "(`workspace.*`, `pr.created`, a flat `error`) is taken too."
    ),
    source="hook",
    access=CAPABILITY,
    body=Body(kind=flat_events(), example="callHook", is_raw=True, media_type=None),
    answers=(answer(FlatAccepted, "Stored."),),
    errors=EVENT_ERRORS,
)
async def receive(call: Call[bytes]) -> Response:
    context, body = call.context, call.body
    task_id, token = call.path["task_id"], call.path["token"]
    attempt, key_id = await _holder(context, task_id, token)
    context.admission.enter_attempt(call.request.scope["state"], task_id)
    own = context.keyring.attempt_texts(key_id, task_id, attempt)
    event, found, error = await _read(body, own, partial(context.reads.spec, task_id))
    command = ReportAgentEvent(
        task_id=task_id,
        attempt=attempt,
        key_id=key_id,
        type=event.type if event else "",
        data=found.data,
        piece=found.piece,
        webhook_id=event.id if event else None,
        body_hash=hashlib.sha256(body).digest(),
        refusal=error,
    )
    answer = await call.ask(command, AgentEventReply)
    return reply(FlatAccepted(cancel=answer.cancel, deadline_at=maybe_rfc3339(answer.deadline_at)))


async def _holder(context: Context, task_id: str, token: str) -> tuple[int, str]:
    """The attempt and the master key that the token was derived from.

    Raises:
        ApiError: `unknown_task` or `invalid_signature`.
    """
    attempt = hook_attempt(token)
    known = {known.number for known in await context.reads.attempts(task_id)}
    if attempt not in known or attempt is None:
        raise ApiError("unknown_task", "There is no such task and attempt.")
    for key_id, key in context.keyring.attempt_keys(task_id, attempt):
        if is_hook_token(token, attempt, key):
            return attempt, key_id
    raise ApiError("invalid_signature", "The token of this URL is not the attempt's.")


async def _read(
    body: bytes, own: tuple[bytes, ...], spec: Callable[[], Awaitable[Spec | None]]
) -> tuple[AgentEvent | None, Kept, ApiError | None]:
    try:
        await check_json(body)
        event = await run_long(decode, body)
        return event, await kept(event, own, spec), None
    except WrongShape as exc:
        return None, Kept(data=b""), to_api_error(exc)
