"""Views that are drawn again and again, and the header of a task that is watched."""

from collections.abc import Callable

import msgspec
import pytest
from rich.console import Console
from rich.table import Table

from gateway.cli.console.live import redraw
from gateway.cli.console.terminal import folded, print_wide, table_of
from gateway.cli.console.times import age, local, local_time, until
from gateway.cli.http.client import decode
from gateway.cli.tasks.lists import short_repository, table_of_living, table_of_tasks
from gateway.cli.tasks.watch import Header, header_line
from gateway.wire.tasks import EventView, Page, TaskView
from tests.cli.operator import Json, Operator

AT = 1_790_000_000_000  # 2026-09-21T14:13:20Z


def test_a_view_is_drawn_until_it_is_interrupted(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = iter("abc")

    def sleep(_: float) -> None:
        if "c" in capsys.readouterr().out:
            raise KeyboardInterrupt

    redraw(lambda: next(drawn), sleep=sleep)
    assert next(drawn, None) is None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-09-21T14:12:40.000Z", "40s"),
        ("2026-09-21T14:03:20.000Z", "10m"),
        ("2026-09-21T10:13:20.000Z", "4h"),
        ("2026-09-18T14:13:20.000Z", "3d"),
        ("2026-09-21T15:13:20.000Z", "0s"),
        (None, ""),
    ],
)
def test_an_age_is_a_few_characters(moment: str | None, expected: str) -> None:
    assert age(moment, AT) == expected


def test_times_are_of_this_machine_and_foreign_texts_stay() -> None:
    assert (local("soon"), local(None), until("soon", AT)) == ("soon", "", ("soon", ""))
    assert len(local_time("2026-09-21T14:13:20.123Z")) == len("14:13:20.123")
    assert until("2026-09-21T14:14:00.000Z", AT)[1] == "in 40 s"
    assert until("2026-09-21T14:13:00.000Z", AT)[1] == "now"


def test_a_repository_is_its_owner_and_name() -> None:
    assert short_repository("https://github.com/acme/widgets.git") == "acme/widgets"
    assert short_repository("/srv/git/widgets/") == "git/widgets"


@pytest.mark.parametrize(
    ("code", "columns"), [("clone_failed", "code repo title"), ("continued_no_more", "code title")]
)
def test_a_list_of_tasks_fits_on_eighty_columns(
    operator: Operator, code: str, columns: str
) -> None:
    failed = operator.creates(prompt="Mend " * 40)
    error = {"stage": "clone", "code": code, "message": "no", "retryable": False}
    operator.says(failed, type="task.progress", stage="agent", message="reads " * 40)
    console = Console(width=1_000, force_terminal=False)

    def shown(table: Callable[[Page[TaskView], int], Table]) -> list[str]:
        listed = operator.types("tasks", "list", "--limit=1", "--json").out.encode()
        console.print(table(decode(Page[TaskView], listed), 80))
        return operator.capsys.readouterr().out.splitlines()

    assert len(shown(table_of_living)[1].rstrip()) in {79, 80}, "all columns are used"
    operator.says(failed, type="task.failed", error=error)
    names, row = shown(table_of_tasks)
    assert names.split()[3:] == columns.split()
    assert len(row.rstrip()) <= 80
    assert row.startswith(f"{failed}  failed")


def test_the_last_column_of_a_table_is_folded_if_that_makes_it_fit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("vm-1", "local@" + "8" * 60)]
    for width, lines in ((40, 3), (10, 2)):
        print_wide(folded(table_of(("id", "providers"), rows), width))
        assert len(capsys.readouterr().out.splitlines()) == lines


def test_the_header_shows_the_task_and_the_end_of_its_log(operator: Operator) -> None:
    made = operator.creates()
    operator.says(made, type="task.progress", stage="agent", message="reads \x1b[2Jtests")
    task = decode(TaskView, operator.types("tasks", "show", made, "--json").out.encode())
    assert f"{made} · running · agent · " in header_line(task, AT)

    chunk = "".join(f"line {number}\n" for number in range(9))
    operator.says(made, type="task.log", chunk=chunk, offset=0)
    events: list[Json] = operator.types("tasks", "events", made, "--json").document["data"]
    (log,) = (event for event in events if event["type"] == "task.log")
    header = Header(task)
    for data in (log["data"], {"chunk": 7}):
        header.note_log(decode(EventView, msgspec.json.encode({**log, "data": data})))
    console = Console(width=80, force_terminal=False)
    with console.capture() as captured:
        console.print(header)
    shown = captured.get()
    assert "reads" in shown
    assert "\x1b[2J" not in shown
    assert "next " in shown
    assert "line 8" in shown
    assert "line 2\n" not in shown
