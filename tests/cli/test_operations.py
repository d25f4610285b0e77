"""`launchers list` and `reconcile --dry-run` against a real gateway."""

from gateway.cli.console.times import zone
from tests.cli.operator import Operator


def test_launchers_are_listed_one_a_line(ops: Operator) -> None:
    ops.claims()
    typed = ops.types("launchers", "list")
    assert typed.code == 0
    header, line, *_ = typed.out.splitlines()
    assert header.split()[:2] == ["id", "live"]
    assert line.split()[:2] == ["l-1", "yes"]
    assert "local@here" in line
    (listed,) = ops.types("launchers", "list", "--json").document["data"]
    assert listed["id"] == "l-1"


def test_what_would_be_done_within_an_hour_is_told_by_task(ops: Operator) -> None:
    task = ops.creates()
    typed = ops.types("reconcile", "--dry-run", "--within=3600", "--limit=200")
    assert typed.code == 0
    lines = typed.out.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith(task))
    assert "queued → expired: " in lines[at]
    assert lines[at].endswith(f" {zone()}")
    assert lines[at + 1] == "  would emit task.expired"
    told = ops.types("reconcile", "--dry-run", "--within=3600", "--json").document
    assert {"at", "data", "isWhole", "nextDueAt", "outageSince"} == told.keys()


def test_nothing_due_says_when_something_is(ops: Operator) -> None:
    ops.creates()
    told = ops.types("reconcile", "--dry-run").out
    assert told.startswith("Nothing is due; next at 20")
    assert told.endswith(f" {zone()}.\n")


def test_without_dry_run_it_is_a_usage_error(ops: Operator) -> None:
    typed = ops.types("reconcile")
    assert typed.code == 2
    assert "by itself" in typed.err


def test_another_key_is_told_which_one_it_takes(operator: Operator) -> None:
    typed = operator.types("launchers", "list")
    assert typed.code == 1
    assert "scope ops" in typed.err


def test_changes_are_listed_with_their_actors(ops: Operator) -> None:
    task = ops.creates()
    typed = ops.types("audit", "--limit=1")
    assert typed.code == 0
    assert {"task.created", task, zone()} <= set(typed.out.split())
    (entry,) = ops.types("audit", "--limit=1", "--json").document["data"]
    assert entry["actor"].startswith("key:key_")
    assert ops.types("audit", f"--actor={entry['actor']}", "--after=2999-01-01T00:00:00Z").code == 0
    assert ops.types("audit", "--after=tomorrow").code == 1
