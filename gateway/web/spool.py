"""The second way home: signed words that a launcher read from a sandbox's spool."""

import asyncio
import base64
import binascii
from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from gateway.domain.commands import AgentWord
from gateway.domain.errors import Refused, Unavailable
from gateway.web.agent import signer, word_of
from gateway.web.context import Context
from gateway.wire.agent import addressee
from gateway.wire.decode import WrongShape
from gateway.wire.launcher import Spooled
from gateway.wire.signing import TOLERANCE_SECONDS, MalformedHeaders, SignedHeaders

log = structlog.get_logger(__name__)


async def submit_spooled(context: Context, spool: Sequence[Spooled]) -> None:
    """Hears them in order, as if they had come directly; what is not authentic is left out.

    Raises:
        Unavailable: nothing can be committed; the launcher reports again.
    """
    words = [word for line in spool if (word := await _word(context, line)) is not None]
    outcomes = await asyncio.gather(
        *(context.submit(word) for word in words), return_exceptions=True
    )
    for outcome in outcomes:
        if isinstance(outcome, BaseException) and (
            isinstance(outcome, Unavailable) or not isinstance(outcome, Refused)
        ):
            raise outcome


async def _word(context: Context, line: Spooled) -> AgentWord | None:
    try:
        body = base64.b64decode(line.body, validate=True)
        headers = SignedHeaders.parse(
            {
                "webhook-id": line.id,
                "webhook-timestamp": str(line.timestamp),
                "webhook-signature": line.signature,
            }
        )
        task_id, attempt = addressee(body)
    except (binascii.Error, ValueError, MalformedHeaders, WrongShape) as exc:
        log.warning("spool.malformed", webhook_id=line.id, detail=str(exc)[:200])
        return None
    key_id = signer(context, headers, body, task_id, attempt)
    if key_id is None or not await _is_timely(context, headers, task_id, attempt):
        log.warning("spool.not_authentic", webhook_id=line.id, task=task_id)
        return None
    command, _ = word_of(body, headers, task_id, attempt, key_id)
    return replace(command, spooled=True)


async def _is_timely(context: Context, headers: SignedHeaders, task_id: str, attempt: int) -> bool:
    """From the attempt's creation to now, with the usual tolerance at both ends."""
    opened = [
        known.opened_at
        for known in await context.reads.attempts(task_id)
        if known.number == attempt
    ]
    if not opened:
        return False
    earliest = opened[0] / 1000 - TOLERANCE_SECONDS
    return earliest <= headers.timestamp <= context.clock() / 1000 + TOLERANCE_SECONDS
