"""`python -m tests.repositories FOLDER`: validates checkouts, and prints a table."""

import argparse
import sys
from pathlib import Path
from typing import Final

from snapshot.runner.reporting.events import Receipt
from snapshot.runner.validation.ecosystems import LAST, TABLE
from snapshot.runner.validation.folder import Folder
from snapshot.runner.validation.results import number_ran
from tests.repositories.validation import validate

TAIL_LINES: Final = 15
_STEPS: Final = (
    *("install", "venv", " sync", " ci", "deps.get", "pub get"),
    *("cmake", "mkdir", "make -j", "run build", "pnpm build"),
)
"""Words of commands that set up."""


def main() -> int:
    """0 if every repository has a receipt; the table is for a person to judge."""
    parser = argparse.ArgumentParser(prog="tests.repositories", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of checkouts, which stay unchanged")
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="names of checkouts")
    parser.add_argument("--seconds", type=float, default=900.0, help="the time for each")
    parser.add_argument("--tails", action="store_true", help="print the output of what failed")
    wanted = parser.parse_args()
    print(
        "| repository | ecosystem | set-up | checks | status | tests | seconds | reason |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    is_whole = True
    for checkout in sorted(each for each in wanted.folder.iterdir() if each.is_dir()):
        if not wanted.only or checkout.name in wanted.only:
            receipts = validate(checkout, seconds=wanted.seconds)
            print(row(checkout, receipts), flush=True)
            is_whole = is_whole and bool(receipts)
            _print_tails(receipts if wanted.tails else [])
    return 0 if is_whole else 1


def row(checkout: Path, receipts: list[Receipt]) -> str:
    """One row of the table: the checks' own status, or that of the set-up if it failed."""
    folder = Folder(checkout=checkout.resolve())
    names = [row.name for row in (*TABLE, *LAST) if folder.has(*row.markers, *row.sources)]
    checks = [each for each in receipts if is_check(each, receipts)]
    steps = [each for each in receipts if each not in checks]
    return _cells(
        checkout.name,
        ", ".join(names),
        "; ".join(each.command for each in steps),
        "; ".join(each.command for each in checks),
        "; ".join(each.status for each in checks) or "no check",
        "; ".join(_counted(each) for each in checks),
        f"{sum(each.seconds for each in receipts):.0f}",
        "; ".join(each.reason for each in checks if each.reason),
    )


def is_check(receipt: Receipt, receipts: list[Receipt]) -> bool:
    """True for the last receipt, and for those that do not set up."""
    return receipt is receipts[-1] or not any(word in receipt.command for word in _STEPS)


def _counted(receipt: Receipt) -> str:
    """The tests, or packages with tests, that the end of its output counts."""
    return str(number_ran(receipt.output_tail) or "-")


def _print_tails(receipts: list[Receipt]) -> None:
    for each in receipts:
        if each.status != "passed":
            tail = "\n".join(each.output_tail.splitlines()[-TAIL_LINES:])
            print(f"\n$ {each.command}\n{tail}\n[{each.status}: {each.reason}]\n", flush=True)


def _cells(*cells: str) -> str:
    texts = (" ".join(cell.replace("|", "\\|").split()) for cell in cells)
    return f"| {' | '.join(texts)} |"


if __name__ == "__main__":
    sys.exit(main())
