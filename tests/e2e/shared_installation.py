"""An installation that the tests of a module share, made anew after a test that broke it."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from gateway.demo.script import MEND_SAMPLE, SUBMIT, Script
from tests.e2e.installation import Installation, installation
from tests.stores import NewDatabase

SHORT: Final[Script] = (MEND_SAMPLE[2], SUBMIT)
"""Two turns: where tasks are killed a longer conversation only takes time."""


Databases = Callable[[Path], AbstractContextManager[NewDatabase]]


class SharedInstallation:
    """Keeps one installation open, in a task of its own: its contexts belong to one task."""

    def __init__(self, new_folder: Callable[[], Path], new_database: Databases) -> None:
        self._new_folder = new_folder
        self._new_database = new_database
        self._installation: Installation | None = None
        self._task: asyncio.Task[None] | None = None
        self._leave = asyncio.Event()

    async def enter(self) -> Installation:
        """An installation in which nothing of an earlier test lives on."""
        if self._installation is not None and not self._installation.is_clean():
            await self.close()
        if self._installation is None:
            self._installation = await self._open()
        self._installation.begin()
        return self._installation

    async def close(self) -> None:
        """Ends it; raises what went wrong inside it. Where a test failed, it waits for nothing."""
        if self._installation is not None and not self._installation.is_clean():
            await self._installation.abandon()
        self._leave.set()
        task, self._task, self._installation = self._task, None, None
        if task is not None:
            await task

    async def _open(self) -> Installation:
        self._leave = asyncio.Event()
        opened: asyncio.Future[Installation] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._live(opened, self._leave))
        first: set[asyncio.Future[Any]] = {opened, self._task}
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            await self.close()
        return opened.result()

    async def _live(self, opened: asyncio.Future[Installation], leave: asyncio.Event) -> None:
        folder = self._new_folder()
        with self._new_database(folder) as database:
            async with installation(folder, database=database, choose=lambda _: SHORT) as it:
                opened.set_result(it)
                await leave.wait()
