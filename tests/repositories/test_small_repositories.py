"""A small repository of each ecosystem whose tools are on this machine, validated for real."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from snapshot.runner.reporting.events import Receipt
from tests.repositories.validation import validate
from tests.snapshot.folders import written

SECONDS = 240.0
"""A first build in Go compiles its standard library."""
pytestmark = pytest.mark.timeout(300)
UNITTEST = "import unittest\n\nclass A(unittest.TestCase):\n    def test_a(self):\n        pass\n"
GO_TEST = 'package a\n\nimport "testing"\n\nfunc TestA(t *testing.T) {}\n'
GO = {"go.mod": "module a\n\ngo 1.21\n", "a.go": "package a\n"}
NODE_TEST = 'require("node:test")("a", () => {})\n'
CARGO = {"Cargo.toml": '[package]\nname = "a"\nversion = "0.1.0"\nedition = "2021"\n'}
CMAKE = "cmake_minimum_required(VERSION 3.10)\nproject(a NONE)\nenable_testing()\n"
MAKE_GO = "test:\n\tfor each in .; do go test $$each; done; echo done\n"


def _package(script: str) -> dict[str, str]:
    return {"package.json": f'{{"name": "a", "scripts": {{"test": "{script}"}}}}'}


def _ran(receipts: list[Receipt]) -> tuple[str, str, str]:
    return receipts[-1].command, receipts[-1].status, receipts[-1].reason


REPOSITORIES: dict[str, tuple[tuple[str, ...], Mapping[str, str], tuple[str, str, str]]] = {
    "Python": (
        (),
        {"tests/test_a.py": UNITTEST},
        ("python3 -m unittest discover -s tests", "passed", ""),
    ),
    "Python without a test": (
        (),
        {"tests/test_a.py": "import unittest\n"},
        ("python3 -m unittest discover -s tests", "not_run", "no test ran"),
    ),
    "Node": (
        ("node", "npm"),
        {**_package("node --test"), "a.test.js": NODE_TEST},
        ("npm test", "passed", ""),
    ),
    "Node that only echoes": (
        ("node", "npm"),
        _package("echo all 5 tests passed"),
        ("npm test", "not_run", "no test ran: it runs nothing but `echo all 5 tests passed`"),
    ),
    "Go": (("go",), {**GO, "a_test.go": GO_TEST}, ("go test ./...", "passed", "")),
    "Go without a test": (("go",), GO, ("go test ./...", "not_run", "no test ran")),
    "Rust": (
        ("cargo", "cc"),
        {**CARGO, "src/lib.rs": "#[test]\nfn a() {}\n"},
        ("cargo test", "passed", ""),
    ),
    "Rust without a test": (
        ("cargo", "cc"),
        {**CARGO, "src/lib.rs": ""},
        ("cargo test", "not_run", "no test ran"),
    ),
    "make": (
        ("make",),
        {"Makefile": "test:\n\tpython3 -m unittest -q\n", "test_a.py": UNITTEST},
        ("make test", "passed", ""),
    ),
    "make of nothing": (
        ("make",),
        {"Makefile": "test: ; @true\n"},
        ("make test", "not_run", "no test ran: it runs nothing but `true`"),
    ),
    "a script that is empty": (
        ("node", "npm"),
        {**_package("node test.js"), "test.js": "// later\n"},
        ("npm test", "not_run", "no test ran: it runs nothing but `true`"),
    ),
    "lines of the repository's own file": (
        ("make",),
        {".slipgate.yml": "checks: [make nothing]\n", "Makefile": "nothing:\n\t@echo 1 passed\n"},
        ("make nothing", "not_run", "no test ran: it runs nothing but `echo 1 passed`"),
    ),
    "a linter of the repository's own file": (
        (),
        {".slipgate.yml": "checks: [python3 -m compileall -q .]\n", "a.py": ""},
        ("python3 -m compileall -q .", "passed", ""),
    ),
    "make that counts nothing": (
        ("make",),
        {"Makefile": "test:\n\tpython3 test_a.py || :\n", "test_a.py": UNITTEST},
        ("python3 -m unittest discover", "passed", ""),
    ),
    "CMake": (
        ("cmake", "make", "cc"),
        {"CMakeLists.txt": CMAKE + "add_test(NAME a COMMAND cmake --version)\n"},
        ("ctest --test-dir build --output-on-failure", "passed", ""),
    ),
    "CMake without a test": (
        ("cmake", "make", "cc"),
        {"CMakeLists.txt": CMAKE},
        ("ctest --test-dir build --output-on-failure", "not_run", "no test ran"),
    ),
    "CMake that skips": (
        ("cmake", "make", "cc"),
        {
            "CMakeLists.txt": CMAKE + "add_test(NAME a COMMAND cmake -E true)\n"
            "set_tests_properties(a PROPERTIES SKIP_RETURN_CODE 0)\n"
        },
        ("ctest --test-dir build --output-on-failure", "not_run", "no test ran"),
    ),
    "Perl": (
        ("perl", "prove"),
        {"cpanfile": "", "t/a.t": 'print "1..1\\nok 1\\n";\n'},
        ("prove -lr t", "passed", ""),
    ),
    "make of Go": (
        ("make", "go"),
        {**GO, "a_test.go": GO_TEST, "Makefile": MAKE_GO},
        ("make test", "passed", ""),
    ),
}


@pytest.mark.parametrize(("tools", "files", "ran"), REPOSITORIES.values(), ids=REPOSITORIES)
def test_a_small_repository_is_validated(
    tmp_path: Path, tools: tuple[str, ...], files: Mapping[str, str], ran: tuple[str, str, str]
) -> None:
    if absent := [tool for tool in tools if shutil.which(tool) is None]:
        pytest.skip(f"{absent[0]} is not installed")
    assert _ran(validate(written(tmp_path, files), seconds=SECONDS)) == ran


GRADLEW = """\
#!/bin/sh
echo '> Task :compileTestJava'
echo '> Task :test'
mkdir -p build/test-results/test
{report}
echo 'BUILD SUCCESSFUL in 1s'
"""
REPORT = """\
echo '<testsuite name="A" tests="{tests}" skipped="1" failures="0">' > build/test-results/test/A.xml
"""
REPORTS = {
    "some tests": (REPORT.format(tests=3), ("passed", "")),
    "skipped tests": (REPORT.format(tests=1), ("not_run", "no test ran")),
    "no report": ("true", ("not_run", "no test ran")),
}


@pytest.mark.skipif(shutil.which("java") is None, reason="java is not installed")
@pytest.mark.parametrize(("report", "verdict"), REPORTS.values(), ids=REPORTS)
def test_gradles_tests_are_counted_by_its_reports(
    tmp_path: Path, report: str, verdict: tuple[str, str]
) -> None:
    files = {"build.gradle": "", "gradlew": GRADLEW.format(report=report)}
    assert _ran(validate(written(tmp_path, files), seconds=SECONDS))[1:] == verdict


def test_where_make_lacks_a_tool_the_languages_own_check_runs(tmp_path: Path) -> None:
    makefile = "test:\n\tgolangci-lint run\n\tpython3 -m unittest\n"
    checkout = written(tmp_path, {"Makefile": makefile, "test_a.py": UNITTEST})
    assert _ran(validate(checkout, seconds=SECONDS)) == (
        "python3 -m unittest discover",
        "passed",
        "instead of `make test`: golangci-lint is not installed",
    )


WITHOUT_GO = {
    "its own checks": (GO, "go test ./..."),
    "make": ({**GO, "Makefile": MAKE_GO}, "make test"),
    "make that hides it": ({**GO, "Makefile": "test:\n\t./run\n"}, "make test"),
}


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(("files", "command"), WITHOUT_GO.values(), ids=WITHOUT_GO)
def test_without_its_language_nothing_passes(
    tmp_path: Path, files: Mapping[str, str], command: str
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("make", "sh", "bash", "env", "python3"):
        (programs / name).symlink_to(str(shutil.which(name)))
    checkout = written(tmp_path / "checkout", {**files, "run": "#!/bin/sh\ngo test ./... || :\n"})
    (checkout / "run").chmod(0o755)
    receipts = validate(checkout, seconds=SECONDS, more={"PATH": str(programs)})
    assert _ran(receipts) == (command, "not_run", "go is not installed")


def test_a_check_that_fails_on_the_base_commit_too_says_so(tmp_path: Path) -> None:
    failing = UNITTEST.replace("pass", "self.fail()")
    base = written(tmp_path / "base", {"tests/test_a.py": failing, "tests/test_b.py": UNITTEST})
    same = written(tmp_path / "same", {"tests/test_a.py": failing})
    receipt = validate(same, seconds=SECONDS, base=base)[-1]
    assert (receipt.status, receipt.baseline) == ("failed", "failed")
    assert receipt.reason == "fails on the base commit too"


def test_a_check_that_passes_on_the_base_commit_is_the_agents(tmp_path: Path) -> None:
    failing = UNITTEST.replace("pass", "self.fail()")
    base = written(tmp_path / "base", {"tests/test_a.py": UNITTEST})
    changed = written(tmp_path / "changed", {"tests/test_a.py": failing})
    receipt = validate(changed, seconds=SECONDS, base=base)[-1]
    assert (receipt.status, receipt.baseline, receipt.reason) == ("failed", "passed", "")


@pytest.mark.skipif(shutil.which("prove") is None, reason="prove is not installed")
def test_a_library_that_the_change_took_away_is_a_failure(tmp_path: Path) -> None:
    test = {"cpanfile": "", "t/a.t": 'use lib "lib"; use Own::One;\nprint "1..1\\nok 1\\n";\n'}
    whole = written(tmp_path / "whole", {**test, "lib/Own/One.pm": "package Own::One; 1;\n"})
    taken = written(tmp_path / "taken", test)
    reason = "Own::One is not installed"
    assert _ran(validate(taken, seconds=SECONDS)) == ("prove -lr t", "not_run", reason)
    receipt = validate(taken, seconds=SECONDS, base=whole)[-1]
    assert (receipt.status, receipt.baseline, receipt.reason) == ("failed", "passed", reason)
