"""Command lines as docker reads them: flags first, then words; `--` ends the flags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SWITCHES = {
    *("detach", "init", "rm", "all", "no-trunc", "quiet", "force", "volumes", "archive", "attach")
}
SHORT = {"d": "detach", "a": "all", "q": "quiet", "f": "force", "v": "volumes", "t": "time"}

RUN = frozenset(
    {
        *("detach", "pull", "name", "label", "env", "env-file", "init", "restart", "stop-timeout"),
        *("security-opt", "cap-drop", "network", "log-driver"),
        *("memory", "memory-swap", "cpus", "pids-limit"),
        *("rm", "entrypoint"),
    }
)
FLAGS: Mapping[tuple[str, ...], frozenset[str]] = {
    ("build",): frozenset({"platform", "tag"}),
    ("run",): RUN,
    ("create",): RUN - {"detach"},
    ("start",): frozenset({"attach"}),
    ("stop",): frozenset({"time"}),
    ("rm",): frozenset({"force", "volumes"}),
    ("ps",): frozenset({"all", "no-trunc", "quiet", "filter", "format"}),
    ("logs",): frozenset({"tail"}),
    ("cp",): frozenset({"archive"}),
    ("exec",): frozenset(),
    ("info",): frozenset({"format"}),
    ("container", "inspect"): frozenset(),
    ("image", "inspect"): frozenset({"format"}),
    ("network", "inspect"): frozenset(),
    ("network", "create"): frozenset({"driver", "opt", "label"}),
}


class Usage(Exception):
    """An invalid command line."""


@dataclass(kw_only=True)
class Line:
    """A parsed command line."""

    command: tuple[str, ...]
    words: list[str] = field(default_factory=list)
    flags: dict[str, list[str]] = field(default_factory=dict)

    def text(self, name: str, default: str = "") -> str:
        """The last value of a flag."""
        return self.flags.get(name, [default])[-1]

    def pairs(self, name: str) -> dict[str, str]:
        entries = (entry.partition("=") for entry in self.flags.get(name, ()))
        return {key: value for key, _, value in entries}


def parse(arguments: Sequence[str]) -> Line:
    """Raises `Usage`."""
    command = next((c for c in FLAGS if tuple(arguments[: len(c)]) == c), None)
    if command is None:
        raise Usage(f"docker: unknown command: docker {' '.join(arguments[:1])}")
    line = Line(command=command)
    left = list(arguments[len(command) :])
    while left and left[0].startswith("-") and left[0] != "-":
        word = left.pop(0)
        if word == "--":
            break
        _take(line, word, left)
    line.words = left
    return line


def _take(line: Line, word: str, left: list[str]) -> None:
    given, equals, value = word.partition("=")
    name = given[2:] if given.startswith("--") else SHORT.get(given[1:], "")
    if name not in FLAGS[line.command]:
        kind = "flag: " if given.startswith("--") else f"shorthand flag: '{given[1:]}' in "
        raise Usage(f"unknown {kind}{given}")
    if name in SWITCHES:
        value = value or "true"
    elif not equals:
        if not left:
            raise Usage(f"flag needs an argument: {given}")
        value = left.pop(0)
    line.flags.setdefault(name, []).append(value)
