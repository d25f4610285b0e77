"""Python: uv, poetry, pdm, hatch or pip set it up; pytest, tox, nox, Django or unittest test it."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from .folder import Folder, inner_table
from .plan import Argv, Command, Host, Part

_TESTS: Final = ("test", "tests", "testing")
"""Names of extras, dependency groups and requirements with what tests need."""
_NAME: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,99}")
_SETUP_EXTRA: Final = re.compile(r"""["'](test|tests|testing|dev)["']\s*:\s*\[""")
_CFG_EXTRA: Final = re.compile(r"^(test|tests|testing|dev)\s*=", re.MULTILINE)
_SESSION: Final = re.compile(
    r"^@(?:nox\.)?session\b.*\n(?:@.*\n)*def (tests?|unit|unit_tests)\b", re.MULTILINE
)
LARGEST_NOXFILE: Final = 20_000
"""Characters that are read."""
_IMPORTS_PYTEST: Final = re.compile(r"^(?:import|from) pytest\b", re.MULTILINE)
_PACKAGES: Final = {"pdm": "pdm[locked]"}
"""Packages by tool, where its newest dependencies may break it: the extra pins the tested ones."""
_GROUPS_SINCE: Final = "pip>=25.1"
"""The first pip that installs dependency groups (PEP 735)."""


def plan(folder: Folder, host: Host) -> Part:
    """The part of a Python project; without checks if it has no tests."""
    checks = tuple(_checks(folder))
    environment = host.home / "venv"
    variables = {"VIRTUAL_ENV": str(environment), "UV_PROJECT_ENVIRONMENT": str(environment)}
    return Part(
        ecosystem="python",
        setup=tuple(_setup(folder, host, checks)) if checks or _is_project(folder) else (),
        checks=checks,
        environ=variables,
        path=(environment / "bin", host.home / "tools" / "bin"),
    )


def _checks(folder: Folder) -> Iterator[Command]:
    where = folder.path
    kind = _kind(folder)
    if kind == "tox":
        yield Command(argv=("tox", "-e", "py"), directory=where)
    elif kind == "nox":
        argv = ("nox", "--session", _session(folder))
        yield Command(argv=(*argv, "--no-error-on-missing-interpreters"), directory=where)
    elif kind == "hatch":
        yield Command(argv=_hatch(folder), directory=where)
    elif kind == "pytest":
        yield Command(argv=("python3", "-m", "pytest"), directory=where)
    elif kind == "django":
        yield Command(argv=("python3", "manage.py", "test"), directory=where)
    elif kind == "unittest":
        yield Command(argv=_unittest(folder), directory=where)


def _kind(folder: Folder) -> str:
    """The tool that runs its tests; empty if there is none."""
    uses_pytest = _uses_pytest(folder)
    is_declared = _is_locked(folder) or any(_test_dependencies(folder))
    if uses_pytest and is_declared:
        return "pytest"
    if folder.has("tox.ini", "tox.toml") or "[tox:tox]" in folder.text("setup.cfg"):
        return "tox"
    if inner_table(folder.table("pyproject.toml"), "tool", "tox"):
        return "tox"
    if folder.has("noxfile.py") and _session(folder):
        return "nox"
    if _hatch(folder):
        return "hatch"
    if uses_pytest:
        return "pytest"
    if folder.has("manage.py") and "django" in folder.text("manage.py"):
        return "django"
    return "unittest" if any("unittest" in text for text in folder.test_texts()) else ""


def _session(folder: Folder) -> str:
    """The session for tests in its noxfile; empty if there is none."""
    found = _SESSION.search(folder.text("noxfile.py")[:LARGEST_NOXFILE])
    return found[1] if found else ""


def _uses_pytest(folder: Folder) -> bool:
    if folder.has("pytest.ini", ".pytest.ini", "pytest.toml", "conftest.py", "tests/conftest.py"):
        return True
    manifests = folder.text(
        "pyproject.toml", "setup.cfg", "setup.py", "Pipfile", *_requirements(folder)
    )
    if "pytest" in manifests:
        return any(_has_tests(folder))
    return any(_IMPORTS_PYTEST.search(text) for text in folder.test_texts())


def _has_tests(folder: Folder) -> Iterator[bool]:
    yield folder.has("tests", "test", "testing")
    yield any(True for _ in folder.test_texts())
    yield "[tool.pytest" in folder.text("pyproject.toml")
    yield "[tool:pytest]" in folder.text("setup.cfg")


def _is_project(folder: Folder) -> bool:
    """True if it can be installed."""
    pyproject = folder.table("pyproject.toml")
    return folder.has("setup.py") or "build-system" in pyproject or "project" in pyproject


def _is_locked(folder: Folder) -> bool:
    """True if a tool's own lock also names what the tests need."""
    is_poetry = inner_table(folder.table("pyproject.toml"), "tool", "poetry")
    return bool(is_poetry) or folder.has("pdm.lock", "Pipfile.lock") or _uv_root(folder) is not None


def _uv_root(folder: Folder) -> Folder | None:
    """The folder of uv's lock, if this is its project or a member of its workspace."""
    found = folder.enclosing("uv.lock")
    if found is None or not folder.has("pyproject.toml"):
        return None
    is_workspace = inner_table(found.table("pyproject.toml"), "tool", "uv", "workspace")
    return found if found.path == folder.path or is_workspace else None


def _test_dependencies(folder: Folder) -> Iterator[str]:
    yield from _groups(folder)
    yield from _extras(folder)
    yield from (name for name in _requirements(folder) if name != "requirements.txt")
    if "pytest" in folder.text("requirements.txt"):
        yield "requirements.txt"


def _groups(folder: Folder) -> list[str]:
    return _chosen(inner_table(folder.table("pyproject.toml"), "dependency-groups"))


def _extras(folder: Folder) -> list[str]:
    declared = inner_table(folder.table("pyproject.toml"), "project", "optional-dependencies")
    older = {*_SETUP_EXTRA.findall(folder.text("setup.py"))}
    cfg = folder.text("setup.cfg").partition("[options.extras_require]")[2]
    older |= {*_CFG_EXTRA.findall(cfg)}
    return _chosen(dict.fromkeys(older, ()) | declared)


def _chosen(dependencies: Mapping[str, object]) -> list[str]:
    """The names for tests; without any those that hold pytest, else those for development."""
    tests = [name for name in _TESTS if name in dependencies]
    holding = [
        name
        for name, listed in dependencies.items()
        if _NAME.fullmatch(name) and "pytest" in str(listed)[:20_000]
    ]
    return tests or holding or [name for name in ("dev",) if name in dependencies]


def _requirements(folder: Folder) -> list[str]:
    """Files of requirements: the project's own, and those for tests, else for development."""
    named = {name: [*folder.matching(*_files(name))] for name in (*_TESTS, "ci", "dev")}
    chosen = next((files for files in named.values() if files), [])
    return [*folder.matching("requirements.txt"), *chosen]


def _files(name: str) -> tuple[str, ...]:
    return (
        *(f"requirements{mark}{name}.txt" for mark in "-_"),
        *(f"{name}{mark}requirements.txt" for mark in "-_"),
        f"requirements/{name}.txt",
    )


def _setup(folder: Folder, host: Host, checks: tuple[Command, ...]) -> Iterator[Command]:
    """The steps; none if there is nothing to install."""
    steps = list(_steps(folder, host, {check.argv[0] for check in checks}))
    for argv in (*_environment(host), *steps) if steps else ():
        yield Command(argv=argv, directory=folder.path)


def _steps(folder: Folder, host: Host, programs: set[str]) -> Iterator[Argv]:
    tools = programs & {"tox", "nox", "hatch"}
    poetry = inner_table(folder.table("pyproject.toml"), "tool", "poetry")
    if tools:
        yield from tool_steps(host, tools.pop())
    elif _uv_root(folder) is not None:
        yield from tool_steps(host, "uv")
        yield (
            "uv",
            "sync",
            "--locked",
            "--inexact",
            *_selected(folder, "extra"),
            *_selected(folder, "group"),
        )
        yield from _more_pytest(folder, ("uv", "pip", "install"))
    elif poetry and (folder.has("poetry.lock") or not _groups(folder)):
        yield from tool_steps(host, "poetry")
        extras = [each for name in _extras(folder) for each in ("--extras", name)]
        yield ("poetry", "install", "--no-interaction", *extras)
    elif folder.has("pdm.lock"):
        yield from tool_steps(host, "pdm")
        yield ("pdm", "install", "--frozen-lockfile", "--dev")
    elif folder.has("Pipfile.lock"):
        yield from tool_steps(host, "pipenv")
        yield ("pipenv", "sync", "--dev")
    else:
        yield from _pip_steps(folder, host, programs)


def _environment(host: Host) -> Iterator[Argv]:
    """A new environment; with uv it has a Python that the project takes."""
    if host.has("uv"):
        yield ("uv", "venv", "--quiet", "--seed", "--clear", str(host.home / "venv"))
    else:
        yield ("python3", "-m", "venv", "--clear", str(host.home / "venv"))


def tool_steps(host: Host, tool: str) -> Iterator[Argv]:
    """Installs a tool of Python's registry, apart from the project's own packages."""
    if host.has(tool):
        return
    package = _PACKAGES.get(tool, tool)
    if host.has("uv"):
        yield ("uv", "tool", "install", "--quiet", package)
        return
    folder = host.home / "tools"
    yield ("python3", "-m", "venv", str(folder))
    yield (str(folder / "bin" / "pip"), "install", "--quiet", package)


def _pip_steps(folder: Folder, host: Host, programs: set[str]) -> Iterator[Argv]:
    pip: Argv = ("python3", "-m", "pip", "install", "--quiet")
    groups = _selected(folder, "group")
    if host.has("uv"):
        pip = ("uv", "pip", "install", "--quiet")
    elif groups:
        yield (*pip, _GROUPS_SINCE)
    requirements = [each for name in _requirements(folder) for each in ("-r", name)]
    extras = _extras(folder)
    project = f".[{','.join(extras)}]" if extras else "."
    packages = [*requirements, *(["-e", project] if _is_project(folder) else []), *groups]
    if "python3" in programs and _kind(folder) == "pytest":
        packages.append("pytest")
    if _kind(folder) == "django" and not requirements and not _is_project(folder):
        packages.append("django")
    if packages:
        yield (*pip, *packages)


def _more_pytest(folder: Folder, install: Argv) -> Iterator[Argv]:
    """pytest itself where neither lock nor groups name it."""
    lock = _uv_root(folder)
    if _kind(folder) == "pytest" and lock and '"pytest"' not in lock.text("uv.lock"):
        yield (*install, "pytest")


def _selected(folder: Folder, kind: str) -> list[str]:
    names = _groups(folder) if kind == "group" else _extras(folder)
    return [each for name in names for each in (f"--{kind}", name)]


def _hatch(folder: Folder) -> Argv:
    """The command of hatch for its tests; empty if it has no environment for them."""
    environments = inner_table(folder.table("pyproject.toml"), "tool", "hatch", "envs")
    for name in ("default", "test", "tests"):
        scripts = inner_table(environments, name, "scripts")
        for script in ("test", "tests"):
            if script in scripts:
                return ("hatch", "run", script if name == "default" else f"{name}:{script}")
    return ("hatch", "test") if "hatch-test" in environments else ()


def _unittest(folder: Folder) -> Argv:
    argv = ("python3", "-m", "unittest", "discover")
    for name in ("tests", "test"):
        if folder.has(name):
            is_package = folder.has(f"{name}/__init__.py")
            return (*argv, "-s", name, *(("-t", ".") if is_package else ()))
    return argv
