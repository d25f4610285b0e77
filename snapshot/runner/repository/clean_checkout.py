"""Applies a patch where no agent was: in the index of a git directory of ours, never in files.

A patch that is applied to an index cannot follow a symbolic link, leave the directory, or meet
other line endings; and its result must be the very tree of the agent's directory.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from ..failure import Failure
from ..variables import Secret
from .commit_signing import SIGNING_FAILED, signature
from .git import Git, GitFailed, init_borrowing
from .patch import Patch
from .plumbing import nul_list
from .remote import Clone
from .starting_state import CHECKOUT_SECONDS, copy_repository


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The tree of the base with the patch."""

    directory: Path
    """Its `.git` is ours alone, and its index holds the tree."""
    base_sha: str
    tree: str
    borrowed: tuple[Path, ...] = ()
    """Folders of its objects beside the clone's own."""


def apply(git: Git, clone: Clone, patch: Patch, directory: Path) -> Applied:
    """Apply a patch to its base; raises `patch_does_not_apply`, also for another tree."""
    applied = apply_text(git, clone, patch.text, directory, objects=patch.objects)
    if applied.tree != patch.tree:
        raise Failure("patch_does_not_apply", "applied, it does not give what the agent made")
    return applied


def apply_text(
    git: Git,
    clone: Clone,
    text: str,
    directory: Path,
    *,
    options: Sequence[str] = (),
    objects: Sequence[Path] = (),
) -> Applied:
    """Apply the text of a patch to the commit of the clone, in the index of a new git directory.

    Blobs of the result that `objects` has already are not written again.

    Raises `patch_does_not_apply`.
    """
    ours = _of_base(git, clone, directory, objects)
    try:
        ours(
            *("apply", "--cached", "--whitespace=nowarn", *options, "-"),
            stdin=text.encode(),
            seconds=CHECKOUT_SECONDS,
        )
    except GitFailed as exc:
        raise Failure("patch_does_not_apply", exc.message) from exc
    return Applied(
        directory=directory,
        base_sha=clone.base_sha,
        tree=ours.text("write-tree"),
        borrowed=tuple(objects),
    )


def unchanged(git: Git, clone: Clone, directory: Path) -> Applied:
    """The commit of the clone as it is, in the index of a new git directory."""
    ours = _of_base(git, clone, directory)
    tree = ours.text("rev-parse", f"{clone.base_sha}^{{tree}}")
    return Applied(directory=directory, base_sha=clone.base_sha, tree=tree)


def _of_base(git: Git, clone: Clone, directory: Path, objects: Sequence[Path] = ()) -> Git:
    """A new git directory whose HEAD and index are the commit of the clone."""
    init_borrowing(directory, clone.base_sha, objects=[clone.objects, *objects])
    (directory / ".git" / "HEAD").write_text(f"{clone.base_sha}\n")
    ours = git.at(directory)
    ours("read-tree", clone.base_sha)
    return ours


def fill(git: Git, clone: Clone, applied: Applied, checkout: Path) -> None:
    """Make a checkout of the applied tree, with a git directory for the commands that run in it."""
    copy_repository(clone, checkout)
    ours = git.at(applied.directory, work_tree=checkout)
    ours("checkout-index", "--all", "--force", "--index", seconds=CHECKOUT_SECONDS)
    theirs = checkout / ".git"
    shutil.copy2(applied.directory / ".git" / "index", theirs / "index")
    for objects in (*applied.borrowed, applied.directory / ".git" / "objects"):
        shutil.copytree(objects, theirs / "objects", dirs_exist_ok=True, copy_function=_copy_if_new)
    (theirs / "objects" / "info" / "alternates").unlink(missing_ok=True)


def changed_paths(git: Git, applied: Applied) -> tuple[str, ...]:
    """The paths in which the applied tree differs from its base."""
    options = ("-r", "-z", "--name-only", "--no-renames")
    listed = git.at(applied.directory)("diff-tree", *options, applied.base_sha, applied.tree)
    return tuple(path.decode(errors="surrogateescape") for path in nul_list(listed))


def commit(
    git: Git,
    applied: Applied,
    *,
    message: str,
    author: tuple[str, str],
    signing_key: Secret | None = None,
) -> str:
    """Commit the applied tree on its base, without hooks; returns the commit's id.

    Raises `signing_failed`.
    """
    name, email = author
    identity = {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }
    with signature(signing_key) as signed:
        try:
            made = git.at(applied.directory)(
                *("commit-tree", *signed.options, applied.tree, "-p", applied.base_sha, "-F", "-"),
                stdin=message.encode(),
                environ=identity | signed.environ,
                descriptors=signed.descriptors,
            )
        except GitFailed as exc:
            if signing_key is None:
                raise
            message = f"the commit cannot be signed with SLIPGATE_SIGNING_KEY: {exc.stderr}"
            raise Failure(SIGNING_FAILED, message) from exc
    return made.decode().strip()


def is_commit(git: Git, applied: Applied, commit: str) -> bool:
    """True if a commit is the applied tree on its base."""
    shown = git.at(applied.directory).text("log", "-1", "--format=%T %P", commit, "--")
    return shown == f"{applied.tree} {applied.base_sha}"


def _copy_if_new(source: str, target: str) -> str:
    """An object that is there already is the same, and may not be written."""
    return target if Path(target).exists() else shutil.copy2(source, target)
