"""`slipgate tasks …` against a real gateway: what an operator reads."""

import pytest

from tests.cli.operator import Operator

FAILURE = {"stage": "agent", "code": "model_auth", "message": "401: no.", "retryable": False}


def test_explain_says_how_it_stands_what_is_next_and_how_we_know(operator: Operator) -> None:
    task = operator.creates(prompt="Mend [bold]it[/]")
    typed = operator.types("tasks", "explain", task)
    assert typed.code == 0
    sentence, waiting, *rest = typed.out.splitlines()
    assert sentence.startswith("queued since ")
    assert waiting.startswith("waiting for ")
    assert "next (UTC)" in rest
    assert any(line.endswith("unless a launcher has claimed it") for line in rest)
    assert rest[rest.index("evidence") + 1 :][-1].endswith(": Mend [bold]it[/]")


def test_explain_as_json_is_the_document_of_the_gateway(operator: Operator) -> None:
    told = operator.types("tasks", "explain", operator.creates(), "--json").document
    assert list(told) == ["status", "summary", "waitingFor", "next", "evidence"]


def test_explain_of_an_ended_task_has_no_empty_table(operator: Operator) -> None:
    task = operator.creates()
    operator.types("tasks", "cancel", task)
    typed = operator.types("tasks", "explain", task)
    assert typed.out.startswith("cancelled at ")
    assert "next" not in typed.out
    assert "waiting for" not in typed.out


def test_show_begins_with_the_sentence(operator: Operator) -> None:
    task = operator.creates()
    lines = operator.types("tasks", "show", task).out.splitlines()
    assert lines[0].startswith("queued since ")
    assert lines[1] == f"task          {task}"
    assert "status        queued (attempt 1 of 1)" in lines


def test_a_list_shows_whole_ids_however_narrow_the_terminal(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    task = operator.creates(prompt="A long title " * 20)
    assert task in operator.types("tasks", "list").out


def test_cancel_and_retry_say_what_comes_of_it(operator: Operator) -> None:
    task = operator.creates()
    assert operator.types("tasks", "cancel", task).out.startswith("cancelled at ")
    assert operator.types("tasks", "retry", task).out.startswith("queued (attempt 2) since ")
    assert "attempt 2)\n" in operator.types("tasks", "show", task).out


def test_watch_follows_to_the_end_and_says_where_to_look(operator: Operator) -> None:
    task = operator.creates()
    operator.says(task, type="task.progress", stage="agent", message="turn 1 of 60")
    operator.says(task, type="task.failed", error=FAILURE)
    typed = operator.types("tasks", "watch", task)
    assert typed.code == 1
    assert "agent: turn 1 of 60" in typed.out
    assert "model_auth in agent: 401: no" in typed.out
    assert f"slipgate tasks explain {task}" in typed.err
