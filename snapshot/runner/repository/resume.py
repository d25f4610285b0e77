"""Goes on from the patch of an agent that has ended, so that no second one is paid."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from ..failure import Failure
from ..reporting.kept_patch import KeptPatch
from . import clean_checkout, diff
from .exclusions import ExclusionReason
from .git import Git, GitFailed
from .patch import Patch
from .remote import Clone, Remote
from .starting_state import CHECKOUT_SECONDS, STARTING_INDEX, StartingState
from .work_on_disk import published


def reapply(
    git: Git,
    remote: Remote,
    clone: Clone,
    kept: KeptPatch,
    workdir: Path,
    *,
    moves: bool = False,
) -> tuple[Clone, Patch]:
    """The patch on the commit it was made for, or without that, on the branch as it is now.

    `moves`: on the branch as it is now in any case. Raises `patch_does_not_apply`.
    """
    text = published(kept.text)
    is_wanted = kept.base_sha == clone.base_sha or (kept.base_sha and not moves)
    has_base = is_wanted and remote.has(clone, kept.base_sha)
    base = msgspec.structs.replace(clone, base_sha=kept.base_sha) if has_base else clone
    options = () if has_base else ("--3way",)
    applied = clean_checkout.apply_text(git, base, text, workdir, options=options)
    if not has_base:
        texts, _ = diff.make(git.at(workdir), workdir, base.base_sha, _reject)
        text = "".join(texts)
        if not text:
            raise Failure("patch_does_not_apply", "the branch has all of it already")
    return base, Patch(base_sha=base.base_sha, text=text, tree=applied.tree)


def put(git: Git, state: StartingState, patch: Patch) -> None:
    """Change the files of a new agent's checkout; raises `patch_does_not_apply`.

    No command runs there meanwhile, and git applies nothing beyond a symbolic link.
    """
    ours = git.at(state.clone, work_tree=state.work_tree, index=STARTING_INDEX)
    try:
        options = ("--whitespace=nowarn", "-")
        ours("apply", *options, stdin=patch.text.encode(), seconds=CHECKOUT_SECONDS)
    except GitFailed as exc:
        raise Failure("patch_does_not_apply", exc.message) from exc


def _reject(paths: Iterable[bytes], _reason: ExclusionReason) -> None:
    """It was kept, so it fits; on the branch as it is now it may not."""
    message = f"on the branch as it is, {len(list(paths))} files are too large"
    raise Failure("patch_does_not_apply", message)
