"""A small project with a failing test, as a bare repository and a clone of it."""

from pathlib import Path
from typing import Final

import msgspec

from gateway.demo.git import git

SLUG: Final = "acme/widgets"
MODULE: Final = "pricing.py"
PROMPT: Final = "The test of the discount fails. Find out why and mend it."

BROKEN: Final = '''"""What an order costs, in cents."""


def total(prices: list[int], discount_percent: int = 0) -> int:
    """The sum of the prices less the discount."""
    return sum(prices) - discount_percent
'''
MENDED: Final = BROKEN.replace(
    "return sum(prices) - discount_percent",
    "return sum(prices) * (100 - discount_percent) // 100",
)
_TEST: Final = '''"""What an order must cost."""

import unittest

from pricing import total


class Total(unittest.TestCase):
    def test_an_order_without_discount_costs_the_sum(self) -> None:
        self.assertEqual(total([500, 1500]), 2000)

    def test_a_discount_is_a_share_of_the_sum(self) -> None:
        self.assertEqual(total([500, 1500], discount_percent=10), 1800)


if __name__ == "__main__":
    unittest.main()
'''
_FILES: Final = {
    MODULE: BROKEN,
    "test_pricing.py": _TEST,
    "Makefile": ".PHONY: test\ntest:\n\tpython3 -B -m unittest\n",
    ".gitignore": "__pycache__/\n",
    "README.md": "# widgets\n\nPrices of widgets. `make test` runs the tests; one of them fails.\n",
}


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """The folders of the project."""

    bare: Path
    clone: Path
    slug: str = SLUG

    @property
    def url(self) -> str:
        return self.bare.as_uri()


def make_sample(folder: Path) -> Sample:
    """Creates the project in a folder: `acme/widgets.git`, and `widgets` cloned from it.

    Raises:
        GitFailed: git is missing or refused.
    """
    folder = folder.resolve()
    bare, clone = folder / f"{SLUG}.git", folder / "widgets"
    bare.mkdir(parents=True)
    git("init", "--quiet", "--bare", "--initial-branch=main", "--template=", folder=bare)
    git("clone", "--quiet", "--template=", "--", str(bare), str(clone), folder=folder)
    for name, text in _FILES.items():
        (clone / name).write_text(text)
    git("checkout", "--quiet", "-B", "main", folder=clone)
    git("add", "--all", folder=clone)
    git("commit", "--quiet", "--message", "Prices of widgets", folder=clone)
    git("push", "--quiet", "origin", "main", folder=clone)
    return Sample(bare=bare, clone=clone)
