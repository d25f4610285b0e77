"""The capability URL: for scripts that cannot sign, whoever knows the URL may speak."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from gateway.domain.kernel.answers import AgentEventReply
from gateway.domain.kernel.commands import ReportAgentEvent
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import hook_attempt, is_hook_token
from gateway.domain.tasks.spec import Spec
from gateway.web.agents.reported import Kept, kept
from gateway.web.context import Context, context_of
from gateway.web.http.body import (
    LIMIT,
    looked_at,
    read_bytes,
    vet,
)
from gateway.web.http.problems import as_refusal
from gateway.web.http.replies import reply
from gateway.wire.agent import AgentEvent, FlatAccepted
from gateway.wire.decode import WrongShape
from gateway.wire.flat_events import decode
from gateway.wire.times import maybe_rfc3339


async def hear(request: Request) -> Response:
    """`POST /v1/hooks/{taskId}/{token}`: a flat payload."""
    context = context_of(request)
    body = await read_bytes(request, limit=LIMIT)
    task_id, token = request.path_params["task_id"], request.path_params["token"]
    attempt, key_id = await _holder(context, task_id, token)
    context.admission.enter_attempt(request.scope["state"], task_id)
    own = context.keyring.attempt_texts(key_id, task_id, attempt)
    word, found, refusal = await _read(body, own, partial(context.reads.spec, task_id))
    command = ReportAgentEvent(
        task_id=task_id,
        attempt=attempt,
        key_id=key_id,
        type=word.type if word else "",
        data=found.data,
        piece=found.piece,
        webhook_id=word.id if word else None,
        body_hash=hashlib.sha256(body).digest(),
        refusal=refusal,
    )
    answer = await context.ask(command, AgentEventReply)
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
        await vet(body)
        word = await looked_at(decode, body)
        return word, await kept(word, own, spec), None
    except WrongShape as exc:
        return None, Kept(data=b""), as_refusal(exc)
