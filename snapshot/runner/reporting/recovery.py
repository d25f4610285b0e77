"""The progress of an earlier start of the same attempt, read from the events it reported."""

from collections.abc import Iterable

import msgspec

from .events import (
    FINAL_TYPES,
    Envelope,
    Failed,
    Log,
    PatchChunk,
    Progress,
    PushRequest,
    Stage,
    Usage,
)
from .kept_patch import KeptPatch, newest
from .spool import Entry


class Recovered(msgspec.Struct, kw_only=True):
    """All absent on a first start."""

    has_ended: bool = False
    has_failed: bool = False
    push: PushRequest | None = None
    usage: Usage | None = None
    log_bytes: int = 0
    patch: KeptPatch | None = None
    stage: Stage = "setup"

    @classmethod
    def from_entries(cls, entries: Iterable[Entry]) -> "Recovered":
        """Fold the spooled events, in order."""
        recovered = cls()
        pieces = []
        for entry in entries:
            envelope = msgspec.json.decode(entry.message.body, type=Envelope)
            if envelope.type == PatchChunk.type:
                pieces.append(msgspec.convert(envelope.data, PatchChunk))
            recovered._apply(envelope)
        recovered.patch = newest(pieces)
        return recovered

    def _apply(self, envelope: Envelope) -> None:
        data = envelope.data
        if envelope.type in FINAL_TYPES:
            self.has_ended, self.has_failed = True, envelope.type == Failed.type
        elif envelope.type == Progress.type:
            self.stage = msgspec.convert(data.get("stage"), Stage)
            if "commitSha" in data:
                self.push = msgspec.convert(data, PushRequest)
        elif envelope.type == Usage.type:
            self.usage = msgspec.convert(data, Usage)
        elif envelope.type == Log.type:
            log = msgspec.convert(data, Log)
            self.log_bytes = log.offset + len(log.chunk.encode())
