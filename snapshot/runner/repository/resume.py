"""Goes on from the work of an earlier attempt, whose agent had ended: nobody pays one again."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from ..failure import Failure
from ..reporting.kept_patch import KeptPatch
from . import clean_checkout, diff
from .agents_work import published
from .exclusions import ExclusionReason, is_harmless
from .git import Git
from .patch import Patch
from .remote import Clone, Remote


def is_whole(kept: KeptPatch) -> bool:
    """Whether nothing that was said of it calls for a person."""
    return all(is_harmless(sentence) for sentence in kept.warnings)


def taken_up(
    git: Git, remote: Remote, clone: Clone, kept: KeptPatch, workdir: Path
) -> tuple[Clone, Patch]:
    """The commit and the patch to go on with: on the commit it was made for, if there still is
    one, else on the branch as it is now.

    Raises:
        Failure: `patch_does_not_apply`.
    """
    text = published(kept.text)
    has_base = remote.has(clone, kept.base_sha)
    base = replace(clone, base_sha=kept.base_sha) if has_base else clone
    options = () if has_base else ("--3way",)
    applied = clean_checkout.apply_text(git, base, text, workdir, options=options)
    if not has_base:
        text, _ = diff.make(git.at(workdir), workdir, base.base_sha, _leave_nothing_out)
    return base, Patch(base_sha=base.base_sha, text=text, tree=applied.tree)


def _leave_nothing_out(paths: Iterable[bytes], _why: ExclusionReason) -> None:
    """It was kept, so it fits; what has grown past the bound cannot go out.

    Raises:
        Failure: `patch_does_not_apply`.
    """
    raise Failure(
        "patch_does_not_apply", f"on the branch as it is, {len(list(paths))} files are too large"
    )
