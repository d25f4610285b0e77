"""The closing lines of test tools: the tests that ran, none, or nothing said."""

import time

import pytest

from snapshot.runner.validation.results import number_ran

RAN = {
    "pytest": ("===== 5 passed, 1 skipped in 0.12s =====", 5),
    "pytest -q": ("..F\n2 passed, 1 failed, 3 warnings in 61.10s (0:01:01)", 3),
    "pytest with errors": ("=== 1 error in 0.10s ===", 1),
    "pytest, all skipped": ("===== 3 skipped in 0.02s =====", 0),
    "pytest without tests": ("collected 0 items\n===== no tests ran in 0.01s =====", 0),
    "unittest": ("...\n----\nRan 3 tests in 0.001s\n\nOK", 3),
    "unittest, all skipped": ("Ran 3 tests in 0.001s\n\nOK (skipped=3)", 0),
    "unittest without tests": ("Ran 0 tests in 0.000s\n\nOK", 0),
    "Django": ("Found 2 test(s).\nRan 2 tests in 0.010s\n\nOK", 2),
    "go": ("ok  \texample.com/a\t0.010s\nok  \texample.com/b\t(cached)", 2),
    "go, no files": ("?   \texample.com/a\t[no test files]", 0),
    "go, nothing to run": ("ok  \texample.com/a\t0.01s [no tests to run]", 0),
    "go, some without": ("?   \ta\t[no test files]\nok  \tb\t0.1s", 1),
    "cargo": ("running 4 tests\ntest result: ok. 4 passed; 0 failed; 0 ignored; 0 measured", 4),
    "cargo without tests": (
        "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored;",
        0,
    ),
    "nextest": ("     Summary [   0.012s] 5 tests run: 5 passed, 0 skipped", 5),
    "jest": ("Tests:       1 failed, 5 passed, 6 total", 6),
    "jest, all skipped": ("Tests:       3 skipped, 3 total", 0),
    "jest without tests": ("No tests found, exiting with code 0", 0),
    "vitest": ("      Tests  5 passed (5)", 5),
    "vitest without tests": ("No test files found, exiting with code 0", 0),
    "mocha": ("  5 passing (10ms)", 5),
    "mocha without tests": ("  0 passing (1ms)", 0),
    "node --test": ("# tests 2\n# pass 2\n# fail 0", 2),
    "node --test in a terminal": ("\u2139 tests 2\n\u2139 pass 2\n\u2139 fail 0", 2),
    "node --test without tests": ("# tests 0\n# pass 0\n# fail 0", 0),
    "pnpm, many packages": ("packages/a test:       Tests  4 passed (4)", 4),
    "turbo": ("web:test: Tests:       4 passed, 4 total", 4),
    "ava": ("  3 tests passed", 3),
    "bun": (" 4 pass\n 0 fail\nRan 4 tests across 1 file.", 4),
    "deno": ("ok | 3 passed | 0 failed (5ms)", 3),
    "rspec": ("12 examples, 0 failures, 2 pending", 10),
    "rspec without tests": ("0 examples, 0 failures", 0),
    "minitest": ("4 runs, 8 assertions, 0 failures, 0 errors, 1 skips", 3),
    "phpunit": ("OK (5 tests, 9 assertions)", 5),
    "phpunit with skipped": ("Tests: 5, Assertions: 9, Skipped: 5.", 0),
    "phpunit without tests": ("No tests executed!", 0),
    "pest": ("  Tests:    5 passed (9 assertions)", 5),
    "maven": ("[INFO] Tests run: 7, Failures: 0, Errors: 0, Skipped: 1", 6),
    "maven without tests": ("[INFO] No tests to run.", 0),
    "maven, all skipped": ("[INFO] Tests are skipped.", 0),
    "gradle": ("> Task :compileTestJava\n> Task :app:test\n\nBUILD SUCCESSFUL", None),
    "gradle without tests": ("> Task :test NO-SOURCE\n\nBUILD SUCCESSFUL", 0),
    "gradle, compiled alone": ("> Task :testClasses\n> Task :compileTestJava", None),
    "dotnet": ("Passed!  - Failed:     0, Passed:     5, Skipped:     0, Total:     5", 5),
    "dotnet 9": ("Test summary: total: 5, failed: 0, succeeded: 5, skipped: 0", 5),
    "dotnet without tests": ("No test is available in /a.dll.", 0),
    "mix": ("1 doctest, 4 tests, 0 failures, 1 excluded", 3),
    "mix without tests": ("There are no tests to run", 0),
    "ctest": ("100% tests passed, 0 tests failed out of 9", 9),
    "ctest, all skipped": (
        "1/1 Test #1: a ......***Skipped   0.01 sec\n100% tests passed, 0 tests failed out of 1",
        0,
    ),
    "ctest without tests": ("No tests were found!!!", 0),
    "prove": ("Files=3, Tests=12,  1 wallclock secs\nResult: PASS", 12),
    "swift": ("\t Executed 5 tests, with 0 failures (0 unexpected) in 0.1 seconds", 5),
    "GoogleTest": ("[==========] 5 tests from 2 test suites ran.\n[  PASSED  ] 4 tests.", 4),
    "GoogleTest, failed": ("[  PASSED  ] 3 tests.\n[  FAILED  ] 2 tests, listed below:", 5),
    "GoogleTest, all skipped": (
        "[  PASSED  ] 0 tests.\n[  SKIPPED ] 5 tests, listed below:",
        0,
    ),
    "Catch2": ("All tests passed (24 assertions in 5 test cases)", 5),
    "doctest": ("[doctest] test cases:  8 |  8 passed | 0 failed | 0 skipped", 8),
    "Unity": ("6 Tests 0 Failures 1 Ignored", 5),
    "EUnit": ("  All 5 tests passed.", 5),
    "busted": ("12 successes / 1 failure / 0 errors / 2 pending : 0.01 seconds", 13),
    "busted, all pending": ("0 successes / 0 failures / 0 errors / 2 pending : 0.01 seconds", 0),
    "a plain closing line": ("12 tests, 12 passed, 0 failed", 12),
    "a plain number": ("PASSED: 14\nFAILED: 0", 14),
    "pre-commit": ("ruff.................................Passed\nmypy........Skipped", 1),
    "pre-commit without files": ("ruff..............(no files to check)Skipped", 0),
    "TAP": ("TAP version 13\nok 1 - adds\nok 2 - divides # SKIP\n1..2", 1),
    "empty TAP": ("1..0", 0),
    "a linter": ("All checks passed!", None),
    "nothing": ("", None),
    "a build": ("compiled 5 files in 3s", None),
}


@pytest.mark.parametrize(("output", "count"), RAN.values(), ids=RAN)
def test_the_tests_that_ran_are_counted(output: str, count: int | None) -> None:
    assert number_ran(output) == count


@pytest.mark.parametrize("line", ["1 ", "Tests: 1 ", "\n1", "ok 1 " * 3, "> Task :test"])
def test_no_output_is_read_for_long(line: str) -> None:
    began = time.process_time()
    number_ran(line * (96_000 // len(line)))
    assert time.process_time() - began < 2
