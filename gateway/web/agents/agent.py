"""What agents say, signed: `POST /v1/webhooks/agent`, and what they may ask for: the prompt, and an
earlier attempt's work.

Only messages whose signature is right enter the ledger, so no read has to precede its batch.
"""

import codecs
import hashlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.domain.kernel.answers import AgentEventReply
from gateway.domain.kernel.commands import ReportAgentEvent
from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.task import Attempt
from gateway.web.agents.reported import Kept, kept
from gateway.web.context import Context, context_of
from gateway.web.http.body import (
    LIMIT,
    looked_at,
    read_bytes,
    vet,
)
from gateway.web.http.headers import headers_of
from gateway.web.http.problems import as_refusal
from gateway.web.http.query import Number, Text
from gateway.web.http.replies import reply
from gateway.web.sources.signed import out_of_tolerance
from gateway.web.tasks.patches import WholePatch, resumable_patch
from gateway.wire.agent import MAX_ATTEMPT, Accepted, decode, read_target
from gateway.wire.decode import WrongShape
from gateway.wire.message import Reply
from gateway.wire.signing import MalformedHeaders, SignedHeaders
from gateway.wire.times import maybe_rfc3339

TASK_ID: Final = Text(name="taskId", meaning="The task of the attempt that asks.")
ATTEMPT: Final = Number(
    name="attempt", default=1, least=1, most=MAX_ATTEMPT, meaning="The attempt that asks."
)
PROMPT_PARAMETERS: Final = (TASK_ID, ATTEMPT)


class Prompt(Reply, frozen=True, kw_only=True):
    """The whole prompt of a task."""

    prompt: str


class ResumedPatch(Reply, frozen=True, kw_only=True):
    """The whole work of an earlier attempt, which has not gone out."""

    attempt: int
    base_sha: str | None
    summary: str | None
    warnings: tuple[str, ...]
    patch: str


async def hear(request: Request) -> Response:
    """One webhook, in the order of checks of `interfaces.md` §3."""
    context = context_of(request)
    body = await read_bytes(request, limit=LIMIT)
    headers = _headers(request)
    task_id, attempt = read_target(body)
    key_id = await _authentic(context, headers, body, task_id, attempt)
    context.admission.enter_attempt(request.scope["state"], task_id)
    command, warnings = await word_of(context, body, headers, (task_id, attempt, key_id))
    answer = await context.ask(command, AgentEventReply)
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


async def prompt(request: Request) -> Response:
    """`GET /v1/agent/prompt?taskId=&attempt=`, signed over an empty body."""
    context = context_of(request)
    asking = await _asking(context, request)
    spec = await context.reads.spec(asking.task_id)
    if spec is None:
        raise _unknown()
    return reply(Prompt(prompt=spec.prompt))


async def patch(request: Request) -> Response:
    """`GET /v1/agent/patch?taskId=&attempt=`, signed over an empty body: what to go on with."""
    context = context_of(request)
    asking = await _asking(context, request)
    found = await resumable_patch(context.reads, asking.task_id, asking.number)
    if found is None:
        raise ApiError("no_patch", "No earlier attempt has left work to go on with.")
    text = found.text(context.reads, asking.task_id)
    return StreamingResponse(_resumed(found, text), media_type="application/json")


async def _resumed(found: WholePatch, text: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A `ResumedPatch`, written as its text is read: that may be 100 MiB."""
    told = ResumedPatch(
        attempt=found.attempt,
        base_sha=found.details.base_sha,
        summary=found.details.summary,
        warnings=found.details.warnings,
        patch="",
    )
    yield msgspec.json.encode(told).removesuffix(b'"}')
    decoder = codecs.getincrementaldecoder("utf-8")()
    async for part in text:
        yield msgspec.json.encode(decoder.decode(part))[1:-1]
    yield b'"}'


async def _asking(context: Context, request: Request) -> Attempt:
    """The attempt that has signed a request without a body.

    Raises:
        ApiError: `attempt_finished`, or it is not authentic.
    """
    headers = _headers(request)
    task_id = TASK_ID.of(request) or ""
    number = ATTEMPT.of(request)
    key_id = await _authentic(context, headers, b"", task_id, number)
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


async def word_of(
    context: Context, body: bytes, headers: SignedHeaders, sender: tuple[str, int, str]
) -> tuple[ReportAgentEvent, tuple[str, ...]]:
    """The command of an authentic body; what is wrong with it is told after the dedupe."""
    task_id, attempt, key_id = sender
    kind, found = "", Kept(data=b"")
    refusal: ApiError | None = None
    try:
        await vet(body)
        word = await looked_at(decode, body)
        own = context.keyring.attempt_texts(key_id, task_id, attempt)
        found = await kept(word, own, partial(context.reads.spec, task_id))
        kind = word.type
    except WrongShape as exc:
        refusal = as_refusal(exc)
    command = ReportAgentEvent(
        task_id=task_id,
        attempt=attempt,
        key_id=key_id,
        type=kind,
        data=found.data,
        piece=found.piece,
        webhook_id=headers.id,
        body_hash=hashlib.sha256(body).digest(),
        refusal=refusal,
    )
    return command, found.warnings


def signer(
    context: Context, headers: SignedHeaders, body: bytes, task_id: str, attempt: int
) -> str | None:
    """The id of the master key whose attempt key made the signature; None: nobody's."""
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


def _headers(request: Request) -> SignedHeaders:
    try:
        return SignedHeaders.parse(headers_of(request))
    except MalformedHeaders as exc:
        raise ApiError("malformed_headers", f"{exc}.") from exc


def _unknown() -> ApiError:
    return ApiError("unknown_task", "There is no such task and attempt.")
