"""`POST /v1/hooks/{taskId}/{token}`: events of scripts that cannot sign."""

from starlette.responses import Response

from gateway.domain.kernel.answers import AgentEventReply
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import hook_attempt, is_hook_token
from gateway.web.agents.agent import EVENT_ERRORS, TAG
from gateway.web.agents.events import Sender, event_command
from gateway.web.context import Context
from gateway.web.http.access import CAPABILITY
from gateway.web.http.call import Call
from gateway.web.http.operation import Body, Operation, answer
from gateway.web.http.replies import reply
from gateway.web.openapi.agent_events import flat_events
from gateway.wire.agent import FlatAccepted
from gateway.wire.flat_events import decode
from gateway.wire.times import maybe_rfc3339


@Operation(
    id="callHook",
    tag=TAG,
    summary="Report an event of the agent, by the capability URL",
    description=(
        "For scripts that cannot sign: whoever knows the URL may report events. `id`, if present, "
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
    sender = await _holder(context, task_id, token)
    context.admission.enter_attempt(call.request.scope["state"], task_id)
    command, _ = await event_command(context, sender, body, decode)
    answer = await call.ask(command, AgentEventReply)
    return reply(FlatAccepted(cancel=answer.cancel, deadline_at=maybe_rfc3339(answer.deadline_at)))


async def _holder(context: Context, task_id: str, token: str) -> Sender:
    """The attempt and the master key that the token was derived from."""
    attempt = hook_attempt(token)
    known = {known.number for known in await context.reads.attempts(task_id)}
    if attempt not in known or attempt is None:
        raise ApiError("unknown_task", "There is no such task and attempt.")
    for key_id, key in context.keyring.attempt_keys(task_id, attempt):
        if is_hook_token(token, attempt, key):
            return Sender(task_id, attempt, key_id)
    raise ApiError("invalid_signature", "The token of this URL is not the attempt's.")
