"""Output of git's plumbing commands, parsed; paths are bytes."""

from collections.abc import Container, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from .git import Git

NO_MODE: Final = b"000000"
GITLINK: Final = b"160000"
"""The mode of a submodule."""
EMPTY_TREES: Final = frozenset(
    {
        "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
    }
)
"""The tree without an entry, by SHA-1 and by SHA-256."""
_NO_VALUES: Final = frozenset({b"unspecified", b"unset"})


IndexEntry = tuple[bytes, bytes]
"""Header (mode, id and stage) and path."""


class StagedFile(NamedTuple):
    mode: bytes
    blob: bytes
    path: bytes


class CommittedFile(NamedTuple):
    mode: bytes
    blob: bytes
    size: int
    """0 for a submodule."""
    path: bytes


class Change(NamedTuple):
    old_mode: bytes
    new_mode: bytes
    old_blob: bytes
    blob: bytes
    status: bytes
    path: bytes

    @property
    def is_written(self) -> bool:
        """True if the path exists afterwards."""
        return self.new_mode != NO_MODE

    @property
    def is_of_link(self) -> bool:
        """True if it was a symbolic link, or is one now."""
        return b"12" in {self.old_mode[:2], self.new_mode[:2]}

    @property
    def sections(self) -> int:
        """Its sections in the text of a diff: a file that becomes a link is deleted and added."""
        both = NO_MODE not in {self.old_mode, self.new_mode}
        return 2 if both and self.old_mode[:2] != self.new_mode[:2] else 1


def nul_list(output: bytes) -> list[bytes]:
    return [entry for entry in output.split(b"\0") if entry]


def nul_joined(paths: Iterable[bytes]) -> bytes:
    return b"".join(path + b"\0" for path in paths)


def committed_files(git: Git, commit: str) -> Iterator[CommittedFile]:
    """The files of a commit, and its submodules."""
    for entry in nul_list(_tree(git, commit)):
        header, _, path = entry.partition(b"\t")
        mode, _, blob, size = header.split()
        yield CommittedFile(mode, blob, 0 if size == b"-" else int(size), path)


@lru_cache(maxsize=2)
def _tree(git: Git, commit: str) -> bytes:
    """Listed once for the five steps of an attempt that ask: a commit never changes."""
    return git("ls-tree", "-r", "-l", "-z", commit)


def submodule_commits(git: Git, commit: str) -> dict[bytes, bytes]:
    """Path → commit of the submodules in a commit's tree."""
    found: dict[bytes, bytes] = {}
    for entry in nul_list(_tree(git, commit)):
        if entry.startswith(GITLINK):
            header, _, path = entry.partition(b"\t")
            found[path] = header.split()[2]
    return found


def has_file_named(git: Git, commit: str, name: bytes) -> bool:
    """True if a folder of the commit has a file of this name."""
    tree = _tree(git, commit)
    return any(before + name + b"\0" in tree for before in (b"\t", b"/"))


def index_entries(git: Git, *options: str, seconds: float = 120) -> Iterator[IndexEntry]:
    """The entries of git's index; `-t` puts a tag before each header."""
    for entry in nul_list(git("ls-files", "--stage", "-z", *options, seconds=seconds)):
        header, _, path = entry.partition(b"\t")
        yield header, path


def staged_files(git: Git, *, among: Container[bytes] | None = None) -> Iterator[StagedFile]:
    """The files of git's index; those of these paths, if some are named."""
    for header, path in index_entries(git):
        if among is None or path in among:
            mode, blob, _ = header.split(b" ")
            yield StagedFile(mode, blob, path)


def changes_between(git: Git, before: str, after: str, *, seconds: float = 120) -> Iterator[Change]:
    """The changes from one commit to the other; a renamed file is deleted and added."""
    options = ("-r", "--raw", "--no-renames", "-z", "--full-index")
    return raw_changes(git("diff-tree", *options, before, after, seconds=seconds))


def raw_changes(output: bytes, *, among: Container[bytes] | None = None) -> Iterator[Change]:
    """The lines of `--raw -z`; those of these paths, if some are named."""
    fields = output.split(b"\0")
    for header, path in zip(fields[::2], fields[1::2], strict=False):
        if among is not None and path not in among:
            continue
        old_mode, new_mode, old_blob, blob, status = header.removeprefix(b":").split(b" ")
        yield Change(old_mode, new_mode, old_blob, blob, status, path)


def attributes_of(
    git: Git, names: Sequence[str], paths: Iterable[bytes], *, is_of_index: bool = False
) -> dict[bytes, dict[bytes, bytes]]:
    """Path → name → value of the attributes that are set, by the files of the directory or of
    git's index."""
    options = ("--cached", "-z", "--stdin") if is_of_index else ("-z", "--stdin")
    output = git("check-attr", *options, *names, stdin=nul_joined(paths)).split(b"\0")
    found: dict[bytes, dict[bytes, bytes]] = {}
    for path, name, value in zip(output[::3], output[1::3], output[2::3], strict=False):
        if value not in _NO_VALUES:
            found.setdefault(path, {})[name] = value
    return found


def blob_contents(git: Git, blobs: Iterable[bytes]) -> Iterator[bytes]:
    """The content of each blob; empty for one that is missing."""
    batch = git("cat-file", "--batch", stdin=b"".join(blob + b"\n" for blob in blobs))
    at = 0
    while at < len(batch):
        end = batch.index(b"\n", at)
        header = batch[at:end].split(b" ")
        size = int(header[2]) if len(header) == 3 else None
        at = end + 1
        yield batch[at : at + (size or 0)]
        at += 0 if size is None else size + 1


def small_blobs(git: Git, blobs: Iterable[bytes], most: int) -> dict[bytes, bytes]:
    """Blob → content of those with at most `most` bytes."""
    wanted = sorted(set(blobs))
    check = git("cat-file", "--batch-check", stdin=b"".join(blob + b"\n" for blob in wanted))
    sizes = (line.split(b" ") for line in check.splitlines())
    small = [line[0] for line in sizes if line[1] == b"blob" and int(line[2]) <= most]
    return dict(zip(small, blob_contents(git, small), strict=True))


def parents(path: bytes) -> list[bytes]:
    """The folders around a path, outermost first."""
    parts = path.split(b"/")
    return [b"/".join(parts[:end]) for end in range(1, len(parts))]
