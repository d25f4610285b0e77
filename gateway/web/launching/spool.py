"""Signed agent events that a launcher read from a sandbox's spool."""

import asyncio
import base64
import binascii
import math
from collections.abc import Mapping, Sequence

import structlog
from msgspec.structs import replace

from gateway.domain.kernel.commands import ReportAgentEvent
from gateway.domain.kernel.errors import ApiError, Unavailable
from gateway.web.agents.agent import signer
from gateway.web.agents.events import Sender, event_command
from gateway.web.context import Context
from gateway.wire.agent_body import decode, read_target
from gateway.wire.decode import WrongShape
from gateway.wire.launcher import Spooled
from gateway.wire.signing import TOLERANCE_SECONDS, MalformedHeaders, SignedHeaders

log = structlog.get_logger(__name__)

Addressee = tuple[str | None, int | None]
"""Task and attempt."""


async def submit_spooled(
    context: Context, spool: Sequence[Spooled], *, task_id: str | None, attempt: int | None
) -> None:
    """Submits authentic events in order, as if they had come directly. Those of the job's attempt
    may be as old as the attempt, others as old as any webhook.

    Raises:
        Unavailable: nothing can be committed; the launcher reports again.
    """
    earliest = {(task_id, attempt): await _opened_at(context, task_id, attempt)}
    events = [event for line in spool if (event := await _event(context, line, earliest))]
    outcomes = await asyncio.gather(
        *(context.submit(event) for event in events), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and (
            isinstance(outcome, Unavailable) or not isinstance(outcome, ApiError)
        ):
            raise outcome


async def _event(
    context: Context, line: Spooled, earliest: Mapping[Addressee, float]
) -> ReportAgentEvent | None:
    try:
        body = base64.b64decode(line.body, validate=True)
        headers = SignedHeaders.parse(
            {
                "webhook-id": line.id,
                "webhook-timestamp": str(line.timestamp),
                "webhook-signature": line.signature,
            }
        )
        task_id, attempt = read_target(body)
    except (binascii.Error, ValueError, MalformedHeaders, WrongShape) as exc:
        log.warning("spool.malformed", webhook_id=line.id, detail=str(exc)[:200])
        return None
    key_id = signer(context, headers, body, task_id, attempt)
    now = context.clock() / 1000
    oldest = earliest.get((task_id, attempt), now - TOLERANCE_SECONDS)
    is_timely = oldest <= headers.timestamp <= now + TOLERANCE_SECONDS
    if key_id is None or not is_timely:
        log.warning("spool.not_authentic", webhook_id=line.id, task=task_id)
        return None
    sender = Sender(task_id, attempt, key_id)
    command, _ = await event_command(context, sender, body, decode, webhook_id=headers.id)
    return replace(command, spooled=True)


async def _opened_at(context: Context, task_id: str | None, attempt: int | None) -> float:
    """The creation of the attempt, in whole Unix seconds, as its agent counts them."""
    if task_id is None:
        return math.inf
    known = await context.reads.attempts(task_id)
    opened = (one.opened_at // 1000 for one in known if one.number == attempt)
    return next(opened, math.inf)
