"""Signed requests of agents: their events, their prompt, and the work of an earlier attempt.

Only messages with a valid signature enter the ledger, so no read has to precede its batch.
"""

import codecs
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import msgspec
from starlette.responses import Response, StreamingResponse

from gateway.domain.kernel.answers import AgentEventReply
from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.task import Attempt
from gateway.web.agents.events import Sender, event_command
from gateway.web.context import Context
from gateway.web.convert import convert
from gateway.web.http.access import SIGNED
from gateway.web.http.call import Call
from gateway.web.http.operation import Body, Operation, answer
from gateway.web.http.query import Number, Text
from gateway.web.http.replies import reply
from gateway.web.openapi.agent_events import signed_events
from gateway.web.sources.signed import out_of_tolerance, parse_headers
from gateway.web.tasks.patches import WholePatch, resumable_patch
from gateway.wire.agent import MAX_ATTEMPT, Accepted, Prompt, ResumedPatch
from gateway.wire.agent_body import decode, read_target
from gateway.wire.decode import MAX_DEPTH
from gateway.wire.signing import SignedHeaders
from gateway.wire.times import maybe_rfc3339

TASK_ID: Final = Text(name="taskId", meaning="The task of the attempt that asks.")
ATTEMPT: Final = Number(
    name="attempt", default=1, least=1, most=MAX_ATTEMPT, meaning="The attempt that asks."
)
EVENT_ERRORS: Final = (
    "unknown_event_type",
    "webhook_id_reused",
    "patch_too_large",
    "stale_attempt",
    "attempt_finished",
)
TAG: Final = "Agents"
operation: Final = partial(Operation, tag=TAG, access=SIGNED)


@operation(
    id="sendAgentEvent",
    summary="Report an event of the agent, signed",
    description=(
        "`cancel: true` in the answer, 409 and 410 tell the agent to stop. A final event is never "
        "refused for an optional text that is too long: it is dropped, and `warnings` says so. "
        "What looks like a secret is kept as `[redacted:<kind>]`; in a patch, only what certainly "
        f"is one in an added line, with a warning. An event nests at most {MAX_DEPTH} levels."
    ),
    source="agent",
    body=Body(kind=signed_events(), example="sendAgentEvent", is_raw=True, media_type=None),
    answers=(
        answer(Accepted, "Stored.", status=202),
        answer(
            Accepted, "The same came before under this webhook-id.", example="Accepted:duplicate"
        ),
    ),
    errors=EVENT_ERRORS,
)
async def receive(call: Call[bytes]) -> Response:
    """Checks in the order of `interfaces.md` §3."""
    context, body = call.context, call.body
    headers = parse_headers(SignedHeaders.parse, call.headers)
    task_id, attempt = read_target(body)
    key_id = await _authentic(context, headers, body, task_id, attempt)
    context.admission.enter_attempt(call.request.scope["state"], task_id)
    sender = Sender(task_id, attempt, key_id)
    command, warnings = await event_command(context, sender, body, decode, webhook_id=headers.id)
    answer = await call.ask(command, AgentEventReply)
    return reply(
        Accepted(
            accepted=True,
            applied=answer.applied,
            cancel=answer.cancel,
            deadline_at=maybe_rfc3339(answer.deadline_at),
            duplicate=answer.duplicate,
            warnings=warnings,
        ),
        200 if answer.duplicate else 202,
    )


@operation(
    id="readPrompt",
    summary="Fetch the whole prompt, signed over an empty body",
    description="For agents whose `SLIPGATE_PROMPT_URL` says that `AGENT_PROMPT` is cut.",
    query=(TASK_ID, ATTEMPT),
    answers=(answer(Prompt, "The prompt."),),
    errors=("attempt_finished",),
)
async def prompt(call: Call[None]) -> Response:
    attempt = await sender_of(call)
    spec = await call.context.reads.spec(attempt.task_id)
    if spec is None:
        raise _unknown()
    return reply(Prompt(prompt=spec.whole_prompt))


@operation(
    id="readResumedPatch",
    summary="Fetch the work of an earlier attempt, signed over an empty body",
    description=(
        "For agents that were given `SLIPGATE_RESUME_URL`: the final event of an earlier attempt "
        "said `resumable: true`, and its patch is whole. They go on with validation and push."
    ),
    query=(TASK_ID, ATTEMPT),
    answers=(answer(ResumedPatch, "What is left to do is to check it and to send it out."),),
    errors=("attempt_finished", "no_patch"),
)
async def patch(call: Call[None]) -> Response:
    reads, attempt = call.context.reads, await sender_of(call)
    found = await resumable_patch(reads, attempt.task_id, attempt.number)
    if found is None:
        raise ApiError("no_patch", "No earlier attempt has left work to go on with.")
    text = found.text(reads, attempt.task_id)
    return StreamingResponse(_resumed(found, text), media_type="application/json")


async def _resumed(found: WholePatch, text: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A `ResumedPatch`, written as its text is read: that may be 100 MiB."""
    head = convert(ResumedPatch, found.details, attempt=found.attempt, patch="")
    yield msgspec.json.encode(head).removesuffix(b'"}')
    decoder = codecs.getincrementaldecoder("utf-8")()
    async for part in text:
        yield msgspec.json.encode(decoder.decode(part))[1:-1]
    yield b'"}'


async def sender_of(call: Call[None]) -> Attempt:
    """The attempt that has signed a request without a body, and has not ended."""
    context, headers = call.context, parse_headers(SignedHeaders.parse, call.headers)
    task_id, number = call[TASK_ID] or "", call[ATTEMPT]
    key_id = await _authentic(context, headers, b"", task_id, number)
    context.admission.enter_attempt(call.request.scope["state"], task_id)
    known = await context.reads.attempts(task_id)
    found = next((each for each in known if (each.number, each.key_id) == (number, key_id)), None)
    if found is None:
        raise _unknown()
    if found.ended_at is not None:
        raise ApiError(
            "attempt_finished",
            f"Attempt {number} has ended.",
            hint="Stop: nothing of this attempt is wanted any more.",
        )
    return found


def signer(
    context: Context, headers: SignedHeaders, body: bytes, task_id: str, attempt: int
) -> str | None:
    """The id of the master key whose attempt key made the signature, if any did."""
    keys = context.keyring.attempt_keys(task_id, attempt)
    return next((key_id for key_id, key in keys if headers.is_signed_by(key, body)), None)


async def _authentic(
    context: Context, headers: SignedHeaders, body: bytes, task_id: str, attempt: int
) -> str:
    key_id = signer(context, headers, body, task_id, attempt)
    is_timely = headers.is_timely(context.clock() / 1000)
    if key_id is not None and is_timely:
        return key_id
    attempts = await context.reads.attempts(task_id)
    if all(known.number != attempt for known in attempts):
        raise _unknown()
    if not is_timely:
        raise out_of_tolerance()
    raise ApiError(
        "invalid_signature",
        "The signature does not match.",
        hint="Sign 'id.timestamp.body' with the attempt's SLIPGATE_WEBHOOK_SECRET.",
    )


def _unknown() -> ApiError:
    return ApiError("unknown_task", "There is no such task and attempt.")
