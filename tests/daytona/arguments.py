"""Command lines as pflag reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.daytona.releases import Flag, Version


class Usage(Exception):
    """An invalid command line."""


@dataclass(kw_only=True)
class Line:
    """A parsed command line."""

    words: list[str] = field(default_factory=list)
    """Positional arguments."""
    lists: dict[str, list[str]] = field(default_factory=dict)
    """Flags by name, each with all its values."""

    def text(self, name: str) -> str | None:
        """The last value of a flag."""
        return self.lists[name][-1] if name in self.lists else None

    def number(self, name: str, default: int) -> int:
        """The last value of a flag, as a number."""
        given = self.text(name)
        return default if given is None else int(given)

    def pairs(self, name: str) -> dict[str, str]:
        """`K=V` entries; one without `=` is dropped silently."""
        entries = (entry.partition("=") for entry in self.lists.get(name, ()))
        return {key: value for key, equals, value in entries if equals}


def parse(arguments: Sequence[str], flags: Sequence[Flag], version: Version) -> Line:
    """Raises `Usage` for a flag that this release does not have."""
    known = {f"--{flag.name}": flag for flag in flags if flag.is_in(version)}
    known |= {f"-{flag.short}": flag for flag in flags if flag.short and flag.is_in(version)}
    line = Line()
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word == "--":
            line.words += left
            break
        if not word.startswith("-") or word == "-":
            line.words.append(word)
            continue
        _take(line, known, word, left)
    return line


def _take(line: Line, known: Mapping[str, Flag], word: str, left: list[str]) -> None:
    name, equals, value = word.partition("=")
    if name not in known:
        what = "flag" if name.startswith("--") else "shorthand flag"
        raise Usage(f"unknown {what}: {name}")
    flag = known[name]
    if flag.kind == "switch":
        line.lists[flag.name] = [value or "true"]
        return
    if not equals:
        if not left:
            raise Usage(f"flag needs an argument: {name}")
        value = left.pop(0)
    if flag.kind == "number" and not value.lstrip("-").isdigit():
        raise Usage(
            f'invalid argument "{value}" for "{name}" flag: strconv.ParseInt: parsing '
            f'"{value}": invalid syntax'
        )
    line.lists.setdefault(flag.name, []).append(value)
