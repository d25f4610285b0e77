"""The test steps of a repository's GitHub workflows: plain commands alone, of jobs that any machine
can do."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from ..agent.child_env import is_reserved
from . import yaml_text
from .plan import Command, shell
from .tools import is_test, simple_commands

FOLDER: Final = ".github/workflows/"
LARGEST_STEPS: Final = 4
LARGEST_LINES: Final = 6
LARGEST_BITS: Final = 64
"""Of a number: one of thousands of digits cannot be written."""
MOST_FILES: Final = 50
_FOREIGN: Final = re.compile(
    r"\$\{\{|\$\(?GITHUB_|\$\{?RUNNER_|\bsecrets\b|\b(?:sudo|apt|apt-get|brew|docker|docker-compose"
    r"|curl|wget|gh|aws|ssh|codecov)\b|::(?:group|set-output)|\bif \[|>>|<<"
)
"""A step with one of these means its own machine, or more than a test."""
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HARMLESS: Final = re.compile(r"PYTHON(?!HOME|STARTUP)\w*|NODE_OPTIONS|LANG|TERM")
"""Reserved names that may be set for one check."""
_UNFIT: Final = re.compile("[\0\ud800-\udfff]")
"""Characters that no argument or variable of a program can hold."""
_BUILD: Final = re.compile(
    r"(?:npm|pnpm|yarn|bun)(?: run)? build[\w: -]*\Z|make(?: -j ?\S*)?(?: build| all)?\Z"
    r"|cargo build[\w -]*\Z|go build[\w ./-]*\Z|cmake \S|meson (?:setup|compile)\b|ninja\b"
    r"|(?:\./)?configure\Z|(?:\./)?autogen\.sh\Z"
)
"""Commands that build; other steps before the tests install what the set-up installs."""
_FOLDER: Final = re.compile(r"(?:mkdir|cd) \S")
"""Commands for the folder of a build: a step of them alone is a build if the next ones are in C."""
_SLASH: Final = re.compile(r"/(?=\s|\Z)")
"""The end of a folder's name that may be left out: `pytest tests/` is `pytest tests`."""
_CONFIGURE: Final = re.compile(r"(?:cmake|meson (?!test)|(?:\./)?(?:configure|autogen\.sh)\b)")
"""Commands that make a folder of a build: where one is left out, what follows cannot run."""
_NEEDS_BUILD: Final = re.compile(r"ctest\b|meson test\b")
_MATRIX: Final = re.compile(r"\bmatrix\.([\w-]+)")


class Steps(msgspec.Struct, frozen=True, kw_only=True):
    """Steps of one or many jobs, each once."""

    builds: tuple[Command, ...] = ()
    """Steps before the tests that build what they need."""
    tests: tuple[Command, ...] = ()


def read(texts: Mapping[str, str]) -> Steps:
    """The steps of the workflows among these files."""
    jobs = [
        job
        for path in sorted(filter(is_workflow, texts))[:MOST_FILES]
        for job in _jobs(texts[path])
        if job.tests
    ]
    builds = dict.fromkeys(step for job in jobs for step in job.builds)
    listed = [step for job in reversed(jobs) for step in reversed(job.tests)]
    tests = {_SLASH.sub("", step.line): step for step in listed}
    return Steps(builds=tuple(builds), tests=tuple(reversed(tests.values()))[:LARGEST_STEPS])


def is_workflow(path: str) -> bool:
    return path.startswith(FOLDER) and path.endswith((".yml", ".yaml"))


def _jobs(text: str) -> Iterator[Steps]:
    workflow = _parsed(text)
    if not _is_triggered(workflow.get("on", workflow.get(True))):
        return
    jobs = workflow.get("jobs")
    for job in jobs.values() if isinstance(jobs, dict) else ():
        if isinstance(job, dict) and _is_possible(job):
            steps = list(_commands(job, _variables(workflow), _folder(workflow)))
            tests = [step for step in steps if is_test(step.plain_line, step.environ)]
            first = steps.index(tests[0]) if tests else 0
            builds = list(_builds(steps[:first]))
            lost = [
                *_left_out(job, steps),
                *(x.plain_line for x in steps[:first] if x not in builds),
            ]
            is_lost = any(_any(_CONFIGURE, run) for run in lost)
            needs_build = any(_any(_NEEDS_BUILD, test.plain_line) for test in tests)
            if not is_lost and (not needs_build or configures(builds)):
                yield Steps(builds=tuple(builds), tests=tuple(tests))


def _builds(steps: Sequence[Command]) -> Iterator[Command]:
    found = [step for step in steps if _is_build(step.plain_line)]
    needs_folder = configures(found)
    yield from (step for step in found if needs_folder or _any(_BUILD, step.plain_line))


def _is_build(line: str) -> bool:
    return all(_BUILD.match(each) or _FOLDER.match(each) for each in simple_commands(line))


def configures(builds: Sequence[Command]) -> bool:
    """True if they make the folder of a build in C or C++ by themselves."""
    return any(_any(_CONFIGURE, build.plain_line) for build in builds)


def _any(pattern: re.Pattern[str], line: str) -> bool:
    return any(map(pattern.match, simple_commands(line)))


def _parsed(text: str) -> dict[object, object]:
    try:
        found = yaml_text.parse(text)
    except yaml_text.NotYaml:
        return {}
    return found if isinstance(found, dict) else {}


def _is_triggered(on: object) -> bool:
    """True for a workflow that checks changes. (YAML 1.1 reads the key `on` as true.)"""
    wanted = {"push", "pull_request"}
    return (
        on in wanted
        if isinstance(on, str)
        else isinstance(on, list | dict)
        and any(each in wanted for each in on if isinstance(each, str))
    )


def _is_possible(job: Mapping[object, object]) -> bool:
    """True for a job on Linux that needs no services, containers or conditions."""
    if any(job.get(key) for key in ("services", "container", "if", "uses", "environment")):
        return False
    where = job.get("runs-on", "linux")
    names = _joined(where if isinstance(where, list) else [where])
    if found := _MATRIX.search(names):
        names = _joined(_of_matrix(job.get("strategy"), found[1])) or names
    return any(each in names for each in ("ubuntu", "linux", "matrix"))


def _joined(labels: Iterable[object]) -> str:
    return " ".join(label.lower() for label in labels if isinstance(label, str))


def _of_matrix(strategy: object, name: str) -> Iterator[object]:
    """The values of one name in a job's matrix; none if an expression makes it."""
    matrix = strategy.get("matrix") if isinstance(strategy, dict) else None
    if not isinstance(matrix, dict):
        return
    values, more = matrix.get(name), matrix.get("include")
    yield from values if isinstance(values, list) else ()
    for each in more if isinstance(more, list) else ():
        yield each.get(name) if isinstance(each, dict) else None


def _commands(
    job: Mapping[object, object], environ: Mapping[str, str] | None, folder: str
) -> Iterator[Command]:
    steps = job.get("steps")
    own = _variables(job)
    for step in steps if isinstance(steps, list) else ():
        run = step.get("run") if isinstance(step, dict) else None
        if not isinstance(run, str) or step.get("if") or not _is_simple(run):
            continue
        given = _variables(step)
        directory = step.get("working-directory", _folder(job) or folder)
        is_bash = step.get("shell", "bash") in ("bash", "sh")
        if environ is None or own is None or given is None or not is_bash:
            continue
        if isinstance(directory, str) and _is_inside(directory) and not _UNFIT.search(run):
            where = "" if directory in {".", "./"} else directory.removeprefix("./").rstrip("/")
            yield shell(run.strip(), directory=where, environ={**environ, **own, **given})


def _left_out(job: Mapping[object, object], taken: Sequence[Command]) -> Iterator[str]:
    """The commands of its other steps."""
    lines = {command.plain_line for command in taken}
    steps = job.get("steps")
    for step in steps if isinstance(steps, list) else ():
        run = step.get("run") if isinstance(step, dict) else None
        if isinstance(run, str) and run.strip() not in lines:
            yield run


def _is_simple(run: str) -> bool:
    is_short = len(run.strip().splitlines()) <= LARGEST_LINES and len(run) <= 1_000
    return is_short and not _FOREIGN.search(run) and any(simple_commands(run))


def _is_inside(directory: str) -> bool:
    is_fit = "${{" not in directory and not _UNFIT.search(directory)
    return is_fit and ".." not in directory and not directory.startswith("/")


def _variables(holder: Mapping[object, object]) -> dict[str, str] | None:
    """Its `env`; None if a name is not its own to set, or a value is an expression for GitHub."""
    given = holder.get("env") or {}
    if not isinstance(given, dict):
        return None
    variables = {_text(name): _text(value) for name, value in given.items()}
    is_strange = any(map(_is_unusable, variables)) or any(map(_UNFIT.search, variables.values()))
    return None if is_strange or any("${{" in each for each in variables.values()) else variables


def _is_unusable(name: str) -> bool:
    is_taken = is_reserved(name) and not _HARMLESS.fullmatch(name)
    return is_taken or _VARIABLE.fullmatch(name) is None


def _text(value: object) -> str:
    """A plain value as GitHub writes it; of another, which aliases may make endless, nothing."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value.bit_length() > LARGEST_BITS:
        return ""
    return str(value) if isinstance(value, str | int | float) else ""


def _folder(holder: Mapping[object, object]) -> str:
    """`defaults.run.working-directory`."""
    defaults = holder.get("defaults")
    run = defaults.get("run") if isinstance(defaults, dict) else None
    found = run.get("working-directory") if isinstance(run, dict) else None
    return found if isinstance(found, str) else ""
