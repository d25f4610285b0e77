"""Git directories of our own, new for each use, that borrow the objects of the one clone.

Commands of the agent run under our user: whatever lies on the disk while they run may have been
written by them. Objects are named by their content; configuration, hooks, attributes, references
and indexes are not, so each use of git begins with new ones.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

_SHA256_CHARACTERS: Final = 64


def make(directory: Path, base_sha: str, *, objects: Sequence[Path]) -> None:
    """Make `directory`/.git; `objects` are the object directories it borrows from."""
    ours = directory / ".git"
    for name in ("objects/info", "objects/pack", "refs/heads", "info"):
        (ours / name).mkdir(parents=True)
    (ours / "HEAD").write_text("ref: refs/heads/none\n")
    is_sha256 = len(base_sha) == _SHA256_CHARACTERS
    version, extensions = (1, "[extensions]\n\tobjectFormat = sha256\n") if is_sha256 else (0, "")
    core = f"[core]\n\trepositoryFormatVersion = {version}\n\tbare = false\n"
    (ours / "config").write_text(core + extensions)
    (ours / "objects/info/alternates").write_text("".join(f"{place}\n" for place in objects))


def write_attributes(directory: Path, attributes: str) -> None:
    """Let these attributes outrank every .gitattributes."""
    file = directory / ".git" / "info" / "attributes"
    file.parent.mkdir(exist_ok=True)
    file.write_text(attributes)
