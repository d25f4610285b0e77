"""The number of tests in the JUnit reports of gradle, which prints none."""

import os
import re
from itertools import islice
from pathlib import Path
from typing import Final

from .. import files

LARGEST_REPORTS: Final = 2_000
LARGEST_REPORT_BYTES: Final = 16 * 1024**2
_PATTERN: Final = re.compile(r".*/build/test-results/[^/]+/[^/]+\.xml", re.DOTALL)
_SKIPPED: Final = frozenset({".git", "node_modules"})
_SUITE: Final = re.compile(rb"<testsuite\b[^>]{0,2000}")
_COUNT: Final = re.compile(rb'\b(tests|skipped)="(\d{1,9})"')


def number_ran(checkout: Path, *, since: float) -> int:
    """Tests of the reports that were written since then [Unix seconds], skipped ones aside."""
    found = (
        Path(entry.path)
        for entry in files.walk(checkout, skipped=_SKIPPED)
        if _PATTERN.fullmatch(entry.path) and _is_new(entry, since)
    )
    return sum(map(_count, islice(found, LARGEST_REPORTS)))


def _is_new(entry: os.DirEntry[str], since: float) -> bool:
    """False, too, for a link, or for a file that is gone again."""
    try:
        return entry.is_file(follow_symlinks=False) and entry.stat().st_mtime >= since - 1
    except OSError:
        return False


def _count(path: Path) -> int:
    suite = _SUITE.search((files.read(path, most=LARGEST_REPORT_BYTES) or b"")[:20_000])
    counts = dict(_COUNT.findall(suite[0])) if suite else {}
    return int(counts.get(b"tests", 0)) - int(counts.get(b"skipped", 0))
