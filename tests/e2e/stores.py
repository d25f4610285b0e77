"""The stores on which the rows of an end-to-end test run."""

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import TypeVar

import pytest

from tests.stores import STORES

Row = TypeVar("Row")


def in_turn(
    name: str, rows: Sequence[Row], ids: Callable[[Row], str], *, first: str = STORES[0]
) -> pytest.MarkDecorator:
    """Each row on one store, for what the store takes no part in: the death of an agent, of a
    launcher. The kind of the test runs on all of them."""
    start = STORES.index(first)
    stores = (*STORES[start:], *STORES[:start])
    pairs = [
        pytest.param(store, row, id=f"{store}-{ids(row)}")
        for store, row in zip(cycle(stores), rows, strict=False)
    ]
    return pytest.mark.parametrize(("shared", name), pairs, indirect=["shared"], scope="module")


def on_one(store: str) -> pytest.MarkDecorator:
    """As `in_turn`, of a test that has one row."""
    return pytest.mark.parametrize("shared", [store], indirect=True, scope="module")
