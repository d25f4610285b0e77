"""The ask for a push within the size that the gateway takes."""

from typing import Final

import msgspec
from msgspec.structs import replace

from ..reporting.events import PushRequest, Receipt
from ..truncation import first_of, last_of

PUSH_BYTES: Final = 60 * 1024
"""The gateway takes 64 KiB of fields that it does not know."""
TAIL_CHARACTERS: Final = (4_000, 1_000, 200)
"""Of a check's output, the first of these that fits."""
SHORT_CHARACTERS: Final = 200
SHORT_SUMMARY_CHARACTERS: Final = 2_000


def fitting(request: PushRequest) -> PushRequest:
    """The request with as much of its texts as fits into one event."""
    for most in TAIL_CHARACTERS:
        shorter = _with_tails(request, most)
        if _size(shorter) <= PUSH_BYTES:
            return shorter
    bare = replace(request, validation=tuple(map(_bare, request.validation)))
    if _size(bare) <= PUSH_BYTES:
        return bare
    return replace(bare, summary=first_of(request.summary, SHORT_SUMMARY_CHARACTERS), body="")


def _with_tails(request: PushRequest, most: int) -> PushRequest:
    tails = (last_of(receipt.output_tail, most) for receipt in request.validation)
    pairs = zip(request.validation, tails, strict=True)
    validation = tuple(replace(receipt, output_tail=tail) for receipt, tail in pairs)
    return replace(request, validation=validation)


def _bare(receipt: Receipt) -> Receipt:
    command, reason = (first_of(one, SHORT_CHARACTERS) for one in (receipt.command, receipt.reason))
    return replace(receipt, command=command, reason=reason, output_tail="")


def _size(request: PushRequest) -> int:
    return len(msgspec.json.encode(request))
