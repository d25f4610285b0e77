"""Goes on from the work of an earlier attempt, whose agent had ended: nobody pays one again."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from . import clean_checkout, diff, signed_get
from .agents_work import published
from .channel import SignedChannel
from .git import Git
from .kept_patch import KeptPatch
from .left_out import Why, is_harmless
from .patch import Patch
from .remote import Clone, Remote
from .trouble import Trouble

CODE: Final = "resume_unavailable"


class _Answer(msgspec.Struct, rename="camel"):
    base_sha: str
    patch: str
    summary: str = ""
    warnings: tuple[str, ...] = ()


def fetch(
    channel: SignedChannel, url: str, *, sleep: Callable[[float], None] = time.sleep
) -> KeptPatch:
    """Get what the gateway keeps.

    Raises:
        Trouble: `resume_unavailable`.
    """
    what = "the earlier attempt's patch"
    answer = signed_get.fetch(channel, url, _Answer, code=CODE, what=what, sleep=sleep)
    return KeptPatch(
        text=answer.patch,
        base_sha=answer.base_sha,
        summary=answer.summary,
        warnings=answer.warnings,
    )


def is_whole(kept: KeptPatch) -> bool:
    """Whether nothing that was said of it calls for a person."""
    return all(is_harmless(sentence) for sentence in kept.warnings)


def taken_up(
    git: Git, remote: Remote, clone: Clone, kept: KeptPatch, room: Path
) -> tuple[Clone, Patch]:
    """The commit and the patch to go on with: on the commit it was made for, if there still is
    one, else on the branch as it is now.

    Raises:
        Trouble: `patch_does_not_apply`.
    """
    text = published(kept.text)
    has_base = remote.has(clone, kept.base_sha)
    base = replace(clone, base_sha=kept.base_sha) if has_base else clone
    options = () if has_base else ("--3way",)
    applied = clean_checkout.apply_text(git, base, text, room, options=options)
    if not has_base:
        text, _ = diff.make(git.at(room), room, base.base_sha, _leave_nothing_out)
    return base, Patch(base_sha=base.base_sha, text=text, tree=applied.tree)


def _leave_nothing_out(paths: Iterable[bytes], _why: Why) -> None:
    """It was kept, so it fits; what has grown past the bound cannot go out.

    Raises:
        Trouble: `patch_does_not_apply`.
    """
    raise Trouble(
        "patch_does_not_apply", f"on the branch as it is, {len(list(paths))} files are too large"
    )
