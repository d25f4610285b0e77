"""What an earlier start of the same attempt had already done, read from what it had said."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from .events import (
    TERMINAL_TYPES,
    Envelope,
    Failed,
    Log,
    PatchChunk,
    Progress,
    PullRequestCreated,
    PushRequest,
    Stage,
    Usage,
)
from .kept_patch import KeptPatch, gathered
from .spool import Entry


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovered:
    """The traces that matter; all absent on a first start."""

    has_ended: bool = False
    has_failed: bool = False
    push: PushRequest | None = None
    pull_request: PullRequestCreated | None = None
    usage: Usage | None = None
    log_bytes: int = 0
    patch: KeptPatch | None = None
    stage: Stage = "setup"

    @classmethod
    def from_entries(cls, entries: Iterable[Entry]) -> "Recovered":
        """Fold the spooled words, in order."""
        recovered = cls()
        pieces = []
        for entry in entries:
            envelope = msgspec.json.decode(entry.message.body, type=Envelope)
            if envelope.type == PatchChunk.type:
                pieces.append(msgspec.convert(envelope.data, PatchChunk))
            recovered = _after(recovered, envelope)
        return replace(recovered, patch=gathered(pieces))


def _after(before: Recovered, envelope: Envelope) -> Recovered:
    if envelope.type in TERMINAL_TYPES:
        return replace(before, has_ended=True, has_failed=envelope.type == Failed.type)
    if envelope.type == Progress.type:
        after = replace(before, stage=msgspec.convert(envelope.data.get("stage"), Stage))
        if "commitSha" not in envelope.data:
            return after
        return replace(after, push=msgspec.convert(envelope.data, PushRequest))
    if envelope.type == PullRequestCreated.type:
        return replace(before, pull_request=msgspec.convert(envelope.data, PullRequestCreated))
    if envelope.type == Usage.type:
        return replace(before, usage=msgspec.convert(envelope.data, Usage))
    if envelope.type == Log.type:
        said = msgspec.convert(envelope.data, Log)
        return replace(before, log_bytes=said.offset + len(said.chunk.encode()))
    return before
