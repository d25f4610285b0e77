"""Makes the terminal word, and sends a patch ahead that is too long for it."""

from typing import Final

from .cutting import first_of
from .log import chunks
from .reporter import Reporter
from .review import Review
from .trouble import Trouble
from .words import Completed, Error, Failed, NeedsReview, PatchChunk, Receipt, TerminalWord

INLINE_PATCH_BYTES: Final = 192 * 1024
"""Well under the gateway's 512 KiB: a launcher carries at most 512 KiB of spool lines a call, in
which JSON escapes and base64 make a patch up to twice and a half as long."""
MESSAGE_CHARACTERS: Final = 2_000
SUMMARY_CHARACTERS: Final = 8_000


class LastWord:
    """Knows how the result of one branch is told."""

    def __init__(self, reporter: Reporter, branch: str) -> None:
        self._reporter = reporter
        self._branch = branch

    def result(
        self,
        review: Review,
        receipts: tuple[Receipt, ...],
        *,
        patch: str | None = None,
        commit_sha: str | None = None,
        pr_url: str | None = None,
    ) -> TerminalWord:
        """Completed if nothing is missing, else a person must look."""
        kind = Completed if review.is_complete else NeedsReview
        return kind(
            branch_name=self._branch,
            summary=first_of(review.summary, SUMMARY_CHARACTERS),
            validation=receipts,
            pr_url=pr_url,
            commit_sha=commit_sha,
            patch=self._inline(patch),
        )

    def _inline(self, patch: str | None) -> str | None:
        if patch is None or len(patch.encode()) <= INLINE_PATCH_BYTES:
            return patch
        offset = 0
        for chunk in chunks(patch):
            self._reporter.say(PatchChunk(offset=offset, chunk=chunk))
            offset += len(chunk.encode())
        return None


def failed(stage: str, trouble: Trouble, *, log_tail: str) -> Failed:
    """Nothing came of it."""
    return Failed(
        error=Error(
            stage=stage,
            code=trouble.code,
            message=first_of(trouble.message, MESSAGE_CHARACTERS),
            retryable=trouble.retryable,
        ),
        log_tail=log_tail or None,
    )
