"""`python -m tests.codebase`: figures of the code and its lint; `make check` calls it."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable

from tests.codebase.lint import IS_ENFORCED, find_all
from tests.codebase.paths import path_lines
from tests.codebase.sizes import PRODUCT, ROOT, read_sources, size_lines


def main() -> int:
    """The exit code: 1 if the lint is enforced and found something."""
    parser = argparse.ArgumentParser(prog="tests.codebase", description=__doc__)
    parser.add_argument("--paths", action="store_true", help="count the files a request enters")
    parser.add_argument(
        "--list", nargs="*", metavar="PATH", help="list the findings, only below these paths"
    )
    wanted = parser.parse_args()
    sources = read_sources(ROOT, (*PRODUCT, "tests"))
    findings = [each for each in find_all(sources) if each.is_below(wanted.list or ())]
    if wanted.list is None:
        _print(size_lines([each for each in sources if each.path.parts[0] in PRODUCT]))
        _print(path_lines() if wanted.paths else ())
        counts = Counter(each.rule for each in findings)
        listed = ", ".join(f"{rule} {count}" for rule, count in sorted(counts.items()))
        _print([f"lint       {listed or 'nothing'} found (list: python -m tests.codebase --list)"])
    if wanted.list is not None or IS_ENFORCED:
        _print(f"{each.path}:{each.line}: {each.message}" for each in findings)
    return 1 if findings and IS_ENFORCED else 0


def _print(lines: Iterable[str]) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
