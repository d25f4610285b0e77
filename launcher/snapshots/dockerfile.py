"""The build context of a snapshot: the scripts, and a Dockerfile with their digest."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from launcher.snapshots.names import SnapshotError
from launcher.snapshots.scripts import FOLDER, entrypoint_for

_ENTRYPOINT: Final = re.compile(r"^ENTRYPOINT .*$", re.MULTILINE)
_LEFT_OUT: Final = shutil.ignore_patterns("__pycache__", ".*")


@contextmanager
def build_context(digest: str, source: Path = FOLDER) -> Iterator[Path]:
    """A temporary copy: Daytona's CLI takes a folder whose path it has seen for unchanged."""
    with tempfile.TemporaryDirectory(prefix="slipgate-snapshot-") as parent:
        folder = Path(parent) / "context"
        shutil.copytree(source, folder, ignore=_LEFT_OUT)
        dockerfile = folder / "Dockerfile"
        dockerfile.write_text(with_digest(dockerfile.read_text(), digest))
        yield folder


def with_digest(dockerfile: str, digest: str) -> str:
    """Adds a check that the image holds these scripts, and the digest to the entrypoint: one line
    of JSON, the only form that Daytona reads. Raises `SnapshotError`."""
    if len(_ENTRYPOINT.findall(dockerfile)) != 1:
        raise SnapshotError(
            "the Dockerfile has not exactly one ENTRYPOINT line",
            'It has to have ENTRYPOINT ["/bin/bash", "/app/execution.sh"].',
        )
    words = ", ".join(f'"{word}"' for word in entrypoint_for(digest))
    check = f'RUN test "$(python3 -I /app/runner/digest.py)" = "{digest}"'
    return _ENTRYPOINT.sub(f"{check}\nENTRYPOINT [{words}]", dockerfile)
