"""A database as it is after so many tasks: lives that were lived, copied under other ids."""

import gc
import os
import random
import re
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final

from gateway.domain.kernel import commands as c
from gateway.domain.kernel.ids import RANDOM_BITS, typeid
from gateway.domain.kernel.keyring import Keyring
from gateway.domain.kernel.policy import Policy
from gateway.ledger import Ledger
from gateway.store.sql.admin.master_keys import REMEMBER
from gateway.store.sqlite.migrations import FOLDER, migrate
from gateway.store.sqlite.store import open_sqlite
from tests.benchmarks.lives import ASKED, ENDED, LIVING, USER, WEEK, Clock, Life, Story
from tests.benchmarks.servers import MASTER

DAYS: Final = 20
"""So long ago the first task was created."""
TASKS_PER_USER: Final = 40
AT_ONCE: Final = 2_000
"""Lives whose events are interleaved, as those of tasks that run at the same time are."""
_CREATED_AT: Final = 1_700_000_000_000
_FIRST_MOMENT: Final = 1_500_000_000_000
"""A greater number in a row is a moment in milliseconds."""
_MOMENT: Final = re.compile(r"\b1[5-9]\d{11}\b")
_HASTE: Final = (
    "journal_mode = OFF",
    "synchronous = OFF",
    "cache_size = -1000000",
    "ignore_check_constraints = ON",  # what is copied was checked when it was lived
)

Row = list[Any]


@dataclass(frozen=True, kw_only=True)
class Copy:
    """One task of the new database."""

    task_id: str
    user: str
    later: int
    """Milliseconds by which its life is later than the one it copies."""
    numbers: dict[int, int]
    """Numbers of its events, by those of the life it copies."""
    repository: str


Change = Callable[[Any, Copy], object]


@dataclass(frozen=True, kw_only=True)
class Original:
    """A row of a life, with the columns that differ in a copy."""

    values: Row
    changes: Sequence[tuple[int, Change]]

    def copied(self, copy: Copy) -> Row:
        """The row of the copy."""
        values = self.values.copy()
        for index, change in self.changes:
            values[index] = change(values[index], copy)
        return values


@dataclass(frozen=True, kw_only=True)
class Lived:
    """All rows of one life, and when its last event was (milliseconds)."""

    task_id: str
    created_at: int
    ended_at: int
    moments: Sequence[tuple[int, int]]
    """The time and number of each of its events."""
    rows: Mapping[str, Sequence[Original]]


async def fill(
    path: Path,
    tasks: int,
    *,
    living: int,
    alive: Mapping[Story, int] = LIVING,
    days: float = DAYS,
    repositories: int = 1,
) -> None:
    """Makes a database of so many tasks, the newest `living` of which are `alive` like this."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        originals = Path(folder) / "originals.db"
        lives = await _live(originals)
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            migrate(database)
            for pragma in _HASTE:
                database.execute(f"PRAGMA {pragma}")
            indexes = _drop_indexes(database)
            database.execute("BEGIN")
            _copy_shared(database, originals)
            # What is sealed in here is of no key; that is known as ours, all the same.
            fingerprint = Keyring({"k1": MASTER}).fingerprint("k1")
            database.execute(REMEMBER, {"id": "k1", "fingerprint": fingerprint})
            gc.disable()  # there are no cycles, only millions of rows
            stories = (*_mixed(ENDED, tasks - living), *_mixed(alive, living))
            _copy_lives(database, lives, stories, days=days, repositories=repositories)
            gc.enable()
            for statement in indexes:  # sorted once, which is faster than row by row
                database.execute(statement)
            database.execute("COMMIT")
            # The migration counts what it finds.
            for statement in re.findall(r"INSERT[^;]+", (FOLDER / "0023_counts.sql").read_text()):
                database.execute(statement)
    with path.open("rb") as file:  # or the gateway's first commit waits for all of it
        os.fsync(file.fileno())


def _drop_indexes(database: sqlite3.Connection) -> list[str]:
    """Drops the indexes and returns the statements that create them again."""
    found = database.execute(
        "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    ).fetchall()
    for name, _ in found:
        database.execute(f"DROP INDEX {name}")
    return [statement for _, statement in found]


async def _live(path: Path) -> dict[Story, Lived]:
    clock = Clock(_CREATED_AT)
    lives: dict[Story, Life] = {}
    ended: dict[Story, int] = {}
    policy = Policy(key_id="k1", progress=WEEK * 1000)
    async with (
        open_sqlite(path, new_instance_id=lambda: "ins_benchmark") as store,
        Ledger(store, policy, clock=clock).running() as ledger,
    ):
        for number, story in enumerate((*ENDED, *LIVING)):
            task_id = typeid("task", clock.now, number)
            lives[story] = Life(ledger, clock, task_id)
            await story(lives[story])
            ended[story] = clock.now
            if story in ENDED:
                await ledger.submit(c.Prune(at=clock.now + 2 * 86_400_000, env_of=(task_id,)))
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        _settle_deliveries(database)
        return {story: _read(database, life, ended[story]) for story, life in lives.items()}


def _settle_deliveries(database: sqlite3.Connection) -> None:
    """Every event was told to the frontend at once."""
    database.execute(
        "INSERT INTO delivery_attempts (endpoint_id, seq, number, at, trigger, status, duration_ms)"
        " SELECT endpoint_id, seq, 1, next_attempt_at, 'auto', 200, 12 FROM deliveries"
    )
    database.execute(
        "UPDATE deliveries SET status = 'delivered', attempts = 1, next_attempt_at = NULL"
    )


def _read(database: sqlite3.Connection, life: Life, ended_at: int) -> Lived:
    rows = {
        table: [_original(columns, list(row), life.task_id) for row in found]
        for table, columns, found in _rows_of(database, life.task_id)
    }
    moments = database.execute("SELECT at, seq FROM events WHERE task_id = ?", (life.task_id,))
    return Lived(
        task_id=life.task_id,
        created_at=life.created_at,
        ended_at=ended_at,
        moments=list(moments),
        rows=rows,
    )


def _rows_of(
    database: sqlite3.Connection, task_id: str
) -> Iterator[tuple[str, list[str], list[tuple[Any, ...]]]]:
    """The rows of a task in every table that exists."""
    for table in _tables(database):
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
        if table == "tasks":
            where = "id = ?"
        elif "task_id" in columns:
            where = "task_id = ?"
        elif "seq" in columns and table != "ledger":
            where = "seq IN (SELECT seq FROM events WHERE task_id = ?)"
        else:
            continue
        found = database.execute(f"SELECT * FROM {table} WHERE {where}", (task_id,)).fetchall()  # noqa: S608 - a table's name
        if found:
            yield table, columns, found


def _tables(database: sqlite3.Connection) -> list[str]:
    """Parents first: the order in which they were made."""
    listed = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return [name for (name,) in database.execute(listed)]


def _original(columns: Sequence[str], values: Row, task_id: str) -> Original:
    is_task = "project" in columns  # whose `seq` is a number within itself
    changes = [
        (index, change)
        for index, (column, value) in enumerate(zip(columns, values, strict=True))
        if (change := _change(column, value, task_id, is_task=is_task)) is not None
    ]
    return Original(values=values, changes=changes)


def _change(column: str, value: object, task_id: str, *, is_task: bool) -> Change | None:
    if column == "seq" and not is_task:
        return lambda number, copy: copy.numbers[number]
    if isinstance(value, int) and value > _FIRST_MOMENT:
        return lambda moment, copy: moment + copy.later
    if isinstance(value, str):
        return _text_change(value, task_id)
    return None


def _text_change(text: str, task_id: str) -> Change | None:
    if _MOMENT.search(text):
        return lambda text, copy: _MOMENT.sub(lambda found: str(int(found[0]) + copy.later), text)
    if USER in text or ASKED.repo_url in text:
        return lambda text, copy: text.replace(USER, copy.user).replace(
            ASKED.repo_url, copy.repository
        )
    if text == task_id:
        return lambda _, copy: copy.task_id
    # A job's id has all of it but the prefix, a sandbox's name only the end.
    for start in (len("task_"), len(task_id) - 20):
        if (part := task_id[start:]) in text:
            return lambda text, copy: text.replace(part, copy.task_id[start:])
    return None


def _copy_shared(database: sqlite3.Connection, originals: Path) -> None:
    """Copies the rows that belong to no task."""
    database.execute("ATTACH ? AS originals", (str(originals),))
    for table in ("ledger", "endpoints", "subscriptions", "launchers"):
        database.execute(f"INSERT INTO {table} SELECT * FROM originals.{table}")  # noqa: S608 - a table's name


def _copy_lives(
    database: sqlite3.Connection,
    lives: Mapping[Story, Lived],
    stories: Sequence[Story],
    *,
    days: float,
    repositories: int,
) -> None:
    seeded = random.Random(7)
    now = time.time_ns() // 1_000_000
    tasks = len(stories)
    step = int(days * 86_400_000) // tasks
    seq = 0
    moment = now - tasks * step
    for first in range(0, tasks, AT_ONCE):
        some = stories[first : first + AT_ONCE]
        copies = []
        for story in some:
            moment += step
            user = seeded.randrange(1 + tasks // TASKS_PER_USER)
            copy = _copy_of(lives[story], moment, user, seeded)
            number = user % repositories
            repository = f"{ASKED.repo_url}-{number}" if number else ASKED.repo_url
            copies.append((lives[story], replace(copy, repository=repository)))
        seq = _number(copies, seq)
        _write(database, copies)
    database.execute("UPDATE ledger SET seq = ?", (seq,))


def _mixed(shares: Mapping[Story, int], count: int) -> Iterator[Story]:
    hundred = list(Counter(shares).elements())
    random.Random(7).shuffle(hundred)
    return islice(cycle(hundred), count)


def _copy_of(life: Lived, ended_at: int, user: int, seeded: random.Random) -> Copy:
    later = ended_at - life.ended_at
    return Copy(
        task_id=typeid("task", life.created_at + later, seeded.getrandbits(RANDOM_BITS)),
        user=f"user-{user:07}",
        later=later,
        numbers={},
        repository=ASKED.repo_url,
    )


def _number(copies: Sequence[tuple[Lived, Copy]], seq: int) -> int:
    """Events get their numbers in the order in which they happened; the last number."""
    happened = [
        (at + copy.later, number, copy.numbers)
        for life, copy in copies
        for at, number in life.moments
    ]
    happened.sort(key=lambda event: event[0])
    for offset, (_, number, numbers) in enumerate(happened, 1):
        numbers[number] = seq + offset
    return seq + len(happened)


def _write(database: sqlite3.Connection, copies: Sequence[tuple[Lived, Copy]]) -> None:
    written: dict[str, list[Row]] = {}
    for life, copy in copies:
        for table, originals in life.rows.items():
            written.setdefault(table, []).extend(row.copied(copy) for row in originals)
    written["events"].sort(key=lambda row: row[0])
    for table, rows in written.items():
        marks = ", ".join("?" * len(rows[0]))
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", rows)  # noqa: S608 - a table's name
