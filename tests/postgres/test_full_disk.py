"""A server whose disk is full, and has room again."""

import os
import random
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
import pytest

from tests.launcher.conditions import until_answered
from tests.postgres.databases import new_database
from tests.postgres.gateways import gateway_on, keys_of
from tests.postgres.test_outages import created, refused_as
from tests.web.callers import TASK

SIZE: Final = "48m"
NAME: Final = f"small_{os.getpid()}"
PIECE: Final = b"\0" * 65_536


@contextmanager
def small_disk() -> Iterator[Path]:
    """A disk of its own, in memory; skips the test where none can be had."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=777", "tmpfs", folder]
        if os.geteuid() or subprocess.run(words, check=False, capture_output=True).returncode:
            pytest.skip("no right to mount a small disk")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def tablespace(url: str, disk: Path) -> Iterator[None]:
    """The tables of the database are on this disk; the log of the server is not."""
    address, _, name = url.rpartition("/")
    with psycopg.connect(url, autocommit=True) as database:
        ((folder,),) = database.execute("SHOW data_directory").fetchall()
    place = disk / "tables"
    place.mkdir()
    owner = Path(folder).stat()
    os.chown(place, owner.st_uid, owner.st_gid)
    with psycopg.connect(f"{address}/postgres", autocommit=True) as admin:
        admin.execute(f"CREATE TABLESPACE {NAME} LOCATION '{place}'")
        try:
            admin.execute(f"ALTER DATABASE {name} SET TABLESPACE {NAME}")
            yield
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
            admin.execute(f"ALTER DATABASE {name} SET TABLESPACE pg_default")
        finally:
            admin.execute(f"DROP TABLESPACE {NAME}")


def fill(file: Path) -> None:
    """Takes all the space that is left."""
    with file.open("wb", buffering=0) as filler:
        try:
            while filler.write(PIECE):
                pass
        except OSError:
            return


async def test_on_a_full_disk_reads_go_on_and_writes_as_soon_as_there_is_room() -> None:
    noise = "".join(random.Random(0).choices("0123456789abcdefghijklmnopqrstuvwxyz", k=150_000))
    with small_disk() as disk, new_database() as url, tablespace(url, disk):
        async with gateway_on(url, keys_of(url)) as gateway:
            task = await gateway.create()
            fill(disk / "filler")

            async def is_shown() -> bool:
                """A small write may find room in a page that there is, and end it."""
                large = TASK | {"prompt": noise}
                await refused_as("read_only", lambda: gateway.post("/v1/tasks", large))
                (problem, *_) = (await gateway.get("/v1/status", "ops")).json()["problems"]
                return bool(problem["code"] == "read_only")

            await until_answered(is_shown, "a problem read_only")
            assert (await gateway.task(task["id"]))["status"] == "queued"
            (disk / "filler").unlink()
            await created(gateway)
