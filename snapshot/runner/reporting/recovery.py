"""The progress of an earlier start of the same attempt, read from the events it reported."""

from collections.abc import Iterable

import msgspec

from . import events
from .kept_patch import KeptPatch, newest
from .spool import Entry


class Recovered(msgspec.Struct, kw_only=True):
    """All absent on a first start."""

    has_ended: bool = False
    has_failed: bool = False
    push: events.PushRequest | None = None
    usage: events.Usage | None = None
    log_bytes: int = 0
    patch: KeptPatch | None = None
    stage: events.Stage = "setup"

    @classmethod
    def from_entries(cls, entries: Iterable[Entry]) -> "Recovered":
        """Fold the spooled events, in order."""
        recovered = cls()
        pieces = []
        for entry in entries:
            envelope = msgspec.json.decode(entry.message.body, type=events.Envelope)
            if envelope.type == events.PatchChunk.type:
                pieces.append(msgspec.convert(envelope.data, events.PatchChunk))
            recovered._apply(envelope)
        recovered.patch = newest(pieces)
        return recovered

    def _apply(self, envelope: events.Envelope) -> None:
        data = envelope.data
        if envelope.type in events.FINAL_TYPES:
            self.has_ended, self.has_failed = True, envelope.type == events.Failed.type
        elif envelope.type == events.Progress.type:
            self.stage = msgspec.convert(data.get("stage"), events.Stage)
            if "commitSha" in data:
                self.push = msgspec.convert(data, events.PushRequest)
        elif envelope.type == events.Usage.type:
            self.usage = msgspec.convert(data, events.Usage)
        elif envelope.type == events.Log.type:
            log = msgspec.convert(data, events.Log)
            self.log_bytes = log.offset + len(log.chunk.encode())
