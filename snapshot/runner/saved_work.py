"""The agent's work: made into a patch and reported before anything else is tried with it."""

from dataclasses import replace
from typing import Final

import msgspec

from .failure import Failure
from .reporting.kept_patch import KeptPatch
from .reporting.redaction import REDACTED, Redaction
from .reporting.reporter import Reporter
from .repository import work_on_disk
from .repository.git import Git
from .repository.starting_state import StartingState
from .repository.work_on_disk import AgentsWork, WholePatch
from .state_directory import StateDirectory
from .stop import Stop

DEATH_SECONDS: Final = 20.0
"""For the work of a runner that died: nobody else looks at its sandbox for so long."""


class SavedWork:
    def __init__(
        self,
        git: Git,
        reporter: Reporter,
        state: StateDirectory,
        *,
        redaction: Redaction,
        ours: Redaction,
        before: KeptPatch | None,
    ) -> None:
        self._git = git
        self._reporter = reporter
        self._state = state
        self._redaction = redaction
        self._ours = ours
        self._reported = before
        self._on_disk: AgentsWork | None = None
        self.kept: KeptPatch | None = None
        """The whole of an agent's work, reported: later steps cannot lose it."""
        self.is_resumable = False

    @property
    def states(self) -> tuple[StartingState, ...]:
        return self._on_disk.states if self._on_disk else ()

    def begin(self, states: tuple[StartingState, ...]) -> None:
        """Record the checkout of an agent that starts now."""
        self._on_disk = AgentsWork(states=states)
        self._on_disk.record(self._state.path)
        self._state.reserve()

    def finish(self) -> None:
        """Record that the agent was done: of one that failed, the report of its patch says why."""
        self._on_disk = AgentsWork(states=self.states, is_finished=True)
        self._free_space(self._on_disk)
        self._on_disk.record(self._state.path)

    def reopen(self) -> None:
        """Take back the record of an agent that goes on: until it has ended again, its reported
        patch is the newest whole one, and nobody must take the files for it."""
        work_on_disk.forget(self._state.path)
        self._state.reserve()

    def make(self) -> WholePatch:
        """The patch of the work as it is now; raises `Failure` if it cannot be read."""
        assert self._on_disk is not None, "an agent has begun"  # noqa: S101
        return self._make(self._git, self._on_disk)

    def save(self, patch: WholePatch, *, summary: str, warnings: tuple[str, ...]) -> KeptPatch:
        """Report the patch of an agent that has ended."""
        kept = self._save(patch, summary=summary, warnings=warnings, is_partial=False)
        is_as_made = self._redaction.restored(kept.text) == patch.text
        self.kept, self.is_resumable = kept, bool(patch.main.text) and is_as_made
        return kept

    def adopt(self, kept: KeptPatch) -> KeptPatch | None:
        """Report the whole patch of an earlier agent as that of this attempt, and return it with
        the secrets that were taken out; None if one of these is not known here."""
        text = self._redaction.restored(kept.text)
        if text is None:
            return None
        self.kept, self.is_resumable = self._report(kept), True
        return msgspec.structs.replace(self.kept, text=text)

    def recover(self, *, reads_disk: bool) -> KeptPatch | None:
        """The whole patch of an earlier start; that of an interrupted agent, or one that lacks
        secrets, is only reported."""
        kept = self._reported
        found = work_on_disk.found(self._state.path) if reads_disk else None
        if (kept is None or kept.is_partial) and found is not None:
            self._on_disk = found
            try:
                kept = self._save(self.make(), is_partial=not found.is_finished)
            except (Failure, OSError) as exc:
                print(f"slipgate: the work of an earlier start cannot be read: {exc}", flush=True)
                kept = None
            self._on_disk = None
        if kept is None or kept.is_partial or not self._is_restorable(kept):
            return None
        return self.adopt(kept)

    def recover_after_death(self) -> None:
        """Save the work of a runner that died."""
        kept = self._reported
        if kept is not None and not kept.is_partial:
            self.kept, self.is_resumable = kept, self._is_restorable(kept)
        else:
            self._on_disk = work_on_disk.found(self._state.path)
            self.rescue(seconds=DEATH_SECONDS)

    def rescue(self, *, seconds: float) -> None:
        """Save the work of an agent that was interrupted, if it is not saved."""
        if self._on_disk is None or self.kept is not None:
            return
        stop = Stop()
        timer = stop.request_after(seconds, "the time to keep the agent's work is over")
        try:
            patch = self._make(replace(self._git, stop=stop), self._on_disk)
        except Exception as exc:  # noqa: BLE001 - the last call: the final event comes after it
            print(f"slipgate: the agent's work cannot be kept: {exc}", flush=True)
            return
        finally:
            timer.cancel()
        kept = self._save(patch, is_partial=not self._on_disk.is_finished)
        if not kept.is_partial:
            self.kept = kept
            self.is_resumable = bool(patch.main.text) and self._is_restorable(kept)

    def _free_space(self, work: AgentsWork) -> None:
        self._state.free_space(work.states[0].work_tree.parent)

    def _make(self, git: Git, work: AgentsWork) -> WholePatch:
        self._free_space(work)
        return work.patch(git, self._state.workdir("patch"), is_secret=self._ours.is_in_bytes)

    def _save(
        self,
        patch: WholePatch,
        *,
        summary: str = "",
        warnings: tuple[str, ...] = (),
        is_partial: bool,
    ) -> KeptPatch:
        kept = KeptPatch(
            text=self._redaction.restorable(patch.text),
            base_sha=patch.main.base_sha,
            summary=summary,
            warnings=(*warnings, *patch.warnings),
            is_partial=is_partial,
        )
        return self._report(kept)

    def _is_restorable(self, kept: KeptPatch) -> bool:
        """False for an empty patch, and for one that may lack what its agent wrote."""
        is_as_made = REDACTED not in kept.text and self._redaction.restored(kept.text) is not None
        return bool(kept.text) and is_as_made

    def _report(self, kept: KeptPatch) -> KeptPatch:
        """Report it as the next revision, unless it was reported as it is."""
        before = self._reported
        if before is not None and before.text == kept.text and before.is_partial == kept.is_partial:
            return before
        new = kept.following(before)
        if new.text:
            self._reporter.emit_all(list(new.pieces()))
            self._reported = new
        return new
