"""Applies a patch where no agent was: in the index of a fresh clone, never through its files.

A patch that only meets an index cannot follow a symbolic link, leave the directory, or trip over
line endings; and its result must be the very tree that the agent's directory had.
"""

from .git import Git, GitFailed
from .patch import Patch
from .remote import Clone
from .trouble import Trouble


def apply(git: Git, clone: Clone, patch: Patch) -> None:
    """Apply the patch to the base in the clone's index.

    Raises:
        Trouble: `patch_does_not_apply`, also if the result is another tree.
    """
    ours = git.at(clone.directory)
    ours("update-ref", "--no-deref", "HEAD", patch.base_sha)
    ours("read-tree", patch.base_sha)
    try:
        ours("apply", "--cached", "--whitespace=nowarn", "-", stdin=patch.text.encode())
    except GitFailed as exc:
        raise Trouble("patch_does_not_apply", exc.message) from exc
    if ours.text("write-tree") != patch.tree:
        raise Trouble("patch_does_not_apply", "applied, it does not give what the agent made")


def fill(git: Git, clone: Clone) -> None:
    """Write the files of the index into the clone's empty directory."""
    ours = git.at(clone.directory)
    ours("checkout-index", "--all", "--force")
    ours("update-index", "-q", "--refresh", allowed=(0, 1))


def commit(git: Git, clone: Clone, patch: Patch, *, message: str, author: tuple[str, str]) -> str:
    """Commit the applied tree on its base, without hooks; returns the commit's id."""
    ours = git.at(clone.directory)
    name, email = author
    identity = {
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
    }
    arguments = (patch.tree, "-p", patch.base_sha, "-F", "-")
    made = ours("commit-tree", *arguments, stdin=message.encode(), environ=identity)
    return made.decode().strip()
