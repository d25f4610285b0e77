"""The archive of a run bundle: a manifest, and the files that it names with their digests."""

import hashlib
import io
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from gateway.cli.console.output import CommandFailed
from gateway.wire.tasks import AgentView, UsageView

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
PROMPT: Final = "prompt.txt"
PATCH: Final = "patch.diff"
TRAJECTORY: Final = "trajectory.json"
RECEIPTS: Final = "receipts.json"
LOG: Final = "log.txt"
EVENTS: Final = "events.json"
NAMES: Final = frozenset({MANIFEST, PROMPT, PATCH, TRAJECTORY, RECEIPTS, LOG, EVENTS})
LARGEST_BYTES: Final = 256 * 1024**2
"""Of one file; a bundle may come from anybody."""
UNREADABLE: Final = (
    *(OSError, EOFError, zlib.error, tarfile.TarError, msgspec.MsgspecError),
    RecursionError,
)
"""Errors of an archive, its compression or its manifest."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The identity of a run, and the digests of its files."""

    format: int
    slipgate: str
    """The version that wrote the bundle."""
    task_id: str
    attempt: int
    status: str
    repo_url: str
    base_sha: str
    """The commit that the patch applies to."""
    branch_name: str
    commit_sha: str | None
    pr_url: str | None
    agent: AgentView
    validate: tuple[tuple[str, ...], ...] | None
    """Argument lists of the task; None: the repository's own checks."""
    snapshot: str
    script_digest: str | None
    """Of the runner's program."""
    usage: UsageView
    files: dict[str, str] = {}
    """Name → SHA-256 in hex."""


class Bundle(msgspec.Struct, frozen=True, kw_only=True):
    manifest: Manifest
    files: Mapping[str, bytes]


def write(path: Path, manifest: Manifest, files: Mapping[str, bytes]) -> None:
    """Writes the archive; the same run makes the same bytes inside of it."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    whole = msgspec.structs.replace(manifest, files=digests)
    with tarfile.open(path, "w:gz") as archive:
        document = msgspec.json.format(msgspec.json.encode(whole), indent=2)
        for name, content in {MANIFEST: document, **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def read(path: Path) -> Bundle:
    """Reads and checks an archive; nothing is unpacked to the disk.

    Raises:
        CommandFailed: it is no bundle, or not as it was written.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            files = _entries(archive)
        manifest = msgspec.json.decode(files.pop(MANIFEST, b""), type=Manifest)
    except UNREADABLE as exc:
        raise _broken(path, f"it is no run bundle ({exc})") from exc
    if manifest.format != FORMAT:
        raise _broken(path, f"its format is {manifest.format}, this version reads {FORMAT}")
    for name, digest in manifest.files.items():
        if hashlib.sha256(files.get(name, b"")).hexdigest() != digest:
            raise _broken(path, f"{name!r} is not as it was written")
    return Bundle(manifest=manifest, files=files)


def _entries(archive: tarfile.TarFile) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in archive:
        file = archive.extractfile(entry) if entry.isreg() and entry.name in NAMES else None
        if file is None or entry.size > LARGEST_BYTES:
            raise tarfile.TarError(f"it holds {entry.name[:100]!r}")
        if entry.name in found:  # thousands of one file would fill the memory
            raise tarfile.TarError(f"it holds {entry.name!r} twice")
        found[entry.name] = file.read()
    return found


def _broken(path: Path, why: str) -> CommandFailed:
    return CommandFailed(
        f"{path} cannot be read: {why}.", "Write it again: slipgate tasks bundle ID"
    )
