"""The lint of words: the glossary's replaced names, first words of docstrings, commit subjects."""

import ast
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Final

from tests.codebase.sizes import ROOT, Source

IS_ENFORCED: Final = True
"""True: a finding fails the check."""
MAX_SUBJECT: Final = 72
DOCSTRING: Final = re.compile(
    r"(What|Whether|Who|Whoever|Whose|Which|How|Where|When|Those|So many)\b"
)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PARTS: Final = _words(
    "anteroom announced books born enclosure evolve evolved foreseen gathering handed hasty hear "
    "heard homeless house keeper lately misreported moody owe owed owing rehearsal remembered "
    "rerouted room rooms said say shelf situation spoke standing standstill stray strays street "
    "surroundings survey tell telling told trouble troubles twin twins unsound "
    "workshop"
)
"""Words that no identifier may contain."""
WHOLE: Final = _words(
    "announce audience countable figures first_answer fly gate gates hand_over happen hints "
    "is_brisk is_plain is_tripped land last_word letter letters news passing recall recipe tire"
)
"""Identifiers, leading underscores and case aside: parts of others they may be."""
CLASSES: Final = _words(
    "Audience Draft Figures Found Gate Letter Needs Order Place Refused Site Taken View"
)
CLASS_PARTS: Final = _words("hints news word words")
"""Words that no name of a class or a type may contain, besides PARTS."""
FILES: Final = _words(
    "cutting ending figures found gate gates hand_over hints judging last_word leaving letter "
    "letters look moments news order phrases place recipe refused site taken upcoming "
    "visible waiting word words"
)
"""Names of files, besides those that contain one of PARTS."""
LOCAL: Final = frozenset({"told"})
"""Names with a banned part that are plain enough for a value that lives for a few lines."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A place that breaks a rule."""

    rule: str
    path: PurePath
    line: int
    message: str

    def is_below(self, folders: Sequence[str]) -> bool:
        """True if it lies in one of these folders, or none is given."""
        return not folders or any(self.path.is_relative_to(folder) for folder in folders)


def find_all(sources: Sequence[Source]) -> list[Finding]:
    """All findings in these files, and in the commits that main does not have yet."""
    found = [each for source in sources for each in find_in(source)]
    return found + list(find_subjects(ROOT))


def find_in(source: Source) -> Iterator[Finding]:
    """The findings in one file."""
    stem = source.path.stem.removeprefix("test_")
    if stem in FILES or not PARTS.isdisjoint(_parts(stem)):
        yield Finding(rule="file", path=source.path, line=1, message=f"file name {stem}")
    for line, text in _docstrings(source.nodes):
        if first := DOCSTRING.match(text):
            message = f"docstring begins with {first[0]}"
            yield Finding(rule="docstring", path=source.path, line=line, message=message)
    for line, name in _definitions(source.nodes):
        if is_banned(name):
            yield Finding(rule="name", path=source.path, line=line, message=f"name {name}")


def is_banned(name: str) -> bool:
    """True if the glossary has another word for what is named so. Names of tests are sentences."""
    if name in LOCAL or name.startswith("test_"):
        return False
    parts = _parts(name)
    if re.match("_*[A-Z][a-z]", name):
        return name.strip("_") in CLASSES or not (PARTS | CLASS_PARTS).isdisjoint(parts)
    return name.strip("_").lower() in WHOLE or not PARTS.isdisjoint(parts)


def find_subjects(root: Path) -> Iterator[Finding]:
    """Commits since main whose subjects are too long; none where there is no history."""
    command = ["git", "-C", str(root), "log", "--format=%h %s", "main..HEAD"]
    try:
        log = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return
    for line in log.splitlines():
        commit, _, subject = line.partition(" ")
        if len(subject) > MAX_SUBJECT:
            message = f"subject of {len(subject)} characters: {subject}"
            yield Finding(rule="commit", path=PurePath(commit), line=1, message=message)


def _parts(name: str) -> set[str]:
    return {part.lower() for part in re.findall("[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}


def _docstrings(nodes: Sequence[ast.AST]) -> Iterator[tuple[int, str]]:
    """Strings that stand alone: of modules, classes and functions, and below assignments."""
    for node in nodes:
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.lineno, str(node.value.value).lstrip()


def _definitions(nodes: Sequence[ast.AST]) -> Iterable[tuple[int, str]]:
    """Names that are defined here: a renamed definition takes its uses along."""
    found = set[tuple[int, str]]()
    for node in nodes:
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.arg(arg=name)
                | ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
                | ast.alias(asname=str(name))
            ):
                found.add((node.lineno, name))
            case _:
                pass
    return sorted(found)
