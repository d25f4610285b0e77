"""Keeps the agent's work: makes its patch and tells it before anything else is tried with it."""

from dataclasses import dataclass

from .reporting import kept_patch
from .reporting.kept_patch import KeptPatch
from .reporting.redaction import Redaction
from .reporting.reporter import Reporter
from .repository.agents_work import AgentsWork, WholePatch
from .repository.git import Git
from .state_directory import StateDirectory


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A patch of the agent's work, and what of it the gateway has."""

    patch: WholePatch
    kept: KeptPatch
    is_redacted: bool
    """What is kept is not what was made: a value of the task's own was taken out."""


class Keeping:
    """Remembers what was told last."""

    def __init__(
        self,
        reporter: Reporter,
        state: StateDirectory,
        *,
        redaction: Redaction,
        ours: Redaction,
        before: KeptPatch | None,
    ) -> None:
        self._reporter = reporter
        self._state = state
        self._redaction = redaction
        self._ours = ours
        self._last = before

    def make(self, git: Git, work: AgentsWork) -> WholePatch:
        """The patch of what lies there now.

        Raises:
            Failure: it cannot be read.
        """
        return work.patch(git, self._state.workdir("patch"), is_secret=self._ours.is_in_bytes)

    def keep(
        self, patch: WholePatch, *, summary: str, warnings: tuple[str, ...], is_partial: bool
    ) -> Made:
        """Tell the patch, unless it was told as it is."""
        text = self._redaction.text(patch.text)
        kept = KeptPatch(
            text=text,
            base_sha=patch.main.base_sha,
            summary=summary,
            warnings=(*warnings, *patch.warnings),
            is_partial=is_partial,
        )
        return Made(patch=patch, kept=self.tell(kept), is_redacted=text != patch.text)

    def tell(self, kept: KeptPatch) -> KeptPatch:
        """Spool it, to be sent in its turn."""
        before = self._last
        if before is not None and before.text == kept.text and before.is_partial == kept.is_partial:
            return before
        new = kept_patch.later(before, kept)
        if new.text:
            self._reporter.emit_all(list(new.pieces()))
            self._last = new
        return new
