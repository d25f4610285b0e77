"""Every refusal names what would allow it: a field, a header, a setting, an option or a command."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from gateway.domain.deliveries.reasons import ADVICE as OF_DELIVERIES
from gateway.settings import read_settings
from gateway.web.http.codes import CODES
from gateway.web.http.remedies import REMEDIES, UNAVOIDABLE
from gateway.wire.environment import SettingsError
from launcher.settings import PROVIDERS, inspect_settings
from tests.docs.test_commands import check_named
from tests.docs.test_reference import Asked

ROOT: Final = Path(__file__).parents[2]
NAMED: Final = re.compile(
    r"`[^`]+`|--[a-z]|\{|\bslipgate [a-z]|[a-z]+[A-Z][a-z]+"
    r"|\b(?:SLIPGATE|DAYTONA|GITHUB|OPENAI|SSL|DOCKER|OTEL)_[A-Z]"
)
"""Code, an option, a name that is filled in, a command, a setting, or a field in camel case."""
FAILURES: Final = {"CommandFailed", "Unavailable"}
BY_NOTHING: Final = {
    "Report this.": "it is a bug",
    "Report it.": "it is a bug",
    "Check that its folder exists, and that you may write there.": "the message names the path",
}
"""Next steps of commands that name nothing, each with its reason."""


def test_each_code_has_a_remedy_or_a_reason_why_nothing_allows_it() -> None:
    assert REMEDIES.keys() | UNAVOIDABLE.keys() == CODES.keys()
    assert not REMEDIES.keys() & UNAVOIDABLE.keys()
    assert [code for code, text in REMEDIES.items() if not NAMED.search(text)] == []


@pytest.mark.parametrize("text", [*REMEDIES.values(), *OF_DELIVERIES.values()])
def test_a_remedy_names_commands_and_settings_that_exist(text: str) -> None:
    for code in re.findall(r"`([^`]+)`", text):
        check_named(code)
    assert set(re.findall(r"SLIPGATE_[A-Z_]+", text)) <= settings() | OF_SANDBOXES


OF_SANDBOXES: Final = {"SLIPGATE_TASK_ID", "SLIPGATE_ATTEMPT"}


def settings() -> set[str]:
    """The names of all settings."""
    gateway = Asked(SLIPGATE_SECRET_KEYS=f"k1:{'A' * 44}")
    read_settings(gateway)
    launcher = Asked(SLIPGATE_PROVIDERS=",".join(PROVIDERS))
    inspect_settings(launcher)
    return gateway.names | launcher.names


def test_each_problem_of_the_settings_names_its_variable() -> None:
    wrong = dict.fromkeys(settings(), "\x01 wrong")
    _, problems = inspect_settings(wrong)
    with pytest.raises(SettingsError) as refused:
        read_settings(wrong)
    told = [*problems, *refused.value.problems]
    assert len(told) > 30
    assert [each for each in told if not re.search(r"[A-Z]+_[A-Z_]+", each)] == []


def next_steps() -> Iterator[tuple[str, str]]:
    """The place and the text of every next step that is written in a command."""
    for file in sorted((ROOT / "gateway/cli").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and name_of(node.func) in FAILURES:
                steps = node.args[1:2]
                if steps and isinstance(steps[0], ast.Constant | ast.JoinedStr):
                    yield f"{file.name}:{node.lineno}", ast.unparse(steps[0])


def name_of(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


def test_each_next_step_of_a_command_names_what_would_allow_it() -> None:
    steps = list(next_steps())
    assert len(steps) > 40
    vague = [
        (place, text)
        for place, text in steps
        if not NAMED.search(text) and text.strip("'\"") not in BY_NOTHING
    ]
    assert vague == []
