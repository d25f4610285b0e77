"""The signs of tests in the languages of repositories: files, definitions, skips, assertions."""

import re
from typing import Final

import msgspec


class Language(msgspec.Struct, frozen=True, kw_only=True):
    suffixes: frozenset[str]
    test: re.Pattern[str]
    """The definition of a test, with its name as the first group that matched."""
    skip: re.Pattern[str]
    """A line that keeps a test from running, or lets it fail."""
    maybe_skip: re.Pattern[str] | None = None
    """A skip that usually has a condition: a new file may hold it."""
    mark: re.Pattern[str] | None = None
    """The line that makes a test of the function below it, where names say nothing."""
    comment: str = "//"


def _language(
    suffixes: str,
    *,
    test: str,
    skip: str,
    maybe_skip: str = "",
    mark: str = "",
    comment: str = "//",
) -> Language:
    return Language(
        suffixes=frozenset(suffixes.split()),
        test=re.compile(test),
        skip=re.compile(skip),
        maybe_skip=re.compile(maybe_skip) if maybe_skip else None,
        mark=re.compile(mark) if mark else None,
        comment=comment,
    )


LANGUAGES: Final = (
    _language(
        "py pyi",
        test=r"^\s*(?:async\s+)?def\s+(test\w*)",
        skip=(
            r"pytest\.mark\.(?:skip|xfail)\b|@(?:mark\.)?(?:skip|xfail)\b|\bexpectedFailure\b"
            r"|unittest\.skip\b|__test__\s*=\s*False|\bexcept\s+\(?AssertionError"
            r"|\bparametrize\(.*\[\s*\]"
        ),
        maybe_skip=(
            r"\bskip(?:if|If|Unless)\b|pytest\.(?:skip|xfail|importorskip)\(|\.skipTest\(|SkipTest"
            r"|^\s*return\s*$|^\s*if\s+(?:False|0)\b"
        ),
        comment="#",
    ),
    _language(
        "js jsx ts tsx mjs cjs mts cts vue svelte",
        test=r"^\s*[xf]?(?:it|test|specify)(?:\.\w+)*\s*\(\s*[\"'`](.+?)[\"'`]\s*,",
        skip=(
            r"\b(?:it|test|describe|context|suite|specify)(?:\.\w+)*"
            r"\.(?:skip|only|todo|fixme|fails?|failing)\b"
            r"|\b(?:x(?:it|test|describe|context)|f(?:it|describe))\s*\("
            r"|[{,]\s*(?:skip|only|todo)\s*:\s*(?:true|[\"'`])"
        ),
        maybe_skip=(
            r"\bthis\.skip\(|\bt\.(?:skip|todo)\(|\.(?:skipIf|runIf)\(|^\s*return;?\s*$"
            r"|\bif\s*\(false\)"
        ),
    ),
    _language(
        "go",
        test=r"^func\s+((?:Test|Fuzz|Example)\w*)\s*\(",
        skip=r"^//go:build\s+ignore\b|^//\s*\+build\s+ignore\b",
        maybe_skip=r"\b\w{1,3}\.Skip(?:f|Now)?\(|^//go:build\s|^//\s*\+build\s",
    ),
    _language(
        "rs",
        test=r"^\s*(?:pub\s+)?(?:async\s+)?fn\s+(\w+)",
        mark=r"#\[(?:\w+::)*test\b|#\[(?:rstest|test_case|quickcheck)\b",
        skip=r"#\[ignore\b|#\[cfg_attr\(.*\bignore\b|#\[cfg\(any\(\)\)\]",
    ),
    _language(
        "java kt kts scala groovy",
        test=(
            r"(?:\bvoid\s+|\bfun\s+)(?:`([^`]+)`|(\w+))\s*\(|\btest\(\s*\"(.+?)\"|\bdef\s+\"(.+?)\""
        ),
        mark=r"@\w*Test\b|\bvoid\s+test\w*\s*\(|^\s*test\(\s*\"|^\s*def\s+\"",
        skip=r"@(?:Ignore|Disabled)\b|\benabled\s*=\s*false|^\s*ignore\(\s*\"|\bignore\s+should\b",
        maybe_skip=r"\bassum(?:e|ing)(?:True|False|That)\(|@(?:Disabled|Enabled)(?:On|If)\w*",
    ),
    _language(
        "cs fs vb",
        test=r"\b(?:void|Task|ValueTask)\s+(\w+)\s*\(",
        mark=r"^\s*\[(?:\w+,\s*)?(?:Fact|Theory|Test|TestMethod|TestCase)\b",
        skip=r"\bSkip\s*=\s*[$@]?\"|\[(?:Ignore|Explicit)\b|\bAssert\.(?:Ignore|Inconclusive|Skip)\("
        r"|^\s*#if\s+false\b",
    ),
    _language(
        "rb",
        test=(
            r"^\s*[xf]?(?:it|specify|scenario|test|example)\s*\(?\s*[\"'](.+?)[\"']"
            r"|^\s*def\s+(test_\w+)"
        ),
        skip=(
            r"^\s*(?:skip|pending)\b|\b[xf](?:it|describe|context|specify|scenario)\b"
            r"|\b(?:skip|focus|pending):\s*(?:true|[\"'])|,\s*:(?:skip|focus|pending)\b"
        ),
        comment="#",
    ),
    _language(
        "php",
        test=r"\bfunction\s+(test\w+)|^\s*(?:it|test)\(\s*[\"'](.+?)[\"']|#\[Test\]",
        skip=r"->(?:skip|only|todo)\(|@doesNotPerformAssertions",
        maybe_skip=r"markTest(?:Skipped|Incomplete)\(",
    ),
    _language(
        "ex exs",
        test=r"^\s*test\s+\"(.+?)\"",
        skip=r"@(?:module|describe)?tag\s+:?skip\b|@(?:module)?tag\s+:(?:pending|todo)\b",
        comment="#",
    ),
    _language(
        "swift m mm",
        test=r"\bfunc\s+(test\w*)\s*\(|@Test(?:\(\s*\"(.+?)\")?",
        skip=r"\bXCTExpectFailure\b|\.disabled\(",
        maybe_skip=r"\bXCTSkip(?:If|Unless)?\b",
    ),
    _language(
        "dart",
        test=r"^\s*(?:test|testWidgets|blocTest)\w*(?:<.*>)?\(\s*[\"'](.+?)[\"']",
        skip=r"\bskip:\s*(?!false)\S|@Skip\(|\bsolo:\s*true",
    ),
    _language(
        "c cc cpp cxx h hh hpp",
        test=(
            r"^\s*(?:TEST|TEST_F|TEST_P|TYPED_TEST|BOOST_AUTO_TEST_CASE|TEST_CASE|SCENARIO)"
            r"\s*\(\s*(.+?)\s*[,)]\s*(?:\w+)?"
        ),
        skip=r"\bGTEST_SKIP\b|\bDISABLED_\w+|\"\[\.[^\"]*\]|\[!(?:mayfail|shouldfail)\]"
        r"|^\s*#if\s+0\b",
    ),
    _language(
        "bats sh bash",
        test=r"^\s*@test\s+[\"'](.+?)[\"']|^(?:function\s+)?(test_\w+)\s*\(\)",
        skip=r"^\s*skip\b|^\s*return\s+0\b",
        comment="#",
    ),
    _language(
        "clj cljs cljc",
        test=r"\(deftest\s+(?:\^\S+\s+)*([\w?!*-]+)",
        skip=r"\^:(?:skip|pending|kaocha/skip)|#_\s*\(deftest",
        comment=";",
    ),
    _language(
        "hs lua ml jl zig",
        test=r"^\s*(?:it|describe|test|prop|specify)\s*\(?\s*\"(.+?)\"|@testset\s+\"(.+?)\"",
        skip=r"^\s*(?:xit|xdescribe|pending|pendingWith)\b|@test_skip|@test_broken|error\.SkipZigTest",
        comment="--",
    ),
)
_BY_SUFFIX: Final = {suffix: language for language in LANGUAGES for suffix in language.suffixes}
_FOLDER: Final = re.compile(
    r"(?:^|/)(?:tests?|__tests__|specs?|e2e|androidTest|(?:unit|integration|functional)"
    r"[-_]?tests?|[\w-]+[-_.]tests?|[A-Z]\w*Tests?)/"
)
_FILE: Final = re.compile(
    r"(?!.*_tests\.go)(?:test_\w.*|conftest|tests?|.+_tests?|.+_spec|.+[.-](?:test|tests|spec|e2e|cy)|test[-.].+"
    r"|.*[a-z0-9](?:Test|Tests|TestCase|Spec|Specs|IT|Suite)|Test[A-Z]\w*)\.[a-z]+|.+\.(?:bats|t)"
)
ASSERTION: Final = re.compile(
    r"(?<![\w.])(?:assert|refute)\w*!?(?:\s+[^\s=]|\s*\()"
    r"|(?<![\w.])(?:assertions|expect|require|check|verify|ensure|must|should|fail)\w*!?\s?[({.]"
    r"|\.(?:should|must|to|assert\w*|expect\w*|verify\w*|check\w*|refute\w*)\b"
    r"|\b(?:raises|throws?)\(|\b(?:XCT|BOOST_)?(?:ASSERT|EXPECT|REQUIRE|CHECK)\w*\("
    r"|\b\w{1,3}\.(?:Errorf?|Fatalf?|Fail(?:Now)?|equal|deepEqual|notEqual|ok|is|same|like)\("
    r"|\b(?:Assert|Assertions|Truth)\.\w+\("
)
ASSERTING: Final = (
    *("assert", "expect", "refute", "require", "check", "verify", "ensure", "must", "should"),
    *("fail", "raises", "throw", ".to", "error", "fatal", "equal", ".ok(", ".is(", ".same("),
    *(".like(", "truth"),
)
"""One of these is in every assertion: most lines have none, and are not searched."""
IMPORT: Final = re.compile(
    r"^\s*(?:from|import|using|use|#include|package|require(?:_relative)?|export)\b"
    r"|\brequire\(\s*[\"']"
)
TRIVIAL: Final = re.compile(
    r"\bassert!?\s*\(?\s*(?:True|true|1|not\s+False|!false)\s*\)?\s*(?:$|[;,#])"
    r"|\bassert(?:True|_true)?!?\s*\(\s*(?:True|true|1)\s*[,)]"
    r"|\bassert(?:False|_false)\s*\(\s*(?:False|false|0)\s*[,)]"
    r"|\bexpect\(\s*(?:true|1)\s*\)|\bassert\s+([\w.\"']+)\s*==\s*\1\s*$"
    r"|\b(?:assert|expect|XCTAssert)_?(?:eq!?|Equals?|equal)\w*\s*\(\s*([\w.\"']+)\s*,\s*\2\s*[,)]"
    r"|\bAssert\.(?:True|IsTrue)\(\s*true\b|\bor\s+True\b|\|\|\s*true\b",
    re.IGNORECASE,
)
"""Assertions that hold whatever the code does."""
LOOSE: Final = re.compile(
    r"\bis not None\b|(?:Is)?Not_?(?:Null|Nil|None)\b|toBe(?:Defined|Truthy)\(|\bnot[._]to_?be_?"
    r"(?:null|nil|undefined|none)|refute_nil|not_nil|\bassert\s+\w[\w.]*\s*(?:#.*)?$",
    re.IGNORECASE,
)
"""Assertions that hold for nearly every value."""
TABLE: Final = re.compile(
    r"parametrize|\.each\b|subTest|ParameterizedTest|CsvSource|\[Theory\]|InlineData|\bt\.Run\("
    r"|rstest|#\[case|[dD]ataProvider|TestWith|test_case|TEST_P|\bfor\b.*\bin\b|\brange\b"
)
"""Signs of tests that were brought together in a table."""
RUST_TESTS: Final = re.compile(r"#\[(?:\w+::)*test\b|#\[cfg\(test\)\]|\bmod\s+tests?\b")


def language_of(suffix: str) -> Language | None:
    return _BY_SUFFIX.get(suffix)


def is_test_path(path: str) -> bool:
    """True for a file of tests by its folder or name, in a language of the table."""
    name = path.rpartition("/")[2]
    suffix = name.rpartition(".")[2].lower() if "." in name else ""
    is_known = suffix in _BY_SUFFIX or suffix == "t"
    return is_known and bool(_FILE.fullmatch(name) or _FOLDER.search(path))


def is_test_name(path: str) -> bool:
    """True if the name of the file alone says that it holds tests."""
    return bool(_FILE.fullmatch(path.rpartition("/")[2]))
