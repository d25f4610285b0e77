"""The repository's own word: `.slipgate.yml`, then workflows, then AGENTS.md, then the table."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from snapshot.runner.validation import instructions, workflows
from snapshot.runner.validation.declared import declaring_texts, make_plan
from snapshot.runner.validation.settings import Mistake, read
from tests.snapshot.folders import check_lines, host, planned, setup_lines, written

GO = {"go.mod": "module a\n"}
SETTINGS = {".slipgate.yml": "checks: [make verify]\n"}
WORKFLOW = {
    ".github/workflows/ci.yml": (
        "on: [push]\njobs:\n  test:\n    runs-on: ubuntu-latest\n    steps:\n"
        "      - run: go test -race ./...\n"
    )
}
AGENTS = {"AGENTS.md": "# Testing\n\n```bash\ngo test -short ./...\n```\n"}
PRECEDENCE: dict[str, tuple[Mapping[str, str], list[str]]] = {
    "the file": ({**GO, **SETTINGS, **WORKFLOW, **AGENTS}, ["make verify"]),
    "workflows": ({**GO, **WORKFLOW, **AGENTS}, ["go test -race ./..."]),
    "AGENTS.md": ({**GO, **AGENTS}, ["go test -short ./..."]),
    "the table": (GO, ["go test ./..."]),
    "a file that only sets up": ({**GO, ".slipgate.yml": "setup: []\n"}, ["go test ./..."]),
    "a file without checks": ({**GO, ".slipgate.yml": "checks: []\n"}, []),
}


@pytest.mark.parametrize(("files", "checks"), PRECEDENCE.values(), ids=PRECEDENCE)
def test_the_most_deliberate_declaration_wins(
    tmp_path: Path, files: Mapping[str, str], checks: list[str]
) -> None:
    assert check_lines(planned(tmp_path, files, "go", "make")) == checks


def test_the_task_comes_before_all(tmp_path: Path) -> None:
    checkout = written(tmp_path / "checkout", {**GO, **SETTINGS})
    plan = make_plan(
        checkout, host(tmp_path, "go"), texts=declaring_texts(checkout), task=[("go", "vet")]
    )
    assert check_lines(plan) == ["go vet"]


def test_a_tool_that_a_check_calls_is_installed(tmp_path: Path) -> None:
    checkout = written(tmp_path / "checkout", GO)
    plan = make_plan(checkout, host(tmp_path, "go", "uv"), texts={}, task=[("tox", "-e", "lint")])
    assert [step.line for step in plan.steps if not step.is_prefetch] == [
        "uv tool install --quiet tox"
    ]


def test_the_file_has_set_up_checks_variables_and_tools() -> None:
    declared = read(
        "setup:\n  - npm ci && npm run build\n  - [pip, install, -e, .]\n"
        "checks:\n  - run: pytest -q\n    directory: backend\n"
        'env:\n  DATABASE_URL: "sqlite://"\ntools: [go, node]\n'
    )
    assert [step.line for step in declared.setup or ()] == [
        "npm ci && npm run build",
        "pip install -e .",
    ]
    assert [check.line for check in declared.checks or ()] == ["cd backend && pytest -q"]
    assert (declared.environ, declared.tools) == ({"DATABASE_URL": "sqlite://"}, ("go", "node"))


MISTAKES = {
    "no YAML": ("checks: [", "it is no YAML: line 1: "),
    "a list": ("- a\n", "Expected `object`, got `array`"),
    "an unknown key": ("check: [a]\n", "contains unknown field `check`"),
    "a number as a check": ("checks: [1]\n", "`checks[0]` must be a line, a list of arguments"),
    "an empty list": ("checks: [[]]\n", "`checks[0]` must be a line"),
    "a folder outside": ("checks:\n - {run: a, directory: ../b}\n", "`checks[0]` must be"),
    "an absolute folder": ("checks:\n - {run: a, directory: /b}\n", "`checks[0]` must be"),
    "a number as a variable": ("env: {A: 1}\n", "Expected `str`, got `int`"),
    "a variable of ours": ('env: {PATH: "/x"}\n', "`env` must not set PATH"),
    "a model's address": ('env: {OPENAI_API_BASE: "x"}\n', "`env` must not set OPENAI_API_BASE"),
    "a tool's path": ("tools: [/bin/sh]\n", "Expected `str` matching regex"),
    "too many": (f"checks: [{', '.join(['a'] * 21)}]\n", "`checks` must hold at most 20"),
    "nested without end": ("checks: " + "[" * 20_000, "it is no YAML"),
    "aliases without end": (
        "a: &a [x, x]\n"
        + "".join(f"{b}: &{b} [*{a}, *{a}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
        "contains unknown field",
    ),
    "too long": ("#" * 70_000, "it is longer than 65536 characters"),
    "a number without end": ("env: {A: " + "9" * 5_000 + "}\n", "it is no YAML"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_the_file_is_named(text: str, message: str) -> None:
    with pytest.raises(Mistake) as raised:
        read(text)
    assert message in str(raised.value)


def test_a_mistake_is_reported_beside_the_checks_of_the_table(tmp_path: Path) -> None:
    plan = planned(tmp_path, {**GO, ".slipgate.yml": "check: x\n"}, "go")
    assert (len(plan.mistakes), check_lines(plan)) == (1, ["go test ./..."])


def _workflow(steps: str, *, on: str = "[pull_request]", job: str = "runs-on: ubuntu-22.04") -> str:
    return f"on: {on}\njobs:\n  test:\n    {job}\n    steps:\n{steps}"


def _matrix(systems: str) -> str:
    return f"runs-on: ${{{{ matrix.os }}}}\n    strategy: {{matrix: {{os: [{systems}]}}}}"


STEP = "      - run: pytest -q\n"
STEPS = {
    "a plain step": (_workflow(STEP), ["pytest -q"]),
    "some lines": (
        _workflow("      - run: |\n          export A=1\n          npm test\n"),
        ["export A=1\nnpm test"],
    ),
    "its folder": (
        _workflow("      - run: npm test\n        working-directory: ./web\n"),
        ["cd web && npm test"],
    ),
    "on as a mapping": (_workflow(STEP, on="{push: {branches: [main]}}"), ["pytest -q"]),
    "another trigger": (_workflow(STEP, on="[schedule]"), []),
    "an expression": (_workflow("      - run: pytest ${{ matrix.args }}\n"), []),
    "a secret's variable": (
        _workflow("      - run: pytest\n        env: {KEY: '${{ secrets.KEY }}'}\n"),
        [],
    ),
    "a variable of ours": (_workflow("      - run: pytest\n        env: {HOME: /}\n"), []),
    "a condition": (_workflow("      - run: pytest\n        if: github.event_name\n"), []),
    "a job with services": (
        _workflow(STEP, job="runs-on: ubuntu-latest\n    services: {db: {image: pg}}"),
        [],
    ),
    "a job on Windows": (_workflow(STEP, job="runs-on: windows-latest"), []),
    "another environment of tox": (_workflow("      - run: tox run -e docset\n"), []),
    "an environment of tox for tests": (_workflow("      - run: tox -e py311\n"), ["tox -e py311"]),
    "an environment of tox by a variable": (
        _workflow(STEP.replace("pytest -q", "tox") + "        env: {TOXENV: docs}\n"),
        [],
    ),
    "factors of tox": (
        _workflow("      - run: tox run -f lint\n      - run: tox run -f py312\n"),
        ["tox run -f py312"],
    ),
    "single tests": (
        _workflow(
            "      - run: cargo test fail\n      - run: cargo test --lib\n"
            "      - run: go test -run=^$ ./...\n"
        ),
        ["cargo test --lib"],
    ),
    "a folder written twice": (
        _workflow("      - run: pytest tests/\n      - run: pytest tests\n"),
        ["pytest tests/"],
    ),
    "a build whose beginning is left out": (
        _workflow(
            "      - run: cmake -S . ${{ matrix.args }}\n      - run: cmake --build .\n"
            "      - run: ctest\n"
        ),
        [],
    ),
    "a build that an action makes": (_workflow("      - run: meson test -C build\n"), []),
    "a command that has to fail": (_workflow('      - run: "! bats test/failing.bats"\n'), []),
    "a benchmark": (_workflow("      - run: yarn test:perf\n"), []),
    "a matrix of other systems": (_workflow(STEP, job=_matrix("windows-2025")), []),
    "a matrix with Linux": (_workflow(STEP, job=_matrix("macos-15, ubuntu-24.04")), ["pytest -q"]),
    "a build from its beginning": (
        _workflow("      - run: cmake .\n      - run: cmake --build .\n      - run: ctest\n"),
        ["ctest"],
    ),
    "no test": (_workflow("      - run: ruff check .\n"), []),
    "a step that installs a system": (
        _workflow("      - run: sudo apt-get install x && pytest\n"),
        [],
    ),
    "a folder outside": (_workflow("      - run: pytest\n        working-directory: ../x\n"), []),
    "broken YAML": ("on: [push", []),
    "no mapping": ("- a", []),
    "strange types": ("on: {push: }\njobs:\n  a: 1\n  b: {steps: {x: y}}\n  c: {steps: [1]}\n", []),
}


@pytest.mark.parametrize(("text", "lines"), STEPS.values(), ids=STEPS)
def test_plain_test_steps_of_workflows_are_taken(text: str, lines: list[str]) -> None:
    found = workflows.read({".github/workflows/ci.yml": text, "docs/ci.yml": _workflow(STEP)})
    assert [command.line for command in found.tests] == lines


def test_steps_that_build_come_before_the_tests_of_their_job() -> None:
    steps = (
        "      - run: mkdir dist\n      - run: npm ci\n      - run: npm run build --if-present\n"
        "      - run: npm test\n      - run: npm run build:docs\n"
    )
    found = workflows.read({".github/workflows/ci.yml": _workflow(steps)})
    assert [command.line for command in found.builds] == ["npm run build --if-present"]


def test_a_build_in_c_of_its_own_replaces_that_of_the_table(tmp_path: Path) -> None:
    steps = (
        "      - run: mkdir build\n      - run: cd build; cmake ..; make -j$(nproc)\n"
        "      - run: cd build; ctest\n"
    )
    files = {"CMakeLists.txt": "enable_testing()", ".github/workflows/ci.yml": _workflow(steps)}
    plan = planned(tmp_path, files, "cmake", "make")
    assert setup_lines(plan, tmp_path) == ["mkdir build", "cd build; cmake ..; make -j$(nproc)"]
    assert check_lines(plan) == ["cd build; ctest"]


def _doubling(value: str) -> str:
    """Sixty lines, each of which is twice the one before."""
    lines = [f"a{at}: &a{at} {value.replace('*', f'*a{at - 1}')}\n" for at in range(1, 60)]
    return "a0: &a0 {b: c}\n" + "".join(lines)


ENDLESS = {
    "variables": _doubling("[*, *]") + _workflow(STEP + "        env: {A: *a59}\n"),
    "labels": _doubling("[*, *]") + _workflow(STEP, job="runs-on: *a59"),
    "steps": _doubling("[*, *]") + "on: push\njobs:\n  a: {steps: *a59}\n",
    "merged mappings": _doubling("{<<: [*, *]}") + _workflow(STEP),
}


@pytest.mark.parametrize("text", ENDLESS.values(), ids=ENDLESS)
def test_no_workflow_is_read_for_long(text: str) -> None:
    began = time.process_time()
    workflows.read({".github/workflows/ci.yml": text})
    assert time.process_time() - began < 2


BLOCKS = {
    "a block": ("```\nmake test\n```\n", ["make test"]),
    "with a prompt and a remark": ("```console\n$ go test ./...  # all\n```\n", ["go test ./..."]),
    "two of four": (
        "```sh\nnpm install\nnpm test\nnpm run lint\nuv run pytest\n```\n",
        ["npm test", "uv run pytest"],
    ),
    "in a sentence": ("Run `pytest` first.\n", []),
    "an example for one test": (
        (
            "```\npytest tests/test_a.py::test_b\npytest -k name\ngo test -run TestX ./a\n"
            "pytest path/to/file\nnpm test -- --watch\njest src/a.test.ts\npytest <file>\n```\n"
        ),
        [],
    ),
    "another language": ("```python\npytest\n```\n", []),
    "between blocks": ("```python\nx\n```\npytest\n```sh\nls\n```\n", []),
    "a block without end": ("```\npytest\n", []),
}


@pytest.mark.parametrize(("text", "lines"), BLOCKS.values(), ids=BLOCKS)
def test_plain_test_commands_of_agents_md_are_taken(text: str, lines: list[str]) -> None:
    assert [command.line for command in instructions.checks(text)] == lines
