"""The scripts of a snapshot, their build context, and their digest in its entrypoint.

The entrypoint ignores that argument. Daytona's API shows the entrypoint of every snapshot, so the
digest is compared before a sandbox is paid for.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from launcher.providers.program import NotStarted, Program
from launcher.snapshots.names import SnapshotError

FOLDER: Final = Path(__file__).resolve().parents[2] / "snapshot"
ENTRYPOINT: Final = ("/bin/bash", "/app/execution.sh")
Variant = Literal["slim", "full"]
_FULL: Final = "image=full"
"""In the entrypoint, which ignores it, like the digest."""
DIGEST_SECONDS: Final = 30.0
_DIGEST: Final = re.compile(r"scripts=([0-9a-f]{64})")
_ENTRYPOINT_LINE: Final = re.compile(r"^ENTRYPOINT .*$", re.MULTILINE)
_IGNORED: Final = shutil.ignore_patterns("__pycache__", ".*")


class NoScripts(Exception):
    """The scripts are missing or cannot be read."""


async def compute_digest(folder: Path = FOLDER) -> str:
    """The digest as the scripts themselves define it; raises `NoScripts`."""
    program = Program(sys.executable, environ={}, folder=folder)
    try:
        result = await program.run(
            "-I", str(folder / "runner" / "digest.py"), seconds=DIGEST_SECONDS
        )
    except NotStarted as error:
        raise NoScripts(f"{folder} cannot be used: {error}") from error
    if result.code != 0:
        raise NoScripts(f"{folder} does not hold the scripts of a snapshot: {result.err[-300:]}")
    return result.out.strip()


def entrypoint_for(digest: str, variant: Variant = "slim") -> tuple[str, ...]:
    return (*ENTRYPOINT, f"scripts={digest}", *([_FULL] if variant == "full" else []))


def find_variant(words: Iterable[str]) -> Variant:
    """The image in an entrypoint; those of older releases were like the slim one."""
    return "full" if _FULL in words else "slim"


def find_digest(words: Iterable[str]) -> str | None:
    """The digest in an entrypoint, or in the output of one."""
    for word in words:
        if found := _DIGEST.fullmatch(word):
            return found[1]
    return None


@contextmanager
def build_context(digest: str, variant: Variant = "slim", source: Path = FOLDER) -> Iterator[Path]:
    """A temporary copy: Daytona's CLI takes a folder whose path it has seen for unchanged."""
    with tempfile.TemporaryDirectory(prefix="slipgate-snapshot-") as parent:
        folder = Path(parent) / "context"
        shutil.copytree(source, folder, ignore=_IGNORED)
        dockerfile = folder / "Dockerfile"
        dockerfile.write_text(with_digest(dockerfile.read_text(), digest, variant))
        yield folder


def with_digest(dockerfile: str, digest: str, variant: Variant = "slim") -> str:
    """Adds a check that the image holds these scripts, and the digest to the entrypoint: one line
    of JSON, the only form that Daytona reads. It builds the last stage, so that the text of the
    slim image ends with the entrypoint, which the full one inherits. Raises `SnapshotError`."""
    found = list(_ENTRYPOINT_LINE.finditer(dockerfile))
    if len(found) != 1:
        raise SnapshotError(
            "the Dockerfile has not exactly one ENTRYPOINT line",
            'It has to have ENTRYPOINT ["/bin/bash", "/app/execution.sh"].',
        )
    words = ", ".join(f'"{word}"' for word in entrypoint_for(digest, variant))
    check = f'RUN test "$(python3 -I /app/runner/digest.py)" = "{digest}"'
    before, after = dockerfile[: found[0].start()], dockerfile[found[0].end() :]
    return f"{before}{check}\nENTRYPOINT [{words}]{after if variant == 'full' else ''}\n"
