"""Findings of a patch: each is seen, and an ordinary change has none."""

import difflib
import textwrap

import pytest

from snapshot.runner.findings.file_change import LARGEST_SECTION, FileChange, with_diff
from snapshot.runner.findings.find import find, notes
from tests.snapshot.findings_samples import (
    BATS,
    CSHARP,
    ELIXIR,
    GO,
    JAVA,
    JEST,
    KOTLIN,
    MAKEFILE,
    PACKAGE,
    PHP,
    PYPROJECT,
    PYTHON,
    RSPEC,
    RUST,
)

Edit = tuple[str | None, str | None]
"""The content before and after; None: the file is not there."""

UNRESOLVED = "Conflicts are not resolved"
DELETED = "Tests are deleted"
SKIPPED = "Tests are skipped or singled out"
WEAKENED = "Tests are weakened (assertions are gone)"
CHECKS = "The definition of the checks is changed"
WORKFLOWS = "Workflows are changed"
BLANKS = "Only white space is changed"
LOCKED = "Lock files are changed"
GENERATED = "Generated files are changed"
BINARY = "Binary files are changed"


def change(path: str, edit: Edit, *, mode: str = "100644") -> FileChange:
    """An edit as git shows it."""
    before, after = (None if text is None else textwrap.dedent(text) for text in edit)
    old, new = ((text or "").splitlines(keepends=True) for text in (before, after))
    diff = difflib.unified_diff(old, new, f"a/{path}", f"b/{path}")
    file = FileChange(
        path=path,
        old_mode="" if before is None else "100644",
        new_mode="" if after is None else mode,
        before=before,
        after=after,
    )
    return with_diff(file, f"diff --git a/{path} b/{path}\n{''.join(diff)}")


def found(**edits: Edit) -> dict[str, tuple[str, ...]]:
    """Sentence → subjects of a patch; `__` in a name stands for a slash."""
    return dict(find([change(path, edit) for path, edit in edits.items()], ()))


def without(text: str, start: str, end: str) -> str:
    """The text without what lies between two marks."""
    first = text.index(start)
    return text[:first] + text[text.index(end, first) + len(end) :]


ONE: dict[str, tuple[str, str, Edit]] = {
    "a deleted file": (DELETED, "tests/test_w.py", (PYTHON, None)),
    "a deleted file beside the code": (DELETED, "src/double.spec.ts", (JEST, None)),
    "a deleted file of Go": (DELETED, "double_test.go", (GO, None)),
    "a deleted file of Java": (DELETED, "src/test/java/WidgetTest.java", (JAVA, None)),
    "a deleted script of shell": (DELETED, "test/double.bats", (BATS, None)),
    "a mark of pytest": (
        SKIPPED,
        "tests/test_w.py",
        (PYTHON, PYTHON.replace("    def test_h", "    @pytest.mark.skip\n    def test_h")),
    ),
    "an expected failure": (
        SKIPPED,
        "test_w.py",
        (PYTHON, PYTHON.replace("    def test_h", "    @pytest.mark.xfail()\n    def test_h")),
    ),
    "a skip inside": (
        SKIPPED,
        "test_w.py",
        (PYTHON, PYTHON.replace("        with", "        pytest.skip('flaky')\n        with")),
    ),
    "a skip under a condition": (
        SKIPPED,
        "test_w.py",
        (PYTHON, PYTHON.replace("    def test_h", "    @unittest.skipIf(1, '')\n    def test_h")),
    ),
    "it.skip": (SKIPPED, "a.test.js", (JEST, JEST.replace('it("d', 'it.skip("d'))),
    "it.only": (SKIPPED, "a.test.js", (JEST, JEST.replace('it("d', 'it.only("d'))),
    "xit": (SKIPPED, "__tests__/a.js", (JEST, JEST.replace('it("r', 'xit("r'))),
    "fdescribe": (SKIPPED, "a_spec.js", (JEST, JEST.replace("describe", "fdescribe"))),
    "a new file of skipped tests": (SKIPPED, "n.test.ts", (None, JEST.replace("it(", "it.skip("))),
    "t.Skip": (
        SKIPPED,
        "double_test.go",
        (GO, GO.replace("\tif got", '\tt.Skip("later")\n    \tif got')),
    ),
    "a build tag": (SKIPPED, "double_test.go", (GO, "    //go:build ignore\n" + GO)),
    "ignore of Rust": (
        SKIPPED,
        "src/lib.rs",
        (RUST, RUST.replace("        fn doubles", "        #[ignore]\n        fn doubles")),
    ),
    "Disabled": (
        SKIPPED,
        "src/test/java/WidgetTest.java",
        (JAVA, JAVA.replace("@Test\n        void", "@Test\n        @Disabled\n        void")),
    ),
    "Skip of xUnit": (
        SKIPPED,
        "WidgetTests.cs",
        (CSHARP, CSHARP.replace("[Fact]", '[Fact(Skip = "flaky")]')),
    ),
    "pending of RSpec": (
        SKIPPED,
        "spec/widget_spec.rb",
        (
            RSPEC,
            RSPEC.replace(
                "        expect(described_class.h", "        pending\n        expect(x.h"
            ),
        ),
    ),
    "xit of RSpec": (SKIPPED, "spec/widget_spec.rb", (RSPEC, RSPEC.replace("it 'h", "xit 'h"))),
    "markTestSkipped": (
        SKIPPED,
        "tests/WidgetTest.php",
        (PHP, PHP.replace("$this->assertSame(4", "$this->markTestSkipped();\n$this->assertSame(4")),
    ),
    "a tag of ExUnit": (
        SKIPPED,
        "test/w_test.exs",
        (ELIXIR, ELIXIR.replace('      test "h', '      @tag :skip\n      test "h')),
    ),
    "skip of bats": (
        SKIPPED,
        "test/w.bats",
        (BATS, BATS.replace("      run halve", "      skip\n      run halve")),
    ),
    "an assertion fewer": (
        WEAKENED,
        "tests/test_w.py",
        (PYTHON, PYTHON.replace("        assert double(3) == 6\n", "")),
    ),
    "an assertion in a comment": (
        WEAKENED,
        "tests/test_w.py",
        (PYTHON, PYTHON.replace("        assert double(3)", "        # assert double(3)")),
    ),
    "an assertion of nothing": (
        WEAKENED,
        "tests/test_w.py",
        (PYTHON, PYTHON.replace("assert double(3) == 6", "assert True")),
    ),
    "an assertion of itself": (
        WEAKENED,
        "tests/test_w.py",
        (PYTHON, PYTHON.replace("assert double(3) == 6", "self.assertEqual(6, 6)")),
    ),
    "a looser assertion": (
        WEAKENED,
        "tests/test_w.py",
        (PYTHON, PYTHON.replace("assert double(3) == 6", "assert double(3) is not None")),
    ),
    "a looser expectation": (
        WEAKENED,
        "a.test.ts",
        (JEST, JEST.replace("toBe(4)", "toBeDefined()")),
    ),
    "an exception that is no longer demanded": (
        WEAKENED,
        "test_w.py",
        (PYTHON, PYTHON.replace("with pytest.raises(ValueError)", "if True")),
    ),
    "expect(true)": (
        WEAKENED,
        "a.test.ts",
        (JEST, JEST.replace("expect(double(2)).toBe(4)", "expect(true).toBe(true)")),
    ),
    "a check of Go": (
        WEAKENED,
        "w_test.go",
        (GO, GO.replace('t.Errorf("got %d", got)', "_ = got")),
    ),
    "a check of Rust": (
        WEAKENED,
        "src/lib.rs",
        (RUST, RUST.replace("assert_eq!(double(2), 4);", "double(2);")),
    ),
    "a check of Java": (
        WEAKENED,
        "WidgetTest.java",
        (JAVA, JAVA.replace("assertEquals(4, Widget.doubled(2));", "Widget.doubled(2);")),
    ),
    "an expectation of RSpec": (
        WEAKENED,
        "spec/w_spec.rb",
        (RSPEC, RSPEC.replace("expect(described_class.double(2)).to eq(4)", "described_class")),
    ),
    "a table without a row": (
        SKIPPED,
        "test_w.py",
        (
            PYTHON,
            PYTHON.replace(
                "    def test_h", "    @pytest.mark.parametrize('n', [])\n    def test_h"
            ),
        ),
    ),
    "an early return": (
        SKIPPED,
        "test_w.py",
        (PYTHON, PYTHON.replace("        with", "        return\n        with")),
    ),
    "it.concurrent.skip": (
        SKIPPED,
        "a.test.js",
        (JEST, JEST.replace('it("d', 'it.concurrent.skip("d')),
    ),
    "a condition of the build": (
        SKIPPED,
        "double_test.go",
        (GO, "    //go:build never\n" + GO),
    ),
    "an exit of pytest": (
        CHECKS,
        "conftest.py",
        ("import os\n", "import os\nos._exit(0)\n"),
    ),
    "files that pytest ignores": (
        CHECKS,
        "tests/conftest.py",
        ("import pytest\n", "import pytest\ncollect_ignore = ['test_w.py']\n"),
    ),
    "the target test": (CHECKS, "Makefile", (MAKEFILE, MAKEFILE.replace("$(PYTEST) -q", "true"))),
    "a variable of the target": (
        CHECKS,
        "Makefile",
        (MAKEFILE, MAKEFILE.replace("?= pytest", "= true")),
    ),
    "what the target needs": (
        CHECKS,
        "Makefile",
        (MAKEFILE, MAKEFILE.replace("./build.sh", "./build.sh || true")),
    ),
    "a second target test": (CHECKS, "Makefile", (MAKEFILE, MAKEFILE + "    test:\n    \ttrue\n")),
    "a new Makefile": (CHECKS, "Makefile", (None, "test:\n\ttrue\n")),
    "the shell of make": (CHECKS, "Makefile", (MAKEFILE, MAKEFILE + "    SHELL := /bin/true\n")),
    "a recipe of just": (CHECKS, "justfile", ("test:\n    cargo test\n", "test:\n    true\n")),
    "the script test": (CHECKS, "package.json", (PACKAGE, PACKAGE.replace("npm run unit", "true"))),
    "a script that test runs": (
        CHECKS,
        "package.json",
        (PACKAGE, PACKAGE.replace('"jest"', '"jest --passWithNoTests"')),
    ),
    "a script that cannot be read": (CHECKS, "package.json", (PACKAGE, PACKAGE + "}")),
    "options of pytest": (
        CHECKS,
        "pyproject.toml",
        (PYPROJECT, PYPROJECT.replace('"-q"', '"-q --ignore=tests"')),
    ),
    "settings of coverage": (
        CHECKS,
        "pyproject.toml",
        (PYPROJECT, PYPROJECT + "\n    [tool.coverage.report]\n    fail_under = 0\n"),
    ),
    "a section of setup.cfg": (
        CHECKS,
        "setup.cfg",
        ("[metadata]\nname=w\n", "[metadata]\nname=w\n[tool:pytest]\naddopts=-x\n"),
    ),
    "tests of a crate": (
        CHECKS,
        "Cargo.toml",
        ('[package]\nname="w"\n', '[package]\nname="w"\n[lib]\ntest=false\n'),
    ),
    "tox": (CHECKS, "tox.ini", ("[testenv]\ncommands=pytest\n", "[testenv]\ncommands=true\n")),
    "nox": (CHECKS, "noxfile.py", ("a = 1\n", "a = 2\n")),
    "jest": (CHECKS, "jest.config.js", ("a\n", "b\n")),
    "maven": (CHECKS, "pom.xml", ("<a/>\n", "<a/>\n<skipTests>true</skipTests>\n")),
    "gradle": (
        CHECKS,
        "app/build.gradle.kts",
        ("plugins {}\n", "plugins {}\ntasks.test { ignoreFailures = true }\n"),
    ),
    "slipgate": (CHECKS, ".slipgate.yml", (None, "checks: [true]\n")),
    "a script of tests": (CHECKS, "scripts/test.sh", ("pytest\n", "true\n")),
    "pre-commit": (CHECKS, ".pre-commit-config.yaml", ("a: 1\n", "a: 2\n")),
    "a workflow": (WORKFLOWS, ".github/workflows/ci.yml", ("on: push\n", "on: never\n")),
    "an action": (WORKFLOWS, ".github/actions/a/action.yml", ("a: 1\n", "a: 2\n")),
    "a pipeline of GitLab": (WORKFLOWS, ".gitlab-ci.yml", ("a: 1\n", None)),
    "a pipeline of Jenkins": (WORKFLOWS, "ci/Jenkinsfile", ("a\n", "b\n")),
    "a lock file of npm": (LOCKED, "web/package-lock.json", ("{}\n", '{"a": 1}\n')),
    "a lock file of uv": (LOCKED, "uv.lock", ("a\n", "b\n")),
    "sums of Go": (LOCKED, "go.sum", ("a\n", "b\n")),
    "a lock file of Cargo": (LOCKED, "Cargo.lock", ("a\n", "b\n")),
    "a deleted lock file": (LOCKED, "Gemfile.lock", ("a\n", None)),
    "a bundle": (GENERATED, "dist/app.js", ("a\n", "b\n")),
    "a minified file": (GENERATED, "static/app.min.js", (None, "a\n")),
    "code of protobuf": (GENERATED, "api/w_pb2.py", ("a\n", "b\n")),
    "a file that says so": (
        GENERATED,
        "api/client.go",
        (
            "// Code generated by protoc. DO NOT EDIT.\n\nvar a = 1\n",
            "// Code generated by protoc. DO NOT EDIT.\n\nvar a = 2\n",
        ),
    ),
    "a new file that says so": (GENERATED, "c.py", (None, "# This file is @generated\na = 1\n")),
    "a snapshot of jest": (GENERATED, "__snapshots__/a.test.js.snap", ("a\n", "b\n")),
    "marks of a conflict": (
        UNRESOLVED,
        "a.go",
        ("a()\n", "<<<<<<< HEAD\na()\n=======\nb()\n>>>>>>> side\n"),
    ),
    "line ends": (BLANKS, "a.go", ("a()\nb()\n", "a()\r\nb()\r\n")),
    "blanks at ends of lines": (BLANKS, "a.py", ("a = 1\n", "a = 1  \n")),
    "an empty line": (BLANKS, "a.py", ("a = 1\nb = 2\n", "a = 1\n\nb = 2\n")),
    "indentation": (BLANKS, "a.js", ("if (a) {\n  b();\n}\n", "if (a) {\n    b();\n}\n")),
}


@pytest.mark.parametrize(("sentence", "path", "edit"), ONE.values(), ids=ONE.keys())
def test_a_change_that_a_reviewer_must_see_is_found(sentence: str, path: str, edit: Edit) -> None:
    assert found(**{path: edit}) == {sentence: (path,)}


TESTS: dict[str, tuple[str, str, str, str]] = {
    "pytest": ("tests/test_w.py", PYTHON, "    def test_halves", 'halve("x")\n'),
    "jest": ("w.test.js", JEST, '      it("refuses', "      });\n"),
    "go": ("w_test.go", GO, "    func TestHalve", "    }\n"),
    "rust": ("src/lib.rs", RUST, "        #[tokio::test]", "        }\n"),
    "java": (
        "WidgetTest.java",
        JAVA,
        '        @Test\n        @DisplayName("halves")',
        "        }\n",
    ),
    "rspec": ("spec/w_spec.rb", RSPEC, "      it 'halves'", "      end\n"),
    "xunit": ("WidgetTests.cs", CSHARP, "        [Theory]", "        }\n"),
    "phpunit": ("tests/WidgetTest.php", PHP, "        public function testHalves", "        }\n"),
    "exunit": ("test/w_test.exs", ELIXIR, '      test "halves"', "      end\n"),
    "kotlin": ("WidgetTest.kt", KOTLIN, "        @ParameterizedTest", "        }\n"),
    "bats": ("test/w.bats", BATS, '    @test "halves"', "    }\n"),
}


@pytest.mark.parametrize(("path", "text", "start", "end"), TESTS.values(), ids=TESTS.keys())
def test_a_test_that_is_gone_is_found_and_one_that_moved_is_not(
    path: str, text: str, start: str, end: str
) -> None:
    shorter = without(text, start, end)
    gone = found(**{path: (text, shorter)})
    (subject,) = gone[DELETED]
    assert subject.startswith(f"{path}: ")
    assert list(gone) == [DELETED]
    moved = f"{path.rpartition('.')[0]}_more_test.{path.rpartition('.')[2]}"
    rest = text[text.index(start) : text.index(end, text.index(start)) + len(end)]
    assert found(**{path: (text, shorter), moved: (None, rest)}) == {}


@pytest.mark.parametrize(("path", "text", "start", "end"), TESTS.values(), ids=TESTS.keys())
def test_new_tests_are_no_finding(path: str, text: str, start: str, end: str) -> None:
    assert found(**{path: (without(text, start, end), text)}) == {}
    assert found(**{path: (None, text)}) == {}


ORDINARY: dict[str, tuple[str, Edit]] = {
    "another expected value": ("test_w.py", (PYTHON, PYTHON.replace("== 6", "== 7"))),
    "another name": ("test_w.py", (PYTHON, PYTHON.replace("test_halves", "test_halves_words"))),
    "another style of assertion": (
        "test_w.py",
        (PYTHON, PYTHON.replace("assert double(3) == 6", "self.assertEqual(double(3), 6)")),
    ),
    "a check of its own": (
        "test_w.py",
        (PYTHON, PYTHON.replace("assert double(3) == 6", "check_doubled(3)")),
    ),
    "tests brought together in a table": (
        "test_w.py",
        (
            PYTHON,
            without(PYTHON, "    def test_doubles", "== 6\n")
            + "\n    @pytest.mark.parametrize('n', [2, 3])\n"
            "    def test_doubles(n):\n        assert double(n) == 2 * n\n",
        ),
    ),
    "an import that is not used": (
        "test_w.py",
        (PYTHON, PYTHON.replace("    import pytest\n", "")),
    ),
    "a new test with a condition": (
        "new_test.go",
        (None, GO.replace("\tif got", '\tif testing.Short() {\n t.Skip("slow")\n}\n    \tif got')),
    ),
    "another reason to skip": (
        "test_w.py",
        (
            "@pytest.mark.skip('a')\ndef test_a(): ...\n",
            "@pytest.mark.skip('b')\ndef test_a(): ...\n",
        ),
    ),
    "a skip that is gone": (
        "test_w.py",
        ("@pytest.mark.skip\ndef test_a(): ...\n", "def test_a(): ...\n"),
    ),
    "a word that is no test": ("src/only.js", ("a\n", "b.skip(1); it.only = 2;\n")),
    "an assertion of the code": ("src/w.py", ("assert a\nb = 1\n", "b = 1\n")),
    "an assertion of Rust's code": (
        "src/w.rs",
        ("fn a() {\n    assert!(b);\n}\n", "fn a() {\n}\n"),
    ),
    "a helper of tests": ("tests/helpers.py", ("def make(): ...\n", None)),
    "data of tests": ("tests/data/a.json", ("{}\n", None)),
    "a function of the code": ("src/w.py", ("def test(): ...\n", None)),
    "a target that checks nothing": (
        "Makefile",
        (MAKEFILE, MAKEFILE.replace("sphinx", "sphinx -W") + "\n    clean:\n    \trm -r build\n"),
    ),
    "a variable of others": ("Makefile", (MAKEFILE, MAKEFILE.replace(":= 1", ":= 2"))),
    "a dependency": ("package.json", (PACKAGE, PACKAGE.replace('"a": "1"', '"a": "2"'))),
    "a script that builds": ("package.json", (PACKAGE, PACKAGE.replace("tsc", "tsc -b"))),
    "a package beside": ("packages/new/package.json", (None, PACKAGE)),
    "a dependency of Python": ("pyproject.toml", (PYPROJECT, PYPROJECT.replace('["a"]', '["b"]'))),
    "a dependency of Rust": (
        "Cargo.toml",
        ('[package]\nname="w"\n', '[package]\nname="w"\n[dependencies]\na="1"\n'),
    ),
    "a dependency of Java": ("pom.xml", ("<a/>\n", "<a/>\n<dependency>b</dependency>\n")),
    "a file of GitHub's": (".github/FUNDING.yml", ("a: 1\n", "a: 2\n")),
    "words about generation": ("w.py", ("a = 1\n", "a = 1\n# generated by hand\n")),
    "a statement into a loop": ("w.py", ("for a in b:\n    c\nd\n", "for a in b:\n    c\n    d\n")),
    "two lines that change places": ("w.js", ("a\nb\nc\n", "b\na\nc\n")),
    "a mode alone": ("run.sh", ("a\n", "a\n")),
    "documentation": ("docs/testing.md", ("a\n", "assert b\n")),
}


@pytest.mark.parametrize(("path", "edit"), ORDINARY.values(), ids=ORDINARY.keys())
def test_an_ordinary_change_has_no_finding(path: str, edit: Edit) -> None:
    assert found(**{path: edit}) == {}


def test_a_test_that_moved_to_where_no_tool_looks_is_found() -> None:
    moved = {"tests/test_w.py": (PYTHON, None), "tests/w_cases.py": (None, PYTHON)}
    assert found(**moved) == {DELETED: ("tests/test_w.py",)}
    renamed = {"w_test.go": (GO, None), "w_tests.go": (None, GO)}
    assert found(**renamed) == {DELETED: ("w_test.go",)}
    other = {"tests/test_w.py": (PYTHON, None), "tests/unit/test_w.py": (None, PYTHON)}
    assert found(**other) == {}


def test_undone_commits_are_named_in_their_place() -> None:
    changes = [change("uv.lock", ("a\n", "b\n")), change("test_w.py", (PYTHON, None))]
    assert find(changes, ["abc1234 Double it"]) == [
        (DELETED, ("test_w.py",)),
        ("Commits of the base branch are undone", ("abc1234 Double it",)),
        (LOCKED, ("uv.lock",)),
    ]


def test_a_binary_file_is_found() -> None:
    section = (
        "diff --git a/a.png b/a.png\nnew file mode 100644\nGIT binary patch\nliteral 3\nKcmd\n"
    )
    logo = with_diff(FileChange(path="a.png", new_mode="100644"), section)
    assert find([logo], ()) == [(BINARY, ("a.png",))]


def test_an_executable_file_is_noted() -> None:
    assert notes([change("run.sh", ("a\n", "b\n"), mode="100755")]) == [
        ("Executable now", ("run.sh",))
    ]


def test_tests_that_nobody_can_look_through_are_found() -> None:
    long = PYTHON + "# x\n" * LARGEST_SECTION
    assert found(**{"test_w.py": (PYTHON, long)}) == {
        "Tests have changes too long to be looked through": ("test_w.py",)
    }
    assert found(**{"data.json": ("{}\n", long), "test_n.py": (None, long)}) == {}
