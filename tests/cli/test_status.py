"""`slipgate status`: one line if all is well, else a cause and a command each."""

from rich.console import Console

from gateway.cli.http.client import decode
from gateway.cli.operations.status import status_lines
from gateway.wire.operations import StatusView
from tests.cli.operator import Operator

FAILURE = {"stage": "agent", "code": "model_auth", "message": "401: no.", "retryable": False}


def test_problems_are_printed_with_their_command_and_fail_the_command(operator: Operator) -> None:
    task = operator.creates()
    operator.says(task, type="task.failed", error=FAILURE)
    typed = operator.types("status")
    assert typed.code == 1
    lines = typed.out.splitlines()
    assert lines[0].startswith("model_auth  1 task of the last hour ended with model_auth")
    assert lines[1] == f"  slipgate tasks explain {task}"
    assert "ended in an hour 1" in lines[-1]
    document = operator.types("status", "--json")
    assert document.document["ok"] is False

    narrow = Console(width=40)
    narrow.print(status_lines(decode(StatusView, document.out.encode())), crop=False)
    told = operator.capsys.readouterr().out.splitlines()
    assert f"  slipgate tasks explain {task}" in told, "a command is copied whole"
    assert all(len(line) <= 40 for line in told if "slipgate " not in line)
