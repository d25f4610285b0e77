"""`slipgate tasks …` against a real gateway: what an operator reads."""

from pathlib import Path

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


def test_ops_release_a_sandbox_and_read_what_comes_of_it(
    operator: Operator, gateway_process: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    task = operator.creates()
    operator.says(task, type="task.failed", error=FAILURE)
    words = ("tasks", "release", task, "--attempt", "1", "--reason", "the host burned down")
    refused = operator.types(*words)
    assert (refused.code, "forbidden" in refused.err) == (1, True)
    monkeypatch.setenv("SLIPGATE_API_KEY", (gateway_process[1] / "ops").read_text())
    assert operator.types(*words).out.startswith("failed at ")
    assert operator.types(*words, "--json").document["id"] == task


def test_receipts_are_a_table_that_says_whether_their_signature_holds(operator: Operator) -> None:
    task = operator.creates()
    receipt = {"command": "make test", "exitCode": 2, "seconds": 1.25, "reason": "no [b]luck[/]"}
    operator.says(task, type="task.needs_review", validation=[receipt])
    typed = operator.types("tasks", "receipts", task)
    assert typed.code == 0
    names, row, signature = typed.out.splitlines()
    assert names.split() == ["status", "exit", "code", "seconds", "command", "reason"]
    assert row.split() == ["failed", "2", "1.2", "make", "test", "no", "[b]luck[/]"]
    assert signature == "attempt 1: not verified"

    other = operator.creates()
    assert operator.types("tasks", "receipts", other).out == "no check ran in attempt 1\n"
    forged = {"validation": [receipt], "receiptsSignature": "v1,Zm9yZ2Vk"}
    operator.says(other, type="task.needs_review", **forged)
    refused = operator.types("tasks", "receipts", other)
    assert (refused.code, "not those that the agent signed" in refused.err) == (1, True)
    as_json = operator.types("tasks", "receipts", other, "--json")
    assert (as_json.code, as_json.document["verified"]) == (1, False)


def test_watch_follows_to_the_end_and_says_where_to_look(operator: Operator) -> None:
    task = operator.creates()
    operator.says(task, type="task.progress", stage="agent", message="turn 1 of 60")
    operator.says(task, type="task.failed", error=FAILURE)
    typed = operator.types("tasks", "watch", task)
    assert typed.code == 1
    assert "agent: turn 1 of 60" in typed.out
    assert "model_auth in agent: 401: no" in typed.out
    assert f"slipgate tasks explain {task}" in typed.err


def test_a_log_is_printed_to_its_end_and_cannot_steer_the_terminal(operator: Operator) -> None:
    task = operator.creates()
    chunks = [f"line {number}\x1b[2J\n" for number in range(205)]
    for number, chunk in enumerate(chunks):
        operator.says(task, type="task.log", chunk=chunk, offset=number * 100)
    typed = operator.types("tasks", "logs", task)
    assert typed.out == "".join(f"line {number}[2J\n" for number in range(205))


def test_an_empty_log_says_so_beside_it(operator: Operator) -> None:
    typed = operator.types("tasks", "logs", operator.creates())
    assert (typed.code, typed.out) == (0, "")
    assert "nothing yet" in typed.err


def test_events_say_where_to_go_on(operator: Operator) -> None:
    task = operator.creates()
    operator.types("tasks", "cancel", task)
    first = operator.types("tasks", "events", task, "--limit=2")
    after = first.err.split("--after ")[1].strip()
    assert first.out.count("\n") == 2
    rest = operator.types("tasks", "events", task, f"--after={after}")
    assert "cancelled" in rest.out
    assert "--after" not in rest.err


def test_a_list_is_filtered(operator: Operator) -> None:
    task = operator.creates()
    operator.says(task, type="task.failed", error=FAILURE)
    other = operator.creates()
    assert task in operator.types("tasks", "list", "--error=model_auth").out
    assert other not in operator.types("tasks", "list", "--error=model_auth").out
    assert other in operator.types("tasks", "list", "--repo=https://github.com/acme/widgets").out
    nothing = operator.types("tasks", "list", "--metadata=user=u_1")
    assert (nothing.code, nothing.out) == (0, "")
    assert "no such tasks" in nothing.err
    assert operator.types("tasks", "list", "--metadata=user=u_1", "--json").document["data"] == []


def test_a_list_is_of_a_time(operator: Operator) -> None:
    task = operator.creates()
    created = operator.types("tasks", "show", task, "--json").document["createdAt"]
    assert task not in operator.types("tasks", "list", f"--created-after={created}").out
    assert task not in operator.types("tasks", "list", f"--created-before={created}").out
    for option in ("--created-after=2020-01-01T00:00:00Z", "--created-before=2100-01-01T00:00:00Z"):
        assert task in operator.types("tasks", "list", option).out


def test_show_adds_attempts_and_deliveries_if_they_are_asked_for(operator: Operator) -> None:
    task = operator.creates("--callback=https://app.example/hook")
    operator.says(task, type="task.failed", error=FAILURE)
    assert "attempts (UTC)" not in operator.types("tasks", "show", task).out
    whole = operator.types("tasks", "show", task, "--include=attempts,deliveries").out
    _, _, added = whole.partition("attempts (UTC)")
    attempts, deliveries = added.split("deliveries (UTC)")
    assert "model_auth: 401: no." in attempts
    assert "task.created" in deliveries
    document = operator.types("tasks", "show", task, "--include=attempts", "--json").document
    assert [attempt["status"] for attempt in document["attempts"]] == ["failed"]


def test_metadata_without_a_value_is_a_usage_error(operator: Operator) -> None:
    assert operator.types("tasks", "list", "--metadata=user").code == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("show", "task_nope"), "slipgate tasks list"),
        (("show", "../keys"), "slipgate tasks list"),
        (("patch", "{task}"), "slipgate tasks explain"),
        (("retry", "{task}"), "Cancel it first"),
        (("list", "--status=nope"), "queued, launching"),
    ],
    ids=["no task", "no id", "no patch", "not finished", "no state"],
)
def test_a_refusal_says_what_to_do(operator: Operator, words: tuple[str, ...], told: str) -> None:
    task = operator.creates()
    typed = operator.types("tasks", *(word.format(task=task) for word in words))
    assert typed.code == 1
    assert typed.out == ""
    assert typed.err.startswith("error: ")
    assert told in typed.err


def test_a_key_that_is_none_leads_to_one(
    operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPGATE_API_KEY", f"slip_tasks_{'q' * 43}")
    typed = operator.types("tasks", "list")
    assert typed.code == 1
    assert "SLIPGATE_API_KEY is no key of this gateway" in typed.err
    assert "slipgate keys create" in typed.err


def test_tasks_are_counted_and_listed_to_the_last(operator: Operator) -> None:
    task, other = operator.creates("--metadata=of=count"), operator.creates("--metadata=of=count")
    operator.says(task, type="task.failed", error=FAILURE)
    mine = ("tasks", "list", "--metadata=of=count")
    by_code = operator.types(*mine, "--count-by=errorCode", "--json").document
    assert by_code == {"countBy": "errorCode", "counts": {"model_auth": 1, "": 1}}
    by_flag = operator.types(*mine, "--count-by=flag", "--json").document
    assert sum(by_flag["counts"].values()) == 2
    by_repository = operator.types(*mine, "--count-by=repoUrl").out.splitlines()
    assert by_repository[1].split() == ["2", "https://github.com/acme/widgets"]
    listed = operator.types(*mine, "--all", "--json").document
    assert [each["id"] for each in listed["data"]] == [other, task]
    rows = operator.types(*mine, "--all").out.splitlines()
    assert rows[0].split() == ["id", "status", "age", "code", "repository", "title"]
    assert [row.split()[0] for row in rows[1:]] == [other, task]
    assert rows[2].split()[3:5] == ["model_auth", "acme/widgets"]


def test_several_tasks_are_steered_and_a_refusal_stops_none(operator: Operator) -> None:
    ended, one, two = (operator.creates() for _ in range(3))
    operator.types("tasks", "cancel", ended)
    typed = operator.types("tasks", "cancel", one, ended, two)
    assert typed.code == 1
    assert [line.split()[:2] for line in typed.out.splitlines()] == [
        [one, "cancelled"],
        [two, "cancelled"],
    ]
    assert f"{ended}: already_finished" in typed.err
    assert f"1 of 3 were refused: {ended}" in typed.err
    assert operator.types("tasks", "retry", one, two).code == 0


def test_a_review_is_an_exit_code_of_its_own(operator: Operator) -> None:
    task = operator.creates()
    operator.says(task, type="task.needs_review", summary="Look.")
    typed = operator.types("tasks", "watch", task)
    assert typed.code == 3
    assert "it pushed no branch" in typed.out
    assert typed.out.startswith(f"{task}: needs review since")

    branch = f"slipgate/{task}"
    for command in ("show", "explain", "events"):
        assert branch not in operator.types("tasks", command, task).out, "there is none"
    assert (
        f"next: read by `slipgate tasks logs {task}`" in operator.types("tasks", "show", task).out
    )
    pushed = operator.creates()
    operator.says(pushed, type="task.needs_review", summary="Look.", commitSha="a" * 40)
    assert f"slipgate/{pushed}" in operator.types("tasks", "show", pushed).out


def test_a_log_is_followed_to_the_end_of_its_task(operator: Operator) -> None:
    task = operator.creates()
    operator.says(task, type="task.log", chunk="one\n", offset=0)
    operator.says(task, type="task.log", chunk="two\n", offset=4)
    operator.says(task, type="task.failed", error=FAILURE)
    assert operator.types("tasks", "logs", task, "--follow").out == "one\ntwo\n"
    lines = operator.types("tasks", "logs", task, "-f", "--json").out.splitlines()
    assert ['"chunk":"' in line for line in lines] == [True, True]


def test_heartbeats_are_shown_if_they_are_asked_for(operator: Operator) -> None:
    task = operator.creates()
    operator.says(task, type="task.heartbeat")
    assert "heartbeat" not in operator.types("tasks", "events", task).out
    assert "heartbeat" in operator.types("tasks", "events", task, "--heartbeats").out
