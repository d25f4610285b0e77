"""The repository's own definition of its checks: the parts of its files that say how to test."""

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from typing import Final

from .file_change import FileChange

WHOLE: Final = re.compile(
    r"tox\.ini|noxfile\.py|\.?pytest\.(?:ini|toml)|\.coveragerc|mypy\.ini|\.flake8|\.?ruff\.toml"
    r"|(?:jest|vitest|karma|playwright|cypress|ava|wdio|nightwatch|eslint)(?:\.[\w-]+)?"
    r"\.(?:conf|config|setup|workspace)(?:\.\w+)?\.\w+|\.mocharc(?:\.\w+)?|\.(?:nyc|c8)rc(?:\.json)?"
    r"|\.eslintrc(?:\.\w+)?|phpunit\.xml(?:\.dist)?|phpstan\.neon(?:\.dist)?|\.rspec|nextest\.toml"
    r"|\.golangci\.\w+|\.credo\.exs|\.?codecov\.ya?ml|\.pre-commit-config\.ya?ml"
    r"|\.slipgate\.ya?ml|run[-_]?tests?(?:\.\w+)?"
)
SCRIPT: Final = re.compile(
    r"(?:^|/)(?:scripts?|bin|ci|tools|hack)/(?:test|tests|check|ci|lint)(?:\.\w+)?"
)
CHECK: Final = re.compile(
    r"(?:pre|post)?(?:[\w.-]+[-_:.])?(?:tests?|checks?|ci|verify|lint|validate|typecheck|coverage)"
    r"(?:[-_:.][\w.:-]+)?"
)
"""The name of a target, script or task that checks."""
_LINES: Final = {
    re.compile(r"conftest\.py"): re.compile(
        r"collect_ignore|\bdef\s+pytest_|\b_exit\(|\bsys\.exit\(|exitstatus"
    ),
    re.compile(r".+\.gradle(?:\.kts)?"): re.compile(
        r"\b[tT]est\b.*\{|ignoreFailures|onlyIf|enabled\s*=|exclude|filter|useJUnit|failOn|maxHeap"
    ),
    re.compile(r"vite\.config\.\w+"): re.compile(r"\btest\b|coverage|exclude"),
    re.compile(r"pom\.xml"): re.compile(
        r"skip|testFailureIgnore|surefire|failsafe|<exclude|<include|<groups"
    ),
    re.compile(r".+\.sbt"): re.compile(r"\bTest\b|\btest\b"),
    re.compile(r"mix\.exs"): re.compile(r"\btest\b|\balias"),
    re.compile(r"Rakefile|.+\.rake"): re.compile(r"\b(?:test|spec|default)\b|TestTask|RakeTask"),
    re.compile(r"Taskfile\.ya?ml"): re.compile(r"\b(?:test|check|lint|ci)\b"),
    re.compile(r"CMakeLists\.txt|meson\.build"): re.compile(r"\badd_test|enable_testing|\btest\("),
}
"""Files of many purposes, and the lines of them that are about tests."""
_TOOLS: Final = (
    *("pytest", "tox", "nox", "coverage", "hatch.envs", "hatch.scripts", "pdm.scripts", "poe"),
    *("taskipy", "ruff", "mypy", "pyright", "flake8", "pylint"),
)
_NODE_TOOLS: Final = ("jest", "mocha", "ava", "nyc", "c8", "vitest", "tap", "eslintConfig")
_SECTIONS: Final = re.compile(
    r"tool:pytest|pytest|tox.*|testenv.*|coverage:.*|flake8|mypy.*|aliases"
)
_RUN: Final = re.compile(r"\b(?:npm|pnpm|yarn|bun)\s+(?:run\s+|-s\s+)*([\w:.-]+)")
LINE_CHARACTERS: Final = 2_000
"""A longer line is data, or hides something: it is not searched, and a person looks."""
MOST_TARGETS: Final = 200
"""Of one rule of a Makefile."""
_VARIABLE: Final = re.compile(r"^([\w.-]+)\s*(?:[:?+!]*=|:\s*=)")
_RULE: Final = re.compile(r"^([^\s:#=][^:#=]*):(?![=:]*=)(.*)")
_USE: Final = re.compile(r"\$[({]([\w.-]+)[)}]")
_MAKES_OWN: Final = frozenset({"SHELL", ".SHELLFLAGS", "MAKEFLAGS", ".IGNORE", ".ONESHELL"})


def is_parsed(path: str) -> bool:
    """True if the whole content of a file is needed to compare it."""
    return path.rpartition("/")[2] in _PARSED


def find(change: FileChange) -> bool:
    """True if the change is one of the definition of the checks."""
    if WHOLE.fullmatch(change.name) or SCRIPT.search(change.path):
        return True
    for name, line in _LINES.items():
        if name.fullmatch(change.name):
            return any(_is_about(line, each) for each in (*change.removed, *change.added))
    if (read := _PARSED.get(change.name)) is None:
        return False
    if change.is_new and "/" in change.path:
        return False  # of a part of the repository that has none yet
    try:
        return _read(read, change.before) != _read(read, change.after)
    except RecursionError:
        return True


def _is_about(pattern: re.Pattern[str], line: str) -> bool:
    return len(line) > LINE_CHARACTERS or pattern.search(line) is not None


def _read(read: Callable[[str], object], text: str | None) -> object:
    """The part about checks; the whole text if it cannot be read."""
    if not text:
        return None
    try:
        return read(text) or None
    except (ValueError, configparser.Error, RecursionError):
        return text


def _makefile(text: str) -> object:
    """The lines that decide the targets that check, and all that these need."""
    rules, variables = _rules(text)
    wanted = {name for name in rules if CHECK.fullmatch(name)} | (_MAKES_OWN & rules.keys())
    lines = _reached(rules, wanted, lambda line: line.split())
    used = {name for line in lines for name in _USE.findall(line)} | _MAKES_OWN
    return lines | _reached(variables, used & variables.keys(), _USE.findall)


def _rules(text: str) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Target → prerequisites and recipe; variable → its lines."""
    rules: dict[str, list[str]] = {}
    variables: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.replace("\\\n", " ").splitlines():
        if line[:1] in "\t ":
            for name in current:
                rules[name].append(line.strip())
        elif match := _VARIABLE.match(line):
            variables.setdefault(match[1], []).append(line.strip())
            current = []
        elif match := _RULE.match(line):
            current = [name for name in match[1].split() if name != ".PHONY"]
            if len(current) > MOST_TARGETS:
                raise ValueError("a rule has too many targets")
            for name in current:
                rules.setdefault(name, []).append(match[2].partition("#")[0].strip())
    return rules, variables


def _reached(
    known: Mapping[str, list[str]], wanted: Collection[str], names: Callable[[str], list[str]]
) -> frozenset[str]:
    """The lines of all that is wanted, and of what these lines name."""
    found: set[str] = set()
    lines: set[str] = set()
    todo = [*wanted]
    while todo:
        name = todo.pop()
        if name in known and name not in found:
            found.add(name)
            lines |= {f"{name}: {number} {line}" for number, line in enumerate(known[name])}
            todo += [inner for line in known[name] for inner in names(line)]
    return frozenset(lines)


def _package_json(text: str) -> object:
    manifest = _mapping(json.loads(text))
    scripts = {name: str(line) for name, line in _mapping(manifest.get("scripts")).items()}
    lines = _reached(
        {name: [line] for name, line in scripts.items()},
        [name for name in scripts if CHECK.fullmatch(name)],
        _RUN.findall,
    )
    tools = {name: manifest[name] for name in _NODE_TOOLS if name in manifest}
    return (lines, tools) if lines or tools else None


def _composer_json(text: str) -> object:
    scripts = _mapping(_mapping(json.loads(text)).get("scripts"))
    return {name: line for name, line in scripts.items() if CHECK.fullmatch(name)}


def _deno_json(text: str) -> object:
    manifest = _mapping(json.loads(text))
    tasks = _mapping(manifest.get("tasks"))
    found = {name: line for name, line in tasks.items() if CHECK.fullmatch(name)}
    return found | {name: manifest[name] for name in ("test", "lint") if name in manifest}


def _pyproject(text: str) -> object:
    found: dict[str, object] = {}
    tool = _mapping(tomllib.loads(text).get("tool"))
    for name in _TOOLS:
        outer, _, inner = name.partition(".")
        part = _mapping(tool.get(outer)).get(inner) if inner else tool.get(outer)
        if part is not None:
            found[name] = part
    return found


def _cargo(text: str) -> object:
    manifest = tomllib.loads(text)
    package, library = _mapping(manifest.get("package")), _mapping(manifest.get("lib"))
    found = {
        "test": manifest.get("test"),
        "lints": manifest.get("lints"),
        **{name: package.get(name) for name in ("autotests", "autobenches")},
        **{f"lib.{name}": library.get(name) for name in ("test", "doctest", "harness")},
    }
    return {name: value for name, value in found.items() if value is not None}


def _setup_cfg(text: str) -> object:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text)
    names = [name for name in parser.sections() if _SECTIONS.fullmatch(name)]
    return {name: dict(parser.items(name)) for name in names}


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


_PARSED: Final[dict[str, Callable[[str], object]]] = {
    **dict.fromkeys(("Makefile", "makefile", "GNUmakefile", "justfile", "Justfile"), _makefile),
    "package.json": _package_json,
    "composer.json": _composer_json,
    "deno.json": _deno_json,
    "pyproject.toml": _pyproject,
    "Cargo.toml": _cargo,
    "setup.cfg": _setup_cfg,
}
