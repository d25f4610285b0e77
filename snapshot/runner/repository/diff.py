"""The text of a patch: git's own diff of an index against the base, split into files."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from .exclusions import ExclusionReason
from .git import Git, write_attributes
from .plumbing import Change, parents, raw_changes

LARGEST_PATCH_BYTES: Final = 100 * 1024**2
"""The gateway keeps no larger patch."""
DIFF_SECONDS: Final = 300.0
ARGUMENT_BYTES: Final = 100_000
"""Of paths on one command line; Linux takes 128 KiB in one argument and 2 MiB in all."""
_OPTIONS: Final = (
    *("-p", "--binary", "--full-index", "--no-renames"),
    *("--no-ext-diff", "--no-textconv", "--no-color"),
)
_BINARY_ATTRIBUTES: Final = "* -diff !filter\n"
_HEADER: Final = b"diff --git "
_LITERAL: Final = {"GIT_LITERAL_PATHSPECS": "1"}


def make(
    git: Git,
    workdir: Path,
    base_sha: str,
    exclude: Callable[[Iterable[bytes], ExclusionReason], None],
    *,
    folder: str = "",
    most: int = LARGEST_PATCH_BYTES,
) -> tuple[list[str], list[Change]]:
    """The diff of git's index against the base, a text for each change, and these changes.

    `folder` (with a slash at its end) is put before every name. The largest files are put back to
    the base and excluded until the rest fits.
    """
    options = (*_OPTIONS, f"--src-prefix=a/{folder}", f"--dst-prefix=b/{folder}")
    command = ("diff-index", "--cached", *options, base_sha)
    while True:
        raw = git("diff-index", "--cached", "--raw", "--no-renames", "--full-index", "-z", base_sha)
        changes = list(raw_changes(raw))
        parts = list(_grouped(git(*command, seconds=DIFF_SECONDS), changes)) if changes else []
        texts = [_decoded(part) for part in parts]
        too_large = _too_large(changes, parts, most)
        # git shows no link as binary data.
        pairs = zip(changes, texts, strict=True)
        no_text = [change.path for change, text in pairs if text is None and change.is_of_link]
        if not too_large and not no_text:
            break
        exclude(too_large, ExclusionReason.LARGE)
        exclude(no_text, ExclusionReason.NO_TEXT)
        _put_back(git, base_sha, [*too_large, *no_text])
    foreign = {change.path for change, text in zip(changes, texts, strict=True) if text is None}
    binary = _binary(git, workdir, command, changes, foreign)
    return [next(binary) if text is None else text for text in texts], changes


def _put_back(git: Git, base_sha: str, paths: Sequence[bytes]) -> None:
    """Reset these paths of the index to the base."""
    listed = b"".join(
        git("ls-tree", "-z", "-r", base_sha, "--", *chunk, environ=_LITERAL)
        for chunk in _chunks(paths)
    )
    nothing = b"0" * len(base_sha)
    gone = b"".join(b"0 " + nothing + b"\t" + path + b"\0" for path in paths)
    git("update-index", "-z", "--index-info", stdin=gone + listed)


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
    """The binary diffs of files that are neither UTF-8 nor binary to git."""
    attributes = (workdir / ".git" / "info" / "attributes").read_text()
    write_attributes(workdir, _BINARY_ATTRIBUTES)
    for chunk in _chunks(sorted(wanted)):
        # A name also means what lies below it: where a file became a folder, both are shown.
        asked = {os.fsencode(path) for path in chunk}
        shown = [change for change in changes if asked & {*parents(change.path), change.path}]
        whole = git(*command, "--", *chunk, seconds=DIFF_SECONDS, environ=_LITERAL)
        for change, part in zip(shown, _grouped(whole, shown), strict=True):
            if change.path in asked:
                yield part.decode("ascii")
    write_attributes(workdir, attributes)


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
