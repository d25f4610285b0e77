"""Texts of a repository or an agent that a rule must neither read for ever nor break on."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from snapshot.runner.agent.instructions import shown
from snapshot.runner.agent.provider_errors import refused
from snapshot.runner.findings.check_definitions import find
from snapshot.runner.findings.file_change import FileChange
from snapshot.runner.publication import masking, template
from snapshot.runner.reporting.delivery import classify
from snapshot.runner.validation import instructions, settings, workflows
from snapshot.runner.validation.folder import Folder
from snapshot.runner.validation.plan import Command
from snapshot.runner.validation.scripts import behind
from snapshot.runner.validation.tools import is_test

HEADING = f"# a{' ' * 4_000}b"
WORKFLOW = """
on: push
env:
  {env}
jobs:
  test: {{runs-on: ubuntu-latest, steps: [{{run: pytest}}]}}
"""
READERS: dict[str, Callable[[], object]] = {
    "a heading of a summary": lambda: masking.markdown(HEADING),
    "a heading of a template": lambda: template.fill(HEADING, {}, HEADING),
    "open comments": lambda: shown("x<!--" * 50_000),
    "open images": lambda: shown("![" * 100_000),
    "a provider's wait": lambda: refused(429, f"retry in {'9' * 5_000}m1s", {}),
    "a gateway's wait": lambda: classify(httpx.Response(503, headers={b"retry-after": b"\xb2"})),
    "blanks in AGENTS.md": lambda: instructions.checks(f"```\nx{' ' * 90_000}y\n```\n"),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_long_text_is_read_once(read: Callable[[], object]) -> None:
    assert read() is not None


def _changed(path: str, before: str, after: str) -> FileChange:
    return FileChange(path=path, old_mode="100644", new_mode="100644", before=before, after=after)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("Makefile", "a" + " " * 200_000, "test:\n\ttrue\n"),
        ("Makefile", "", f"{'a ' * 50_000}:\n" + "\tb\n" * 50_000),
        ("pyproject.toml", *(f"[tool.pytest]\n{'a.' * 3_000}a = {n}\n" for n in (1, 2))),
    ],
    ids=["blanks", "targets", "deep tables"],
)
def test_a_definition_that_is_hard_to_read_is_a_finding(path: str, before: str, after: str) -> None:
    assert find(_changed(path, before, after))


@pytest.mark.parametrize(
    "env",
    [f"A: 0x{'F' * 6_000}", "'A=B': x", "'': x", 'A: "\\0"', "0xFFF: x"],
    ids=["a number", "a name", "no name", "NUL", "a number's name"],
)
def test_variables_that_no_program_can_have_break_nothing(env: str) -> None:
    steps = workflows.read({".github/workflows/a.yml": WORKFLOW.format(env=env)}).tests
    assert all(dict(step.environ) in ({"A": ""}, {}) for step in steps)


@pytest.mark.parametrize("text", ['checks: ["a\\0"]', 'env: {A: "\\0"}'], ids=["check", "env"])
def test_a_line_with_nul_is_a_mistake(text: str) -> None:
    with pytest.raises(settings.Mistake):
        settings.read(text)


def test_scripts_that_call_each_other_do_not_grow_without_end(tmp_path: Path) -> None:
    called = {"test": "a", "a": "b", "b": "c", "c": "d"}
    scripts = {name: f"npm run {inner};" * 900 for name, inner in called.items()}
    (tmp_path / "package.json").write_text(json.dumps({"scripts": scripts}))
    found = behind(Command(argv=("npm", "test")), Folder(checkout=tmp_path), lambda _: None)
    assert found is not None
    assert len(found.splitlines()) < 1_000


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ("mvn -B install -DskipTests", False),
        ("./mvnw verify -Dmaven.test.skip=true", False),
        ("mvn verify -DskipTests=false", True),
        ("./gradlew build -x test", False),
        ("./gradlew build", True),
        ("tox -e pylint", False),
        ("nox --sessions docs", False),
        ("nox -t lint", False),
        ("tox -m lint", False),
        ("tox -elint", False),
        ("TOXENV=docs tox", False),
        ("NOXSESSION='lint' nox", False),
        ("hatch run tests:lint", False),
        ("npm run test:lint", False),
        ("npm run test:unit", True),
        ("composer test:types", False),
        ("make test-style", False),
        ("make check-format", False),
        ("mvn install site", False),
        ("mvn verify deploy", False),
        ("./gradlew check publish", False),
        ("hatch run tests:test", True),
        ("hatch run test-cov", True),
        ("TOXENV=py312 tox -q", True),
        ("tox -epy -- -m slow", True),
        ("tox -e py311", True),
        ("tox -e pypy3", True),
    ],
)
def test_a_step_that_runs_no_tests_is_no_test(line: str, *, is_one: bool) -> None:
    assert is_test(line) is is_one
