"""Makes the terminal word."""

from typing import Final

import msgspec

from ..failure import Failure
from ..repository.exclusions import SENTENCES
from ..truncation import first_of
from .events import Completed, Error, Failed, FinalEvent, NeedsReview, Receipt
from .review import Review

INLINE_PATCH_BYTES: Final = 512 * 1024
"""The gateway takes no longer one in a word; it has the whole patch before."""
LARGEST_ESCAPED_BYTES: Final = 600 * 1024
"""The same as JSON: a launcher carries no line of the spool over 1 MB, and base64 adds a third."""
MESSAGE_CHARACTERS: Final = 2_000
SUMMARY_CHARACTERS: Final = 8_000


def result(
    branch: str,
    review: Review,
    receipts: tuple[Receipt, ...],
    *,
    warnings: tuple[str, ...] = (),
    patch: str | None = None,
    commit_sha: str | None = None,
    pr_url: str | None = None,
) -> FinalEvent:
    """Completed if nothing is missing, else a person must look."""
    kind = Completed if review.is_complete else NeedsReview
    return kind(
        branch_name=branch,
        summary=first_of(review.summary, SUMMARY_CHARACTERS),
        validation=receipts,
        warnings=warnings[:SENTENCES],
        pr_url=pr_url,
        commit_sha=commit_sha,
        patch=patch if patch and _fits(patch) else None,
    )


def failed(
    stage: str,
    failure: Failure,
    *,
    log_tail: str,
    warnings: tuple[str, ...] = (),
    resumable: bool = False,
) -> Failed:
    """Nothing came of it, or nothing yet."""
    return Failed(
        error=Error(
            stage=stage,
            code=failure.code,
            message=first_of(failure.message, MESSAGE_CHARACTERS),
            retryable=failure.retryable,
        ),
        log_tail=log_tail or None,
        warnings=warnings[:SENTENCES],
        resumable=resumable,
    )


def _fits(patch: str) -> bool:
    is_short = len(patch.encode()) <= INLINE_PATCH_BYTES
    return is_short and len(msgspec.json.encode(patch)) <= LARGEST_ESCAPED_BYTES
