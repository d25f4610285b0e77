"""The table of ecosystems: the set-up and the checks of small repositories, planned and not run."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.snapshot.folders import check_lines, planned, setup_lines

VENV = "python3 -m venv --clear ~/venv"
TOOLS = "python3 -m venv ~/tools"
PIP = "python3 -m pip install --quiet"
TEST = {"tests/test_a.py": "import pytest\n"}
UNITTEST = {"tests/test_a.py": "import unittest\n"}
PROJECT = '[build-system]\nrequires = ["hatchling"]\n[project]\nname = "a"\n'
SCRIPT = '"scripts": {"test": "jest"}'
PYTEST = "python3 -m pytest"


def _tool(name: str) -> list[str]:
    return [TOOLS, f"~/tools/bin/pip install --quiet {name}"]


def _npm(package: str) -> str:
    return f"npm install --global --prefix ~/.local {package}"


PYTHON: dict[str, tuple[Mapping[str, str], list[str], list[str]]] = {
    "uv with its lock": (
        {**TEST, "pyproject.toml": PROJECT, "uv.lock": 'name = "pytest"'},
        [VENV, *_tool("uv"), "uv sync --locked --inexact"],
        [PYTEST],
    ),
    "uv with a group of its own": (
        {
            **TEST,
            "pyproject.toml": PROJECT + '[dependency-groups]\ntests = ["pytest"]\n',
            "uv.lock": 'name = "pytest"',
        },
        [VENV, *_tool("uv"), "uv sync --locked --inexact --group tests"],
        [PYTEST],
    ),
    "poetry": (
        {**TEST, "pyproject.toml": '[tool.poetry]\nname = "a"\n# pytest', "poetry.lock": ""},
        [VENV, *_tool("poetry"), "poetry install --no-interaction"],
        [PYTEST],
    ),
    "pdm": (
        {**TEST, "pyproject.toml": PROJECT + "# pytest", "pdm.lock": ""},
        [VENV, *_tool("'pdm[locked]'"), "pdm install --frozen-lockfile --dev"],
        [PYTEST],
    ),
    "pipenv": (
        {**TEST, "Pipfile": "pytest", "Pipfile.lock": "{}"},
        [VENV, *_tool("pipenv"), "pipenv sync --dev"],
        [PYTEST],
    ),
    "hatch with a script": (
        {
            **TEST,
            "pyproject.toml": PROJECT + '[tool.hatch.envs.default.scripts]\ntest = "pytest"\n',
        },
        [VENV, *_tool("hatch")],
        ["hatch run test"],
    ),
    "pip with an extra": (
        {
            **TEST,
            "pyproject.toml": PROJECT + '[project.optional-dependencies]\ntest = ["pytest"]\n',
        },
        [VENV, f"{PIP} -e '.[test]' pytest"],
        [PYTEST],
    ),
    "pip with a dependency group": (
        {**TEST, "pyproject.toml": PROJECT + '[dependency-groups]\ndev = ["pytest"]\n'},
        [VENV, f"{PIP} 'pip>=25.1'", f"{PIP} -e . --group dev pytest"],
        [PYTEST],
    ),
    "an extra of another name with pytest": (
        {
            **TEST,
            "pyproject.toml": PROJECT
            + '[project.optional-dependencies]\nall = ["pytest"]\ndocs = ["sphinx"]\n',
        },
        [VENV, f"{PIP} -e '.[all]' pytest"],
        [PYTEST],
    ),
    "tests come before development": (
        {
            **TEST,
            "requirements/tests.txt": "pytest\n",
            "requirements/dev.txt": "sphinx\n",
            "pyproject.toml": PROJECT
            + '[dependency-groups]\ntests = ["pytest"]\ndev = ["sphinx"]\n',
        },
        [
            VENV,
            f"{PIP} 'pip>=25.1'",
            f"{PIP} -r requirements/tests.txt -e . --group tests pytest",
        ],
        [PYTEST],
    ),
    "files of requirements": (
        {**TEST, "requirements.txt": "flask\n", "requirements/test.txt": "pytest\n"},
        [VENV, f"{PIP} -r requirements.txt -r requirements/test.txt pytest"],
        [PYTEST],
    ),
    "setup.py with an extra": (
        {**TEST, "setup.py": "setup(extras_require={'tests': ['pytest']})"},
        [VENV, f"{PIP} -e '.[tests]' pytest"],
        [PYTEST],
    ),
    "tox": (
        {**TEST, "pyproject.toml": PROJECT, "tox.ini": "[testenv]\ndeps = pytest\n"},
        [VENV, *_tool("tox")],
        ["tox -e py"],
    ),
    "nox": (
        {**TEST, "noxfile.py": "import nox\n\n@nox.session\ndef tests(session):\n    pass\n"},
        [VENV, *_tool("nox")],
        ["nox --session tests --no-error-on-missing-interpreters"],
    ),
    "Django": (
        {"manage.py": "import django\n", "requirements.txt": "django\n"},
        [VENV, f"{PIP} -r requirements.txt"],
        ["python3 manage.py test"],
    ),
    "unittest": (
        UNITTEST,
        [],
        ["python3 -m unittest discover -s tests"],
    ),
    "only sources": ({"a.py": ""}, [], []),
}


@pytest.mark.parametrize(("files", "setup", "checks"), PYTHON.values(), ids=PYTHON)
def test_python_is_set_up_and_checked_by_its_own_tool(
    tmp_path: Path, files: Mapping[str, str], setup: list[str], checks: list[str]
) -> None:
    plan = planned(tmp_path, files, "python3")
    assert (setup_lines(plan, tmp_path / "home"), check_lines(plan)) == (setup, checks)


NODE: dict[str, tuple[Mapping[str, str], list[str], list[str]]] = {
    "npm with a lock": (
        {"package.json": f"{{{SCRIPT}}}", "package-lock.json": "{}"},
        ["npm ci"],
        ["npm test"],
    ),
    "npm without a lock": ({"package.json": f"{{{SCRIPT}}}"}, ["npm install"], ["npm test"]),
    "pnpm by its lock": (
        {"package.json": f"{{{SCRIPT}}}", "pnpm-lock.yaml": "lockfileVersion: '9.0'\n"},
        [_npm("pnpm@9"), "pnpm install --frozen-lockfile"],
        ["pnpm test"],
    ),
    "pnpm by packageManager": (
        {
            "package.json": f'{{{SCRIPT}, "packageManager": "pnpm@10.2.0+sha512.ab"}}',
            "pnpm-lock.yaml": "",
        },
        [_npm("pnpm@10.2.0"), "pnpm install --frozen-lockfile"],
        ["pnpm test"],
    ),
    "yarn classic": (
        {"package.json": f"{{{SCRIPT}}}", "yarn.lock": "# yarn lockfile v1\n"},
        [_npm("yarn@1"), "yarn install --frozen-lockfile"],
        ["yarn test"],
    ),
    "yarn berry": (
        {
            "package.json": f'{{{SCRIPT}, "packageManager": "yarn@4.1.0"}}',
            "yarn.lock": "__metadata:\n",
            ".yarnrc.yml": "",
        },
        [_npm("@yarnpkg/cli-dist@4.1.0"), "yarn install --immutable"],
        ["yarn test"],
    ),
    "bun": (
        {"package.json": f"{{{SCRIPT}}}", "bun.lock": "{}"},
        [_npm("bun"), "bun install --frozen-lockfile"],
        ["bun run test"],
    ),
    "a workspace without a test of its own": (
        {"package.json": '{"workspaces": ["packages/*"]}', "package-lock.json": "{}"},
        ["npm ci"],
        ["npm test --workspaces --if-present"],
    ),
    "npm's own placeholder": (
        {"package.json": '{"scripts": {"test": "echo \\"Error: no test specified\\" && exit 1"}}'},
        ["npm install"],
        [],
    ),
}


@pytest.mark.parametrize(("files", "setup", "checks"), NODE.values(), ids=NODE)
def test_node_is_set_up_and_checked_by_its_own_package_manager(
    tmp_path: Path, files: Mapping[str, str], setup: list[str], checks: list[str]
) -> None:
    plan = planned(tmp_path, files, "node", "npm")
    assert (setup_lines(plan, tmp_path / "home"), check_lines(plan)) == (setup, checks)


CTEST = "ctest --test-dir build --output-on-failure"
OTHERS: dict[str, tuple[Mapping[str, str], str, list[str]]] = {
    "Go": ({"go.mod": "module a\n"}, "go", ["go test ./..."]),
    "a workspace of Go": (
        {"go.work": "go 1.22\n\nuse (\n\t./a\n\t./b // two\n)\n"},
        "go",
        ["go test ./a/... ./b/..."],
    ),
    "Rust": ({"Cargo.toml": "[package]\n"}, "cargo", ["cargo test"]),
    "a workspace of Rust": ({"Cargo.toml": "[workspace]\n"}, "cargo", ["cargo test --workspace"]),
    "Maven": (
        {"pom.xml": ""},
        "java",
        ["mvn --batch-mode --no-transfer-progress test"],
    ),
    "Maven's wrapper": (
        {"pom.xml": "", "mvnw": ""},
        "java",
        ["sh mvnw --batch-mode --no-transfer-progress test"],
    ),
    "Gradle": (
        {"build.gradle.kts": ""},
        "java",
        ["gradle --console=plain --no-daemon test"],
    ),
    "rspec": (
        {"Gemfile": "gem 'rspec'", ".rspec": ""},
        "ruby",
        ["bundle exec rspec"],
    ),
    "rake": (
        {"Gemfile": "", "Rakefile": "", "test/a_test.rb": ""},
        "ruby",
        ["bundle exec rake test"],
    ),
    "the task of a Rakefile": (
        {"Rakefile": 'task "spec" do\nend\n', "test/a_test.rb": ""},
        "ruby",
        ["rake spec"],
    ),
    "composer's script": (
        {"composer.json": '{"scripts": {"test": "phpunit"}}'},
        "php",
        ["composer test"],
    ),
    "phpunit": (
        {"composer.json": "{}", "phpunit.xml.dist": ""},
        "php",
        ["vendor/bin/phpunit"],
    ),
    ".NET": ({"App.sln": ""}, "dotnet", ["dotnet test"]),
    "Elixir": ({"mix.exs": ""}, "mix", ["mix test"]),
    "autotools": ({"configure.ac": ""}, "cc", ["make check"]),
    "CMake": ({"CMakeLists.txt": "enable_testing()"}, "cmake", [CTEST]),
    "CMake before autotools": (
        {"CMakeLists.txt": "include(CTest)", "configure": "", "meson.build": ""},
        "cmake",
        [CTEST],
    ),
    "autotools beside a CMake without tests": (
        {"CMakeLists.txt": "", "configure": ""},
        "cc",
        ["make check"],
    ),
    "Meson": ({"meson.build": ""}, "meson", ["meson test -C build"]),
    "Swift": ({"Package.swift": ".testTarget("}, "swift", ["swift test"]),
    "C++ that is packaged for Swift": (
        {"Package.swift": "", "CMakeLists.txt": "enable_testing()"},
        "cmake",
        [CTEST],
    ),
    "Perl": ({"cpanfile": ""}, "perl", ["prove -lr t"]),
    "Perl with a build": ({"Makefile.PL": ""}, "perl", ["make test"]),
    "Perl's Module::Build": ({"Build.PL": ""}, "perl", ["./Build test"]),
    "Lua": ({"spec/a_spec.lua": ""}, "busted", ["busted"]),
    "a shell's tests": ({"test/a.bats": ""}, "bats", ["bats --recursive test"]),
    "a shell's tests beside another language's": (
        {"go.mod": "", "test/a.bats": ""},
        "go",
        ["go test ./..."],
    ),
    "make": ({"Makefile": "test: build\n\tgo test\n"}, "make", ["make test"]),
    "make check": ({"Makefile": "check:\n\t./run\n"}, "make", ["make check"]),
    "a variable of make": ({"Makefile": "test := 1\n"}, "make", []),
    "just": ({"justfile": "test *args:\n    cargo test\n"}, "just", ["just test"]),
    "pre-commit": ({".pre-commit-config.yaml": ""}, "pre-commit", ["pre-commit run --all-files"]),
}


@pytest.mark.parametrize(("files", "program", "checks"), OTHERS.values(), ids=OTHERS)
def test_each_ecosystem_has_its_checks(
    tmp_path: Path, files: Mapping[str, str], program: str, checks: list[str]
) -> None:
    assert check_lines(planned(tmp_path, files, program)) == checks


LANGUAGES = {
    "Python": ({"pyproject.toml": ""}, "python3"),
    "Node": ({"package.json": "{}"}, "node"),
    "sources of Go alone": ({"main.go": ""}, "go"),
    "Rust": ({"Cargo.toml": ""}, "cargo"),
    "Java": ({"pom.xml": ""}, "java"),
    "Kotlin": ({"build.gradle.kts": ""}, "java"),
    "Ruby": ({"Gemfile": ""}, "ruby"),
    "PHP": ({"composer.json": "{}"}, "php"),
    ".NET": ({"a.csproj": ""}, "dotnet"),
    "Elixir": ({"mix.exs": ""}, "mix"),
}


@pytest.mark.parametrize(("files", "program"), LANGUAGES.values(), ids=LANGUAGES)
def test_a_language_that_is_there_without_its_tool_is_known(
    tmp_path: Path, files: Mapping[str, str], program: str
) -> None:
    plan = planned(tmp_path, files, "make")
    assert [part.missing for part in plan.parts] == [program]


MONOREPO = {
    "package.json": '{"workspaces": ["packages/*"]}',
    "package-lock.json": "{}",
    "packages/a/package.json": f"{{{SCRIPT}}}",
    "packages/b/package.json": f"{{{SCRIPT}}}",
    "packages/b/tests/fixtures/c/package.json": f"{{{SCRIPT}}}",
    "backend/pyproject.toml": PROJECT,
    "backend/tests/test_a.py": "import unittest\n",
    "backend/tests/conftest.py": "",
    "service/go.mod": "module service\n",
    "service/inner/a.go": "package inner\n",
}
CHANGES = {
    "one package": (("packages/a/src/x.js",), ["cd packages/a && npm test"]),
    "a test's own package": (
        ("packages/b/tests/fixtures/c/x.js",),
        ["cd packages/b && npm test"],
    ),
    "two languages": (
        ("service/inner/a.go", "backend/app/x.py"),
        [f"cd backend && {PYTEST}", "cd service && go test ./..."],
    ),
    "the whole": (("README.md",), ["npm test --workspaces --if-present"]),
    "nothing": ((), ["npm test --workspaces --if-present"]),
    "a folder that is gone": (("gone/x.js",), ["npm test --workspaces --if-present"]),
}


@pytest.mark.parametrize(("changed", "checks"), CHANGES.values(), ids=CHANGES)
def test_in_a_monorepo_the_changed_packages_are_checked(
    tmp_path: Path, changed: tuple[str, ...], checks: list[str]
) -> None:
    plan = planned(tmp_path, MONOREPO, "node", "npm", "python3", "go", changed=changed)
    assert check_lines(plan) == checks


def test_a_checkout_that_is_no_project_is_checked_by_its_projects(tmp_path: Path) -> None:
    files = {
        "backend/go.mod": "module a\n",
        "apps/web/package.json": f"{{{SCRIPT}}}",
        "docs/package.json": f"{{{SCRIPT}}}",
    }
    plan = planned(tmp_path, files, "node", "npm", "go", changed=("README.md",))
    assert check_lines(plan) == ["cd apps/web && npm test", "cd backend && go test ./..."]


def test_a_package_of_a_workspace_is_installed_from_the_workspace(tmp_path: Path) -> None:
    plan = planned(tmp_path, MONOREPO, "node", "npm", changed=("packages/a/x.js",))
    assert setup_lines(plan, tmp_path / "home") == ["npm ci"]


def test_links_and_broken_manifests_are_nobodys_project(tmp_path: Path) -> None:
    (tmp_path / "checkout").mkdir()
    (tmp_path / "checkout" / "package.json").symlink_to("/etc/passwd")
    (tmp_path / "checkout" / "vendored").symlink_to("/")
    broken = {"pyproject.toml": "[[[", "Cargo.toml": "\0", "composer.json": "[" * 50_000}
    plan = planned(tmp_path, broken, "python3", "node", "php", changed=("vendored/etc/x",))
    assert check_lines(plan) == ["cargo test"] or check_lines(plan) == []
