"""The commands that a repository declares: to install its dependencies and to run its tests.

A small table on purpose. It reads file names and two manifests, and runs nothing.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

Argv = tuple[str, ...]
_MAKE_TEST: Final = re.compile(r"^test\s*:(?!=)", re.MULTILINE)
_MAKEFILES: Final = ("GNUmakefile", "makefile", "Makefile")
_NO_NPM_TEST: Final = "no test specified"
_REQUIREMENTS: Final = ("requirements.txt", "requirements-dev.txt", "dev-requirements.txt")
_TEST_EXTRAS: Final = ("test", "tests", "testing", "dev")


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """Commands in order."""

    installs: tuple[Argv, ...]
    checks: tuple[Argv, ...]
    needs_venv: bool
    """The installs need a Python environment before them."""


def declared(checkout: Path) -> Declared:
    python = tuple(_python_installs(checkout))
    return Declared(
        installs=python + tuple(_other_installs(checkout)),
        checks=tuple(_checks(checkout))[:1],
        needs_venv=bool(python),
    )


def _checks(checkout: Path) -> Iterator[Argv]:
    """The ways to run its tests, the most deliberate first; only the first is used."""
    if any(_MAKE_TEST.search(_text(checkout / name)) for name in _MAKEFILES):
        yield ("make", "test")
    if _npm_test(checkout):
        yield ("npm", "test")
    if (checkout / "tox.ini").is_file():
        yield ("tox",)
    if _uses_pytest(checkout):
        yield ("python", "-m", "pytest", "-q")
    if (checkout / "Cargo.toml").is_file():
        yield ("cargo", "test")
    if (checkout / "go.mod").is_file():
        yield ("go", "test", "./...")


def _python_installs(checkout: Path) -> Iterator[Argv]:
    pip = ("python", "-m", "pip", "install", "--quiet")
    for name in _REQUIREMENTS:
        if (checkout / name).is_file():
            yield (*pip, "-r", name)
    if _is_python_package(checkout):
        extras = [name for name in _TEST_EXTRAS if name in _extras(checkout)]
        yield (*pip, "-e", f".[{','.join(extras)}]" if extras else ".")
    if (checkout / "tox.ini").is_file():
        yield (*pip, "tox")
    elif _uses_pytest(checkout):
        yield (*pip, "pytest")


def _other_installs(checkout: Path) -> Iterator[Argv]:
    if (checkout / "package-lock.json").is_file():
        yield ("npm", "ci")
    elif (checkout / "package.json").is_file():
        yield ("npm", "install")


def _npm_test(checkout: Path) -> bool:
    try:
        script = json.loads(_text(checkout / "package.json"))["scripts"]["test"]
    except (ValueError, KeyError, TypeError):
        return False
    return isinstance(script, str) and _NO_NPM_TEST not in script


def _uses_pytest(checkout: Path) -> bool:
    if (checkout / "pytest.ini").is_file() or (checkout / "conftest.py").is_file():
        return True
    if "pytest" in _text(checkout / "pyproject.toml") + _text(checkout / "setup.cfg"):
        return True
    return any("pytest" in _text(checkout / name) for name in _REQUIREMENTS)


def _is_python_package(checkout: Path) -> bool:
    if (checkout / "setup.py").is_file():
        return True
    pyproject = _pyproject(checkout)
    return "build-system" in pyproject or "project" in pyproject


def _extras(checkout: Path) -> list[str]:
    project = _pyproject(checkout).get("project")
    extras = project.get("optional-dependencies") if isinstance(project, dict) else None
    return list(extras) if isinstance(extras, dict) else []


def _pyproject(checkout: Path) -> dict[str, object]:
    try:
        return tomllib.loads(_text(checkout / "pyproject.toml"))
    except tomllib.TOMLDecodeError:
        return {}


def _text(file: Path) -> str:
    """The beginning of a regular file; a link could lead anywhere."""
    if file.is_symlink() or not file.is_file():
        return ""
    return file.read_text(errors="replace")[:100_000]
