"""The text of a patch: git's own diff of an index against the base, cut into files."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from . import borrowed
from .exclusions import ExclusionReason
from .git import Git

LARGEST_PATCH_BYTES: Final = 100 * 1024**2
"""The gateway keeps no more of a patch."""
DIFF_SECONDS: Final = 300.0
ARGUMENT_BYTES: Final = 100_000
"""Of paths on one command line; Linux takes 128 KiB in one argument and 2 MiB in all."""
_OPTIONS: Final = (
    "-p",
    "--binary",
    "--full-index",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
)
_BINARY_ATTRIBUTES: Final = "* -diff !filter\n"
_HEADER: Final = b"diff --git "
_NOTHING: Final = b"000000"


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One path of the diff."""

    path: bytes
    old_mode: bytes
    new_mode: bytes
    old_blob: bytes
    blob: bytes

    @property
    def is_written(self) -> bool:
        """It is there afterwards."""
        return self.new_mode != _NOTHING

    @property
    def sections(self) -> int:
        """A file that becomes a link is deleted and made anew."""
        both = _NOTHING not in {self.old_mode, self.new_mode}
        return 2 if both and self.old_mode[:2] != self.new_mode[:2] else 1


def make(
    git: Git,
    workdir: Path,
    base_sha: str,
    exclude: Callable[[Iterable[bytes], ExclusionReason], None],
    *,
    folder: str = "",
    most: int = LARGEST_PATCH_BYTES,
) -> tuple[str, list[Change]]:
    """The diff of git's index against the base as text, and what it is of; `folder` (with a slash
    at its end) is put before every name.

    The largest files are put back to the base and left out until it fits.
    """
    options = (*_OPTIONS, f"--src-prefix=a/{folder}", f"--dst-prefix=b/{folder}")
    command = ("diff-index", "--cached", *options, base_sha)
    while True:
        changes = list(_changes(git, base_sha))
        whole = git(*command, seconds=DIFF_SECONDS)
        parts = list(_grouped(whole, changes)) if changes else []
        too_large = _too_large(changes, parts, most)
        if not too_large:
            break
        exclude(too_large, ExclusionReason.LARGE)
        put_back(git, base_sha, too_large)
    texts = [_decoded(part) for part in parts]
    foreign = {change.path for change, text in zip(changes, texts, strict=True) if text is None}
    binary = _binary(git, workdir, command, changes, foreign)
    return "".join(next(binary) if text is None else text for text in texts), changes


def put_back(git: Git, base_sha: str, paths: Sequence[bytes]) -> None:
    """Let the index have these paths as the base has them."""
    listed = b"".join(
        git("ls-tree", "-z", "-r", base_sha, "--", *chunk, environ=_LITERAL)
        for chunk in _chunks(paths)
    )
    nothing = b"0" * len(base_sha)
    gone = b"".join(b"0 " + nothing + b"\t" + path + b"\0" for path in paths)
    git("update-index", "-z", "--index-info", stdin=gone + listed)


def blobs(batch: bytes) -> Iterator[bytes]:
    """The contents in the output of `cat-file --batch`; empty for what is missing."""
    at = 0
    while at < len(batch):
        end = batch.index(b"\n", at)
        header = batch[at:end].split(b" ")
        size = int(header[2]) if len(header) == 3 else None
        at = end + 1
        yield batch[at : at + (size or 0)]
        at += 0 if size is None else size + 1


_LITERAL: Final = {"GIT_LITERAL_PATHSPECS": "1"}


def _changes(git: Git, base_sha: str) -> Iterator[Change]:
    raw = git("diff-index", "--cached", "--raw", "--no-renames", "--full-index", "-z", base_sha)
    fields = raw.split(b"\0")
    for header, path in zip(fields[::2], fields[1::2], strict=False):
        old_mode, new_mode, old_blob, blob, _ = header.removeprefix(b":").split(b" ")
        yield Change(path=path, old_mode=old_mode, new_mode=new_mode, old_blob=old_blob, blob=blob)


def _grouped(whole: bytes, changes: Sequence[Change]) -> Iterator[bytes]:
    # Every line of a hunk or of binary data begins otherwise: a header stands only between files.
    sections = whole.split(b"\n" + _HEADER)
    sections[0] = sections[0].removeprefix(_HEADER)
    sections[-1] = sections[-1].removesuffix(b"\n")
    rest = iter(sections)
    for change in changes:
        yield b"".join(_HEADER + next(rest) + b"\n" for _ in range(change.sections))


def _binary(
    git: Git,
    workdir: Path,
    command: Sequence[str],
    changes: Sequence[Change],
    wanted: Collection[bytes],
) -> Iterator[str]:
    """The diffs of files that are neither UTF-8 nor binary to git, as of binary ones."""
    attributes = (workdir / ".git" / "info" / "attributes").read_text()
    borrowed.write_attributes(workdir, _BINARY_ATTRIBUTES)
    for chunk in _chunks(sorted(wanted)):
        # A name also means what lies below it: where a file became a folder, both are shown.
        asked = {os.fsencode(path) for path in chunk}
        shown = [change for change in changes if asked & set(_places(change.path))]
        whole = git(*command, "--", *chunk, seconds=DIFF_SECONDS, environ=_LITERAL)
        for change, part in zip(shown, _grouped(whole, shown), strict=True):
            if change.path in asked:
                yield part.decode("ascii")
    borrowed.write_attributes(workdir, attributes)


def _places(path: bytes) -> Iterator[bytes]:
    parts = path.split(b"/")
    return (b"/".join(parts[:end]) for end in range(1, len(parts) + 1))


def _too_large(changes: Sequence[Change], parts: Sequence[bytes], most: int) -> list[bytes]:
    total = sum(map(len, parts))
    by_size = sorted(zip(map(len, parts), changes, strict=True), key=lambda pair: pair[0])
    too_large = []
    while total > most:
        size, change = by_size.pop()
        total -= size
        too_large.append(change.path)
    return too_large


def _chunks(paths: Sequence[bytes]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for path in paths:
        chunk.append(os.fsdecode(path))
        size += len(path) + 1
        if size > ARGUMENT_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _decoded(part: bytes) -> str | None:
    try:
        return part.decode("utf-8")
    except UnicodeDecodeError:
        return None
