"""Cursors of lists: what was made here is taken unchanged, and nothing else."""

import base64
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.ids import typeid
from gateway.domain.kernel.keyring import Keyring
from gateway.store.records import TaskFilter
from gateway.web.tasks.lists import cursor_after, task_before

KEYRING: Final = Keyring({"k1": b"m" * 32})
LIST: Final = TaskFilter(project="default")
TASK_ID: Final = typeid("task", 1_790_000_000_000, 7)
CURSOR: Final = cursor_after(KEYRING, LIST, TASK_ID)


def code_of(cursor: str, *, keyring: Keyring = KEYRING, wanted: TaskFilter = LIST) -> str | None:
    """Why it is refused; None: it is taken."""
    try:
        task_before(keyring, wanted, cursor)
    except ApiError as exc:
        return exc.code
    return None


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**74 - 1))
def test_a_cursor_leads_back_to_its_task(at: int, random_bits: int) -> None:
    task_id = typeid("task", at, random_bits)
    assert task_before(KEYRING, LIST, cursor_after(KEYRING, LIST, task_id)) == task_id


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_an_invented_cursor_is_refused(cursor: str) -> None:
    assert code_of(cursor) == "invalid_cursor"


@given(st.integers(0, len(CURSOR) - 1))
def test_a_truncated_cursor_is_refused(length: int) -> None:
    assert code_of(CURSOR[:length]) == "invalid_cursor"
    assert code_of(CURSOR[length + 1 :]) == "invalid_cursor"


def test_a_cursor_with_another_character_is_refused() -> None:
    taken = {
        changed
        for place in range(len(CURSOR))
        for character in map(chr, range(256))
        if code_of(changed := f"{CURSOR[:place]}{character}{CURSOR[place + 1 :]}") is None
    }
    assert taken == {CURSOR}


@given(st.integers(0, len(base64.urlsafe_b64decode(CURSOR)) * 8 - 1))
def test_a_cursor_with_a_flipped_bit_is_refused(bit: int) -> None:
    raw = bytearray(base64.urlsafe_b64decode(CURSOR))
    raw[bit // 8] ^= 1 << bit % 8
    assert code_of(base64.urlsafe_b64encode(raw).decode()) == "invalid_cursor"


@pytest.mark.parametrize(
    "wanted",
    [TaskFilter(project="other"), TaskFilter(project=None)],
    ids=["another project", "every project"],
)
def test_a_cursor_of_another_list_is_refused(wanted: TaskFilter) -> None:
    assert code_of(CURSOR, wanted=wanted) == "invalid_cursor"


def test_a_cursor_of_another_gateway_is_refused() -> None:
    assert code_of(CURSOR, keyring=Keyring({"k1": b"n" * 32})) == "invalid_cursor"


def test_a_cursor_outlives_a_new_master_key() -> None:
    assert code_of(CURSOR, keyring=Keyring({"k2": b"n" * 32, "k1": b"m" * 32})) is None
