"""Look-ups of API keys: one read for all waiting callers, and a short cache."""

import asyncio
import hashlib

import pytest

from gateway.domain.kernel.errors import ApiError
from gateway.domain.operations.api_key import ApiKey
from gateway.web.http.auth import REMEMBER_MS, Keys

TEXT = "slip_tasks_" + "a" * 43
KEY = ApiKey(id="key_1", scope="tasks", project="default", name="t")


class Book:
    """Answers when it is opened, and counts who asked."""

    def __init__(self) -> None:
        self.now = 1_000
        self.asked: list[bytes] = []
        self.opened = asyncio.Event()
        self.key: ApiKey | None = KEY

    async def find(self, digest: bytes) -> ApiKey | None:
        self.asked.append(digest)
        await self.opened.wait()
        return self.key

    def keys(self) -> Keys:
        return Keys(self.find, lambda: self.now)


async def test_those_who_come_together_share_one_look() -> None:
    book = Book()
    keys = book.keys()
    callers = [asyncio.ensure_future(keys.of(f"Bearer {TEXT}")) for _ in range(3)]
    await asyncio.sleep(0)
    book.opened.set()
    assert await asyncio.gather(*callers) == [KEY, KEY, KEY]
    assert book.asked == [hashlib.sha256(TEXT.encode()).digest()]


async def test_a_caller_that_leaves_takes_nobody_with_it() -> None:
    book = Book()
    keys = book.keys()
    callers = [asyncio.ensure_future(keys.of(f"Bearer {TEXT}")) for _ in range(3)]
    await asyncio.sleep(0)
    callers[0].cancel()
    book.opened.set()
    assert await asyncio.gather(*callers[1:]) == [KEY, KEY]


@pytest.mark.parametrize("later", [REMEMBER_MS, -3_600_000], ids=["a moment", "a clock set back"])
async def test_a_revoked_key_is_remembered_for_a_moment_only(later: int) -> None:
    book = Book()
    book.opened.set()
    keys = book.keys()
    assert await keys.of(f"bearer {TEXT}") == KEY
    book.key = None
    assert await keys.of(f"Bearer {TEXT}") == KEY
    book.now += later
    with pytest.raises(ApiError, match="unauthorized"):
        await keys.of(f"Bearer {TEXT}")


@pytest.mark.parametrize("header", ["", TEXT, f"Basic {TEXT}", f"Bearer  {TEXT}", "Bearer slip_x"])
async def test_a_known_key_in_another_form_is_none(header: str) -> None:
    book = Book()
    book.opened.set()
    keys = book.keys()
    await keys.of(f"Bearer {TEXT}")
    with pytest.raises(ApiError, match="unauthorized"):
        await keys.of(header)
