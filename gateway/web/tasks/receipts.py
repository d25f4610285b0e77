"""The receipts of an attempt's checks, verified with its key."""

import shlex
from typing import Final

import msgspec
from starlette.responses import Response

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import Keyring, UnknownKey
from gateway.domain.tasks.event import Event
from gateway.domain.tasks.task import Attempt
from gateway.web.http.access import READ_OR_TOKEN
from gateway.web.http.call import Call
from gateway.web.http.operation import Operation, answer
from gateway.web.http.query import Number
from gateway.web.http.replies import reply
from gateway.web.tasks.task_access import kept_task_of
from gateway.wire.agent import MAX_ATTEMPT
from gateway.wire.receipts import canonical, is_signed
from gateway.wire.tasks import ReceiptsView, ReceiptView

RESULTS: Final = ("task.completed", "task.needs_review")
"""Events with receipts; what fails before its checks has none."""
REDACTED: Final = b"[redacted:"
"""In the place of a secret that the gateway took out."""
ATTEMPT: Final = Number(
    name="attempt",
    default=0,
    least=1,
    most=MAX_ATTEMPT,
    meaning="Of this attempt; without it, of the newest one that has any.",
)


class _Result(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The fields of a result that are read; agents of others send what they want."""

    validation: object = ()
    receipts_signature: object = None


@Operation(
    id="readReceipts",
    tag="Results",
    access=READ_OR_TOKEN,
    summary="Read the receipts of the checks, verified",
    description=(
        "`verified` is true if the attempt's own key signed these very receipts, false if they "
        "were changed, and null where there is no signature, or where the gateway took a secret "
        "out of them."
    ),
    query=(ATTEMPT,),
    answers=(answer(ReceiptsView, "Empty if no check ran yet."),),
    errors=("not_found", "task_purged"),
)
async def show(call: Call[None]) -> Response:
    task = await kept_task_of(call)
    reads, asked = call.context.reads, call[ATTEMPT] or None
    if asked is not None and asked > task.attempt:
        raise ApiError("not_found", f"There is no attempt {asked}: the newest is {task.attempt}.")
    events = await reads.events_of_types(task.id, RESULTS, is_late_too=True)
    event = _chosen(events, asked)
    if event is None:
        attempt = asked or task.attempt
        return reply(ReceiptsView(data=(), signature=None, verified=None, attempt=attempt))
    result = msgspec.json.decode(event.data, type=_Result)
    signature = result.receipts_signature
    given = signature if isinstance(signature, str) else None
    verified = None
    if given is not None:
        known = await reads.attempts(task.id)
        verified = _verified(call.context.keyring, known, event, result.validation, given)
    receipts = result.validation if isinstance(result.validation, list) else []
    return reply(
        ReceiptsView(
            data=tuple(_view(one) for one in receipts if isinstance(one, dict)),
            signature=given,
            verified=verified,
            attempt=event.attempt,
        )
    )


def _chosen(events: list[Event], asked: int | None) -> Event | None:
    """The result of the attempt that is asked for, or of the newest; one that came too late only
    if there is no other."""
    wanted = [event for event in events if asked in {None, event.attempt}]
    return max(wanted, key=lambda event: (event.attempt, event.applied, event.seq), default=None)


def _verified(
    keyring: Keyring, attempts: list[Attempt], event: Event, validation: object, signature: str
) -> bool | None:
    key_id = next((each.key_id for each in attempts if each.number == event.attempt), None)
    if key_id is None:
        return None
    try:
        key = keyring.attempt_key(key_id, event.task_id, event.attempt)
    except UnknownKey:
        return None
    if is_signed(key, event.task_id, event.attempt, validation, signature):
        return True
    return None if REDACTED in canonical(validation) else False


def _view(receipt: dict[str, object]) -> ReceiptView:
    command, code = receipt.get("command"), receipt.get("exitCode")
    exit_code = code if isinstance(code, int) else None
    seconds = receipt.get("seconds")
    return ReceiptView(
        command=shlex.join(map(str, command)) if isinstance(command, list) else str(command),
        exit_code=exit_code,
        seconds=float(seconds) if isinstance(seconds, int | float) else None,
        status=_text(receipt, "status") or _status(exit_code),
        reason=_text(receipt, "reason"),
        baseline=_text(receipt, "baseline"),
        output_digest=_text(receipt, "outputDigest"),
        output_tail=_text(receipt, "outputTail"),
    )


def _status(exit_code: int | None) -> str:
    """Of a receipt that names none."""
    return "not_run" if exit_code is None else "passed" if exit_code == 0 else "failed"


def _text(receipt: dict[str, object], name: str) -> str | None:
    value = receipt.get(name)
    return value if isinstance(value, str) and value else None
