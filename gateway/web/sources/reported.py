"""What a sandbox reports, as it may be kept: without secrets, and a patch's text apart."""

from gateway.domain.patch import PatchPiece
from gateway.domain.task import Frozen
from gateway.web.patches import kept_piece
from gateway.wire import agent as wire
from gateway.wire.scrubbing import scrubbed


class Kept(Frozen, frozen=True, kw_only=True):
    """The data of an event, what belongs to it, and a sentence for each thing that was changed."""

    data: bytes
    piece: PatchPiece | None = None
    warnings: tuple[str, ...] = ()


async def kept(word: wire.Word, own: tuple[bytes, ...]) -> Kept:
    """What is kept of a word; `own` are secrets of its attempt that have no form of their own.

    Raises:
        WrongShape: a piece of a patch is not what it says.
    """
    if isinstance(word.message, wire.PatchPiece):
        piece, data, touched = await kept_piece(word.message, wire.fields_of(word.data), own)
        return Kept(data=data, piece=piece, warnings=(*word.warnings, *touched))
    data, touched = scrubbed(word.type, word.data, own)
    return Kept(data=data, warnings=(*word.warnings, *touched))
