"""The base branch on the remote, when the work is about to go out: is it still what it was?"""

from pathlib import Path

from . import borrowed
from .remote import Clone, Remote


def moved(remote: Remote, clone: Clone, workdir: Path) -> str:
    """A sentence if the branch is gone or was rewritten; empty if it is the same or went on.

    Raises:
        Failure: the remote does not answer.
    """
    branch, base_sha = clone.base_branch, clone.base_sha
    tip = remote.tip(branch)
    if tip == base_sha:
        return ""
    if tip is None:
        return f"The base branch `{branch}` was deleted while the agent worked."
    borrowed.make(workdir, base_sha, objects=[clone.objects])
    if remote.contains(workdir, branch, base_sha):
        return ""
    return (
        f"The base branch `{branch}` was rewritten while the agent worked: it no longer has the"
        f" commit {base_sha[:12]} that this work begins from."
    )
