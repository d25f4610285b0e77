"""The audit: every stored row, checked against the invariants of `lifecycle.md`.

It reads one consistent moment, task by task: its memory does not grow with the database, and a
gateway may run beside it.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final, Generic, TypeVar

import msgspec

from gateway.domain.deliveries.endpoint import Endpoint, Subscription
from gateway.domain.deliveries.own_event import OwnEvent
from gateway.domain.invariants.alert import AlertRows, check_alert
from gateway.domain.invariants.endpoint import EndpointRows, check_endpoint
from gateway.domain.invariants.own_event import LaneRows, check_lane
from gateway.domain.invariants.task_rows import (
    DeliveryRow,
    Problem,
    ProblemName,
    TaskRows,
)
from gateway.domain.invariants.task_state import check_task
from gateway.domain.tasks.task import Frozen, Task
from gateway.store.sql import rows
from gateway.store.sql.admin.check_database import check_database
from gateway.store.sql.admin.check_groups import GroupCounts
from gateway.store.sql.admin.database import Damaged, Database, OnProgress
from gateway.store.sql.alerts import ALERTS

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns

# Each in the order of its tasks, along an index.
_TASKS: Final = f"SELECT {rows.TASK}, due_at FROM tasks ORDER BY id"
_EVENTS: Final = f"SELECT {rows.EVENT} FROM events ORDER BY task_id, task_seq"
_ATTEMPTS: Final = f"SELECT {rows.ATTEMPT} FROM attempts ORDER BY task_id, number"
_JOBS: Final = f"""
SELECT {rows.JOB} FROM jobs WHERE task_id IS NOT NULL ORDER BY task_id"""
_DELIVERIES: Final = """
SELECT endpoint_id, seq, task_id, task_seq, status, attempts, next_attempt_at
FROM deliveries ORDER BY task_id"""
# Their ids come before those of alerts, and these before those of tasks: the rows of all are read
# along in one order.
# Deleted ones too: their events stay.
_ENDPOINTS: Final = f"SELECT {rows.ENDPOINT} FROM endpoints ORDER BY id"
_SUBSCRIPTIONS: Final = """
SELECT wanted.endpoint_id, wanted.after_seq, wanted.event_types, endpoint.project,
    endpoint.customer, endpoint.implicit
FROM endpoints AS endpoint CROSS JOIN subscriptions AS wanted
    ON wanted.endpoint_id = endpoint.id
ORDER BY endpoint.id, wanted.after_seq"""
# Their lanes come behind the alerts: `own_` is behind `ops_`.
_OWN_EVENTS: Final = """
SELECT event.task_id, own.seq, own.project, own.customer
FROM own_events AS own CROSS JOIN events AS event ON event.seq = own.seq
WHERE event.task_id >= 'own_' AND event.task_id < 'own`'
ORDER BY event.task_id, event.task_seq"""
_PENDING: Final = "SELECT count(*) FROM deliveries WHERE status = 'pending'"
_COUNT_EVENTS: Final = "SELECT count(*) FROM events"
_COUNT_TASKS: Final = "SELECT count(*) FROM tasks"

NOTED: Final = 500
"""Tasks between two signs of progress."""

SHOWN: Final = 10
"""Problems of one name that are listed; the others are only counted."""


class Audit(Frozen, frozen=True, kw_only=True):
    """The findings."""

    tasks: int
    events: int
    pending: int
    """Deliveries that are still to be made."""
    total: int
    """Problems, whether they are listed or not."""
    problems: tuple[str, ...]
    """Some of each name, and how many more there are."""


def audit_rows(
    database: Database,
    storage: Iterable[Problem],
    *,
    key_ids: Container[str] | None,
    on_progress: OnProgress,
) -> Audit:
    """Checks all rows at one moment; call it inside a transaction. `storage` are the problems of
    what they are stored in."""
    found = _Findings()
    tasks = events = pending = 0
    try:
        found.add(storage)
        found.add(check_database(database, key_ids))
        auditor = _Auditor(database, on_progress)
        found.add(auditor.problems())
        tasks = auditor.tasks
        events, pending = _one(database, _COUNT_EVENTS), _one(database, _PENDING)
    except Damaged as exc:
        found.add([Problem(name="integrity", subject="database", detail=f"{exc}")])
    return Audit(
        tasks=tasks, events=events, pending=pending, total=found.total, problems=found.listed()
    )


class _Findings:
    """All problems counted, the first of each name kept."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._shown: list[str] = []

    def add(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._counts[problem.name] += 1
            if self._counts[problem.name] <= SHOWN:
                self._shown.append(str(problem))

    @property
    def total(self) -> int:
        return self._counts.total()

    def listed(self) -> tuple[str, ...]:
        more = (
            f"{name}: {count - SHOWN} more" for name, count in self._counts.items() if count > SHOWN
        )
        return (*self._shown, *more)


T = TypeVar("T")


class MergeCursor(Generic[T]):
    """The rows of one table, read along with the tasks and endpoints they belong to."""

    def __init__(
        self,
        database: Database,
        statement: str,
        read: Callable[[rows.Row], T],
        *,
        task_id: int,
    ) -> None:
        self.problems: list[Problem] = []
        """Rows that belong to no task, or cannot be read."""
        self._name = statement.rpartition("FROM ")[2].split()[0]
        self._rows: Iterator[rows.Row] = database.stream(statement)
        self._read: Final = read
        self._task_id = task_id
        self._head = next(self._rows, None)

    def of(self, task_id: str) -> Iterator[T]:
        """The rows of the task; call it in the order of the tasks' ids."""
        while self._head is not None and self._head[self._task_id] <= task_id:
            row, self._head = self._head, next(self._rows, None)
            if row[self._task_id] != task_id:
                self._note("no_task", row, "it belongs to no task")
                continue
            try:
                value = self._read(row)
            except UNREADABLE as exc:
                self._note("row_unreadable", row, f"{exc}")
                continue
            yield value

    def rest(self) -> None:
        """Whatever is left belongs to no task."""
        while self._head is not None:
            self._note("no_task", self._head, "it belongs to no task")
            self._head = next(self._rows, None)

    def _note(self, name: ProblemName, row: rows.Row, detail: str) -> None:
        subject = str(row[self._task_id])
        self.problems.append(
            Problem(name=name, subject=subject, detail=f"a row of {self._name}: {detail}")
        )


UNREADABLE: Final = (msgspec.MsgspecError, KeyError, TypeError, ValueError)
"""The errors of reading a row with a value that its column must not hold."""


class _Subscriptions:
    """The subscriptions of all endpoints, which are few, compared with tasks."""

    def __init__(self, database: Database) -> None:
        self._of_project: dict[str, list[Subscription]] = defaultdict(list)
        self._of_callback: dict[str, list[Subscription]] = defaultdict(list)
        self._of_customers: dict[str, list[tuple[str | None, Subscription]]] = defaultdict(list)
        for *row, project, customer, implicit in database.stream(_SUBSCRIPTIONS):
            wanted = rows.SUBSCRIPTION.read(row)
            if not implicit:
                self._of_customers[project].append((customer, wanted))
            if customer is not None:
                continue
            home = self._of_callback if implicit else self._of_project
            home[wanted.endpoint_id if implicit else project].append(wanted)

    def of(self, task: Task) -> tuple[Subscription, ...]:
        """The subscriptions of the endpoints that may get events of a task."""
        callback = self._of_callback.get(task.endpoint_id or "", ())
        return (*self._of_project.get(task.project, ()), *callback)

    def of_project(self, project: str) -> tuple[tuple[str | None, Subscription], ...]:
        """The subscriptions of the endpoints that may get own events, each with its customer."""
        return tuple(self._of_customers.get(project, ()))

    def explicit(self) -> tuple[Subscription, ...]:
        """The subscriptions of the endpoints of all projects."""
        return tuple(each for found in self._of_project.values() for each in found)

    def others(self, endpoint: Endpoint) -> tuple[Subscription, ...]:
        """The subscriptions of the endpoints that may get events of this one."""
        explicit = self._of_project.get(endpoint.project, ())
        return tuple(each for each in explicit if each.endpoint_id != endpoint.id)


class _Auditor:
    """Goes through all tasks once, with everything that is kept of each."""

    def __init__(self, database: Database, on_progress: OnProgress) -> None:
        self.tasks = 0
        self._on_progress = on_progress
        self._database = database
        self._events = MergeCursor(database, _EVENTS, rows.EVENT.read, task_id=0)
        self._attempts = MergeCursor(database, _ATTEMPTS, rows.ATTEMPT.read, task_id=0)
        self._jobs = MergeCursor(database, _JOBS, rows.JOB.read, task_id=2)
        self._deliveries = MergeCursor(database, _DELIVERIES, _delivery_from_row, task_id=2)
        self._subscriptions = _Subscriptions(database)
        self._groups = GroupCounts(database)
        self._cursors = (self._events, self._attempts, self._jobs, self._deliveries)

    def problems(self) -> Iterator[Problem]:
        for row in self._database.stream(_ENDPOINTS):
            yield from self._problems_of_endpoint(row)
            yield from self._problems_of_rows()
        for row in self._database.stream(ALERTS):
            yield from self._problems_of_alert(row)
            yield from self._problems_of_rows()
        for lane, found in groupby(self._database.stream(_OWN_EVENTS), key=itemgetter(0)):
            yield from self._problems_of_lane(str(lane), found)
            yield from self._problems_of_rows()
        total = _one(self._database, _COUNT_TASKS)
        for *row, due_at in self._database.stream(_TASKS):
            if self.tasks % NOTED == 0:
                self._on_progress(self.tasks, total)
            self.tasks += 1
            yield from self._problems_of(row, due_at)
            yield from self._problems_of_rows()
        for cursor in self._cursors:
            cursor.rest()
        yield from self._problems_of_rows()
        yield from self._groups.problems()

    def _problems_of_endpoint(self, row: rows.Row) -> Iterator[Problem]:
        endpoint_id = str(row[0])
        events = self._events.of(endpoint_id)
        deliveries = tuple(self._deliveries.of(endpoint_id))
        try:
            endpoint = rows.ENDPOINT.read(row)
        except UNREADABLE as exc:
            detail = f"a row of endpoints: {exc}"
            yield Problem(name="row_unreadable", subject=endpoint_id, detail=detail)
        else:
            task_rows = EndpointRows(
                endpoint=endpoint,
                deliveries=deliveries,
                subscriptions=self._subscriptions.others(endpoint),
            )
            yield from check_endpoint(task_rows, events)
        for _ in events:
            pass  # the events of an endpoint that cannot be read are none of the next

    def _problems_of_alert(self, row: rows.Row) -> Iterator[Problem]:
        alert = rows.ALERT.read(row)
        alert_rows = AlertRows(
            alert=alert,
            deliveries=tuple(self._deliveries.of(alert.id)),
            subscriptions=self._subscriptions.explicit(),
        )
        yield from check_alert(alert_rows, self._events.of(alert.id))

    def _problems_of_lane(self, lane: str, found: Iterable[rows.Row]) -> Iterator[Problem]:
        own = tuple(
            OwnEvent(seq=seq, project=project, customer=customer)
            for _, seq, project, customer in found
        )
        lane_rows = LaneRows(
            lane=lane,
            own=own,
            deliveries=tuple(self._deliveries.of(lane)),
            subscriptions=self._subscriptions.of_project(own[0].project),
        )
        yield from check_lane(lane_rows, self._events.of(lane))

    def _problems_of(self, row: list[object], due_at: int | None) -> Iterator[Problem]:
        task_id = str(row[0])
        events = self._events.of(task_id)
        attempts = tuple(self._attempts.of(task_id))
        jobs, deliveries = tuple(self._jobs.of(task_id)), tuple(self._deliveries.of(task_id))
        try:
            task = rows.TASK.read(row)
        except UNREADABLE as exc:
            yield Problem(name="row_unreadable", subject=task_id, detail=f"a row of tasks: {exc}")
            task = None
        if task is not None:
            self._groups.add(task)
            task_rows = TaskRows(
                task=task,
                due_at=due_at,
                attempts=attempts,
                jobs=jobs,
                deliveries=deliveries,
                subscriptions=self._subscriptions.of(task),
            )
            yield from check_task(task_rows, events)
        for _ in events:
            pass  # those of a task that cannot be read are none of the next one

    def _problems_of_rows(self) -> Iterator[Problem]:
        for cursor in self._cursors:
            yield from cursor.problems
            cursor.problems.clear()


def _delivery_from_row(row: rows.Row) -> DeliveryRow:
    return DeliveryRow(**dict(zip(DeliveryRow.__struct_fields__, row, strict=True)))


def _one(database: Database, statement: str) -> int:
    ((number,),) = database.fetch(statement)
    return int(number)
