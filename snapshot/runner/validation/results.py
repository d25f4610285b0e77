"""The number of tests that ran, read from the closing lines of test tools.

An exit code of 0 says nothing about it: most tools end so, too, when they found no test at all.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

LARGEST_LINES: Final = 4_000
"""Of an output, half of them from its end."""
LINE_CHARACTERS: Final = 400
_PREFIX: Final = re.compile(
    r"\[(?:INFO|WARNING|ERROR)\][ \t]+|[\w@./-]{1,200}(?::|[ \t])test[\w:-]{0,40}:[ \t]?"
)
"""Of a line that maven, or a tool for many packages, passes on."""
_INTERESTING: Final = re.compile(r"\d|test|example|passed|spec|skipped|fail", re.IGNORECASE)


class Closing(NamedTuple):
    """A kind of closing line; of its groups `ran` are added, and `not_run` are taken away."""

    tool: str
    line: re.Pattern[str]
    counts: re.Pattern[str] | None = None
    """Finds the numbers of tests that ran within the line, where they are many."""
    each: int = 0
    """1: each such line stands for a test, or for a package with tests; -1: it takes one away."""


def _closing(tool: str, line: str, *, counts: str | None = None, each: int = 0) -> Closing:
    compiled = re.compile(counts) if counts else None
    return Closing(tool, re.compile(line), compiled, each)


_RAN: Final = r"(\d+) (?:passed|failed|errors?|xfailed|xpassed)\b"
CLOSINGS: Final = (
    _closing(
        "pytest",
        r"(?:=+ )?\d+ (?:passed|failed|errors?|skipped|deselected|xfailed|xpassed|warnings?)\b"
        r".* in \d[\d.]*s\b",
        counts=_RAN,
    ),
    _closing("unittest", r"Ran (?P<ran>\d+) tests? in "),
    _closing("unittest", r"(?:OK|FAILED) \(.*\bskipped=(?P<not_run>\d+)"),
    _closing("unittest", r"FAILED \("),
    _closing("go", r"FAIL[ \t]+\S+[ \t]+(?:\d|\[)"),
    _closing("go", r"ok[ \t]+\S+[ \t]+(?:\d[\d.]*s|\(cached\))(?!.*\[no tests to run\])", each=1),
    _closing("go", r"--- (?:PASS|FAIL): \S", each=1),
    _closing("gotestsum", r"DONE (?P<ran>\d+) tests?\b"),
    _closing("cargo", r"test result: \w+\. (?P<ran>\d+) passed; \d+ failed;"),
    _closing("cargo", r"test \S.* \.\.\. FAILED", each=1),
    _closing("nextest", r"[ \t]*Summary \[.*\] +(?P<ran>\d+)(?:/\d+)? tests? run"),
    _closing(
        "jest, vitest or pest",
        r"[ \t]*Tests:?[ \t]+\d.*\b(?:passed|failed|skipped|todo)\b.*",
        counts=r"(\d+) (?:passed|failed)",
    ),
    _closing("mocha", r"[ \t]*(?P<ran>\d+) (?:passing|failing)\b"),
    _closing("node --test or tape", r"(?:#|\u2139) (?:pass|fail)[ \t]+(?P<ran>\d+)"),
    _closing("TAP", r"(?:not )?ok \d+\b(?!.*# (?:SKIP|skip))", each=1),
    _closing("tap", r"(?:Asserts:[ \t]+|# \{ total: )(?P<ran>\d+)"),
    _closing("ava", r"[ \t]*(?:✔ )?(?P<ran>\d+) tests? (?:passed|failed)"),
    _closing("playwright", r"[ \t]*(?P<ran>\d+) (?:passed|failed)(?: \([\d.]+m?s\))?$"),
    _closing("jasmine", r"(?P<ran>\d+) specs?, \d+ failures?"),
    _closing("karma", r".*\bExecuted (?P<ran>\d+) of \d+ "),
    _closing("bun", r"[ \t]*(?P<ran>\d+) (?:pass|fail)$"),
    _closing("uvu", r"[ \t]*Total:[ \t]+(?P<ran>\d+)$"),
    _closing("deno", r"(?:ok|FAILED) \| (?P<ran>\d+) passed"),
    _closing("rspec", r"(?P<ran>\d+) examples?, \d+ failures?(?:, (?P<not_run>\d+) pending)?"),
    _closing(
        "minitest",
        r"(?P<ran>\d+) (?:runs|tests), \d+ assertions, .*?(?P<not_run>\d+) (?:skips|omissions)\b",
    ),
    _closing("cucumber or behave", r"(?P<ran>\d+) scenarios? (?:\(|passed)"),
    _closing("phpunit", r"OK(?:, but [^(]*)? ?\((?P<ran>\d+) tests?,"),
    _closing("phpunit", r"Tests: (?P<ran>\d+), Assertions: \d+(?:.*Skipped: (?P<not_run>\d+))?"),
    _closing(
        "maven",
        r"Tests run: (?P<ran>\d+), Failures: \d+, Errors: \d+, Skipped: (?P<not_run>\d+)",
    ),
    _closing("gradle", r"(?P<ran>\d+) tests? completed, \d+ failed"),
    _closing("sbt", r"(?:Passed|Failed): Total (?P<ran>\d+)"),
    _closing("dotnet", r"[ \t]*(?:Passed|Failed)![ \t]+-", counts=r"(?:Passed|Failed):[ \t]+(\d+)"),
    _closing(
        "dotnet", r"[ \t]*(?:Test summary: )?total: +(?P<ran>\d+)(?:,.*skipped: (?P<not_run>\d+))?"
    ),
    _closing("dotnet", r"[ \t]*Total tests: (?P<ran>\d+)"),
    _closing(
        "mix",
        r"(?:\d+ doctests?, )?(?:\d+ properties, )?(?P<ran>\d+) tests?, \d+ failures?"
        r"(?:, (?P<not_run>\d+) (?:excluded|skipped))?",
    ),
    _closing("ctest", r"\d+% tests passed, \d+ tests? failed out of (?P<ran>\d+)"),
    _closing("ctest", r"[ \t]*\d+/\d+ Test +#\d+: .*\*\*\*Skipped\b", each=-1),
    _closing("prove", r"Result: FAIL"),
    _closing("prove", r"Files=\d+, Tests=(?P<ran>\d+),"),
    _closing("GoogleTest", r"\[ +(?:PASSED|FAILED) +\] (?P<ran>\d+) tests?[.,]"),
    _closing("Catch2", r"All tests passed \(\d+ assertions? in (?P<ran>\d+) test cases?\)"),
    _closing("doctest", r"(?:\[doctest\] )?test cases: +(?P<ran>\d+) +\|"),
    _closing("Unity", r"(?P<ran>\d+) Tests \d+ Failures (?P<not_run>\d+) Ignored"),
    _closing("tasty, EUnit or zig", r"[ \t]*All (?P<ran>\d+) tests passed\b"),
    _closing("meson", r"(?:Ok|Fail):[ \t]+(?P<ran>\d+)"),
    _closing("automake", r"# (?:PASS|FAIL|ERROR):[ \t]+(?P<ran>\d+)"),
    _closing("swift", r".*\bExecuted (?P<ran>\d+) tests?, with "),
    _closing("swift", r".*\bTest run with (?P<ran>\d+) tests?\b"),
    _closing("dart", r".*\+(?P<ran>\d+)(?: ~\d+)?: All tests passed!"),
    _closing("cabal", r"\d+ of \d+ test suites \((?P<ran>\d+) of "),
    _closing("bazel", r"Executed (?P<ran>\d+) out of \d+ tests?"),
    _closing("leiningen", r"Ran (?P<ran>\d+) tests? containing"),
    _closing(
        "busted",
        r"\d+ success(?:es)? / \d+ failures? / \d+ errors?",
        counts=r"(\d+) (?:success|failure)",
    ),
    _closing("plain", r"(?P<ran>\d+) tests?, \d+ passed, \d+ failed$"),
    _closing("plain", r"(?:PASSED|FAILED): (?P<ran>\d+)$"),
    _closing("pre-commit", r"\S.*\.{3,}(?:Passed|Failed)$", each=1),
)
_GRADLE: Final = re.compile(
    r"> Task :(?:\S+:)?(?:test(?!Classes)\w*|\w+Test)(?: (?:FAILED|UP-TO-DATE|FROM-CACHE))?$"
)
_NONE: Final = re.compile(
    r"no tests? ran\b|no tests? found\b|no test files? found|no tests? to run|no test files\]"
    r"|collected 0 items|ran 0 tests|running 0 tests|no tests executed|no tests were found"
    r"|no test is available|there are no tests|no tests? suite found|tests are skipped"
    r"|no specs found|no examples found|couldn.t find any files to test|Result: NOTESTS"
    r"|no tests? defined|no tests? (?:match|specified)|found 0 test\(s\)"
    r"|> Task :\S*[tT]est\w* (?:NO-SOURCE|SKIPPED)|\.{3,}.*Skipped$|1\.\.0\b",
    re.IGNORECASE,
)
_PARTS: Final = re.compile(
    "unittest|go|cargo|TAP|ava|maven|gradle|sbt|dotnet|ctest|prove|GoogleTest|meson|automake|plain"
)
"""Tools with many closing lines, or whose last one names no failures: a failure in any counts. Of
the others the last run counts: some repositories run what failed again."""
_FAILURES: Final = re.compile(
    r"\b[1-9]\d* (?:tests? )?(?:failed|failing|failures?|errors?|fail)\b"
    r"|\[ +FAILED +\] [1-9]|\b(?:fail(?:ures?|ed)?|errors?)[:=][ \t]*[1-9]"
    r"|(?:#|\u2139) fail[ \t]+[1-9]",
    re.IGNORECASE,
)
_FAILED: Final = re.compile(
    r"FAIL[ \t]|--- FAIL|Result: FAIL|FAILED \(|test \S.* FAILED|not ok\b(?!.*# (?:TODO|SKIP|skip))"
)
"""The beginning of a closing line that tells of a failure without a number."""


def counts_failures(output: str) -> bool:
    """True if the closing lines of the last tool tell of failures, whatever the exit code says."""
    found = [(closing, line) for line in _lines(output) if (closing := _closing_of(line))]
    tool = found[-1][0].tool if found else ""
    last = [each for each in found if each[0].tool == tool][0 if _PARTS.fullmatch(tool) else -1 :]
    return any(_tells_failure(closing, line) for closing, line in last)


def _tells_failure(closing: Closing, line: str) -> bool:
    """Numbers count in a sum alone: the name of a test may be `42 errors`."""
    is_sum = not closing.each and _FAILURES.search(line)
    return bool(is_sum or _FAILED.match(line))


def number_ran(output: str) -> int | None:
    """The number of tests, or of packages with tests; None: no tool said anything of it."""
    lines = list(_lines(output))
    counts = [count for line in lines for count in _counts(line)]
    if not counts:
        return 0 if _is_none(lines) else None
    return max(0, sum(counts))


def is_gradles(output: str) -> bool:
    """True if gradle ran a task for tests: it counts them in its reports alone."""
    return any(_GRADLE.match(line) for line in _lines(output))


def _is_none(lines: list[str]) -> bool:
    return any(_NONE.search(line) for line in lines)


def _lines(output: str) -> Iterator[str]:
    lines = output.splitlines()
    if len(lines) > LARGEST_LINES:
        half = LARGEST_LINES // 2
        lines = [*lines[:half], *lines[-half:]]
    for line in lines:
        cut = line[:LINE_CHARACTERS].rstrip()
        if _INTERESTING.search(cut):
            prefix = _PREFIX.match(cut)
            yield cut[prefix.end() :] if prefix else cut


def _counts(line: str) -> Iterator[int]:
    closing = _closing_of(line)
    found = closing.line.match(line) if closing else None
    if closing and found:
        yield _count(closing, found)


def _closing_of(line: str) -> Closing | None:
    """The first kind of closing line that matches."""
    return next((closing for closing in CLOSINGS if closing.line.match(line)), None)


def _count(closing: Closing, found: re.Match[str]) -> int:
    if closing.each:
        return closing.each
    if closing.counts is not None:
        return sum(map(int, closing.counts.findall(found.string)))
    groups = found.groupdict()
    return int(groups.get("ran") or 0) - int(groups.get("not_run") or 0)
