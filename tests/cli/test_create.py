"""`slipgate tasks create`: every field of the message has an option, and errors name it."""

import io
import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import typer

from gateway.cli.tasks.fields import FIELDS, in_options, overlay
from gateway.wire.message import Request
from gateway.wire.tasks import NewTask
from tests.cli.operator import REPOSITORY, Operator


def paths(kind: type[Request], prefix: str = "") -> set[str]:
    """All fields of a message by their path."""
    found = set()
    for field in msgspec.structs.fields(kind):
        if isinstance(field.type, type) and issubclass(field.type, Request):
            found |= paths(field.type, f"{prefix}{field.encode_name}.")
        else:
            found.add(f"{prefix}{field.encode_name}")
    return found


def test_each_field_of_the_message_has_one_option() -> None:
    named = [field.path for field in FIELDS]
    assert sorted(named) == sorted(paths(NewTask))


VALUES: Final[dict[str, tuple[str, Any]]] = {
    "validate": ("make test", ["make", "test"]),
    "agent.engine": ("mini", "mini"),
    "agent.modelProvider": ("openai", "openai"),
    "agent.effort": ("high", "high"),
    "agent.command": ('["python3", "a b.py"]', ["python3", "a b.py"]),
    "agent.maxTurns": ("7", 7),
    "agent.maxCostUsd": ("2.5", 2.5),
    "agent.maxRepairRounds": ("0", 0),
    "timeouts.runSeconds": ("2h", 7_200),
    "timeouts.queueSeconds": ("30m", 1_800),
    "timeouts.heartbeatSeconds": ("90", 90),
    "env": ("A=b=c", ("A", "b=c")),
    "metadata": ("user=u_1", ("user", "u_1")),
    "onStall": ("retry", "retry"),
    "maxAttempts": ("2", 2),
    "priority": ("9", 9),
    "notBefore": ("2030-01-01T00:00:00Z", "2030-01-01T00:00:00Z"),
    "keepSandbox": ("true", True),
    "continueOf": (f"task_{'0' * 26}", f"task_{'0' * 26}"),
}


def test_a_value_of_each_option_is_one_of_the_message() -> None:
    given: dict[str, Any] = {}
    for field in FIELDS:
        text, value = VALUES.get(field.path, ("text", "text"))
        read = field.read(text)
        assert read == value, field.option
        given[field.path] = field.collect([read]) if field.collect else read
    msgspec.convert(overlay({}, given), NewTask)


@pytest.mark.parametrize(
    ("path", "text", "told"),
    [
        ("agent.engine", "gpt", "none of mini, claude-code, codex, opencode, command"),
        ("timeouts.runSeconds", "2 weeks", "90s, 30m, 2h or 1d"),
        ("priority", "high", "not a whole number"),
        ("agent.maxCostUsd", "2€", "not a number of dollars"),
        ("notBefore", "tomorrow", "or +2h from now"),
        ("validate", "'make", "not a command"),
        ("env", "=x", "not NAME=VALUE"),
        ("env", "NOT_SET_HERE", "give NOT_SET_HERE=VALUE"),
    ],
    ids=["engine", "time", "number", "dollars", "moment", "command", "pair", "variable"],
)
def test_a_wrong_value_is_refused_with_what_is_allowed(path: str, text: str, told: str) -> None:
    (field,) = (field for field in FIELDS if field.path == path)
    with pytest.raises(typer.BadParameter, match=re.escape(told)):
        field.read(text)


def test_an_option_replaces_a_field_of_the_file_and_adds_to_its_objects() -> None:
    body = {"prompt": "a", "agent": {"engine": "codex"}, "env": {"A": "1"}, "timeouts": None}
    given = {"prompt": "b", "agent.model": "m", "env": {"B": "2"}, "timeouts.runSeconds": 1}
    assert overlay(body, given) == {
        "prompt": "b",
        "agent": {"engine": "codex", "model": "m"},
        "env": {"A": "1", "B": "2"},
        "timeouts": {"runSeconds": 1},
    }


def test_messages_of_the_gateway_name_options() -> None:
    message = "$.agent.model: no\n$.agent.modelProvider: no"
    assert in_options(message) == "--model: no\n--model-provider: no"


def test_a_task_from_a_file_stdin_and_options(
    operator: Operator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "task.json"
    file.write_text(f'{{"repoUrl": "{REPOSITORY}", "priority": 1, "metadata": {{"a": "1"}}}}')
    words = ["tasks", "create", f"--file={file}", "--prompt-file=-", "--json"]
    words += ["--command=python3 agent.py", "--metadata=b=2", "--max-attempts=3"]
    words += ["--keep-sandbox", "--idempotency-key=once"]
    monkeypatch.setattr("sys.stdin", io.StringIO("Mend it\nwell"))
    task = operator.types(*words).document
    assert (task["prompt"], task["maxAttempts"]) == ("Mend it\nwell", 3)
    assert task["metadata"] == {"a": "1", "b": "2"}
    assert task["agent"]["engine"] == "command"
    assert task["agent"]["command"] == ["python3", "agent.py"]
    monkeypatch.setattr("sys.stdin", io.StringIO("Mend it\nwell"))
    assert operator.types(*words).document["id"] == task["id"]


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (("--repo=x",), 2, "--prompt-file FILE"),
        (("--file=-", "--prompt-file=-"), 2, "stdin is one of the two"),
        (("--prompt=x", "--engine=gpt"), 2, "claude-code"),
        (("--prompt=x", f"--repo={REPOSITORY}", "--priority=11"), 1, "--priority"),
        (("--prompt=x", f"--repo={REPOSITORY}", "--timeout=2d"), 1, "--timeout"),
        (("--prompt=x",), 1, "--repo"),
    ],
    ids=["no prompt", "stdin twice", "engine", "priority", "timeout", "no repository"],
)
def test_errors_are_in_the_words_of_the_command_line(
    operator: Operator, options: tuple[str, ...], code: int, told: str
) -> None:
    typed = operator.types("tasks", "create", *options)
    assert typed.code == code, typed.err
    assert told in " ".join(typed.err.split())
    assert "$." not in typed.err
