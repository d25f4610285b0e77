"""The verdict on a check that ran: its exit code alone never makes it pass."""

import pytest

from snapshot.runner.agent.command import CommandResult
from snapshot.runner.validation.plan import Command
from snapshot.runner.validation.results import number_ran
from snapshot.runner.validation.verdict import Evidence, judge

NO_GO = "/bin/sh: 1: go: not found\nmake: *** [Makefile:9: test] Error 127"


def _result(output: str, code: int) -> CommandResult:
    return CommandResult(
        exit_code=code, seconds=1.0, output=output, output_digest="", is_timed_out=False
    )


def _verdict(
    output: str,
    code: int = 0,
    *,
    script: str | None = None,
    missing: tuple[str, ...] = (),
    must_count: bool = True,
) -> tuple[str, str]:
    command = Command(argv=("check",), must_count=must_count)
    evidence = Evidence(ran=number_ran(output), script=script, missing=missing)
    return judge(command, _result(output, code), evidence)


PASSED = {
    "a tool that counts": _verdict("3 passed in 0.1s"),
    "a wrapper of it": _verdict("3 passed in 0.1s", script="pytest", missing=("go",)),
}


@pytest.mark.parametrize("verdict", PASSED.values(), ids=PASSED)
def test_a_check_passes_by_the_words_of_a_test_tool(verdict: tuple[str, str]) -> None:
    assert verdict == ("passed", "")


def test_a_wrapper_without_counted_tests_passes_and_says_so() -> None:
    expected = ("passed", "exit code 0; its output counts no tests")
    assert _verdict("done", script="node test.js") == expected


def test_an_explicit_command_of_no_test_tool_passes_by_its_exit_code() -> None:
    assert _verdict("", must_count=False) == ("passed", "")


NOT_RUN = {
    "no test was found": (_verdict("no tests ran in 0.01s"), "no test ran"),
    "pytest's own exit code": (_verdict("no tests ran in 0.01s", 5), "no test ran"),
    "an explicit command finds none": (_verdict("0 passing", must_count=False), "no test ran"),
    "a script that echoes": (
        _verdict("5 passed in 1s", script='echo "5 passed in 1s"'),
        'no test ran: it runs nothing but `echo "5 passed in 1s"`',
    ),
    "a script that is true": (
        _verdict("", script="true"),
        "no test ran: it runs nothing but `true`",
    ),
    "a target without a script": (
        _verdict("", script="make: Nothing to be done for 'test'."),
        "no test ran: it runs nothing but `nothing`",
    ),
    "a script that only builds and checks style": (
        _verdict("All checks passed!", script="npm install\nnpx eslint .\ngo vet ./..."),
        "no test ran: it runs nothing but `npm install`",
    ),
    "a test tool behind a script, without a word": (
        _verdict("", script="go test ./... >/dev/null"),
        "no test ran: its output counts none",
    ),
    "all tests deselected": (_verdict("=== 3 deselected in 0.01s ===", 5), "no test ran"),
    "make without the language": (
        _verdict("done", script="for d in a; do go test $d; done", missing=("go",)),
        "go is not installed",
    ),
    "a test tool without a word": (_verdict(""), "no test ran: its output counts none"),
    "a program that is not there": (_verdict(NO_GO, 2), "go is not installed"),
    "a toolchain without a version": (
        _verdict("error: rustup could not choose a version of cargo to run, because\n" * 9, 1),
        "cargo is not installed",
    ),
    "a module of Perl": (
        _verdict(
            "Can't locate File/Next.pm in @INC (you may need to install the File::Next module)\n"
            "Files=1, Tests=0,  0 wallclock secs\nResult: FAIL",
            1,
        ),
        "File::Next is not installed",
    ),
    "a gem": (
        _verdict("rake aborted!\nLoadError: cannot load such file -- hoe/rake\n/a/Rakefile:3", 1),
        "hoe is not installed",
    ),
    "an artifact of maven": (
        _verdict(
            "[INFO] Scanning\n"
            * 9
            + "[ERROR] Could not resolve dependencies for project a:a:jar:1: "
            "Could not find artifact b:b:jar:9 in central\n" + "[ERROR] \n" * 7,
            1,
        ),
        "b:b:jar:9 is not installed",
    ),
    "a browser": (
        _verdict("Error: Could not find Chrome (ver. 131.0.6778.204).\nnpm ERR! a", 1),
        "Chrome is not installed",
    ),
    "a shell without it": (
        _verdict("bash: line 1: tox: command not found", 127),
        "tox is not installed",
    ),
}


@pytest.mark.parametrize(("verdict", "reason"), NOT_RUN.values(), ids=NOT_RUN)
def test_a_check_without_tests_did_not_run(verdict: tuple[str, str], reason: str) -> None:
    assert verdict == ("not_run", reason)


FAILED = {
    "a test failed": _verdict("1 failed, 3 passed in 0.1s", 1),
    "a test that misses a program": _verdict(
        "sh: 1: frobnicate: not found\n1 failed in 0.1s\nmake: *** [test] Error 1", 2
    ),
    "a file of the repository's own in Ruby": _verdict(
        "rake aborted!\nLoadError: cannot load such file -- /a/lib/b", 1
    ),
    "one of many in Perl": _verdict(
        "Can't locate A.pm (you may need to install the A module)\nFiles=2, Tests=4, 0 seconds", 2
    ),
    "jest cannot load a file": _verdict("FAIL ./a.test.js\nTests:       0 total", 1),
    "go does not build": _verdict("?   a\t[no test files]\nFAIL\tb [build failed]\nFAIL", 1),
}


@pytest.mark.parametrize("verdict", FAILED.values(), ids=FAILED)
def test_a_failure_is_a_failure(verdict: tuple[str, str]) -> None:
    assert verdict == ("failed", "")


@pytest.mark.parametrize("script", ["mvn -q install", "./gradlew build"])
def test_a_quiet_build_that_counts_no_tests_did_not_pass(script: str) -> None:
    assert _verdict("", script=script) == ("not_run", "no test ran: its output counts none")


@pytest.mark.parametrize(
    "output",
    [
        "===== 1 failed, 3 passed in 0.10s =====",
        "==== 3 passed, 1 error in 0.10s ====",
        "test result: FAILED. 1 passed; 2 failed; 0 ignored;",
        "Tests:       1 failed, 2 passed, 3 total",
        "  3 passing\n  1 failing",
        "3 examples, 1 failure",
        "Tests run: 4, Failures: 1, Errors: 0, Skipped: 0",
        "Tests: 3, Assertions: 3, Failures: 1.",
        "# pass 2\n# fail 1",
        "--- FAIL: TestA (0.00s)\nFAIL\nFAIL\ta\t0.1s\nok  \tb\t0.1s",
        "test result: FAILED. 1 passed; 2 failed;\ntest result: ok. 3 passed; 0 failed;",
        "Tests run: 4, Failures: 1, Errors: 0, Skipped: 0\n" * 2 + "Tests run: 1, Failures: 0, "
        "Errors: 0, Skipped: 0",
        "> Task :test FAILED\n5 tests completed, 1 failed",
        "Ran 3 tests in 0.001s\n\nFAILED (errors=1)",
        "not ok 1 - adds\nok 2 - divides\n1..2",
        "Files=3, Tests=12,  1 wallclock secs\nResult: FAIL",
        "90% tests passed, 1 tests failed out of 10",
        "Ok:                 4   \nExpected Fail:      0   \nFail:               1   ",
        "# PASS:  4\n# SKIP:  0\n# XFAIL: 0\n# FAIL:  1\n# ERROR: 0",
        "Failed!  - Failed:     1, Passed:     5, Skipped:     0, Total:     6",
        "  4 tests passed\n  1 test failed",
        "PASSED: 16\nFAILED: 1",
    ],
)
def test_an_exit_code_of_0_hides_no_failure(output: str) -> None:
    status, reason = _verdict(output, script="pytest || true")
    assert (status, "exit code 0" in reason) == ("failed", True)


@pytest.mark.parametrize(
    "output",
    [
        "1 failed, 1 passed in 0.1s\n=== 2 passed in 0.1s ===",
        "=== 2 passed, 3 xfailed in 0.1s ===",
        "test result: ok. 3 passed; 0 failed; 0 ignored;",
        "3 examples, 0 failures",
        "Tests run: 4, Failures: 0, Errors: 0, Skipped: 0",
        "not ok 1 - later # TODO\nok 2 fail without a file\n1..2",
        "Ok:                 4   \nExpected Fail:      2   \nFail:               0   ",
        "# PASS:  4\n# XFAIL: 2\n# FAIL:  0",
        "ok  \ta/fail\t0.1s",
        "PASSED: 17\nFAILED: 0",
    ],
)
def test_a_check_whose_last_run_has_no_failure_passes(output: str) -> None:
    assert _verdict(output) == ("passed", "")
