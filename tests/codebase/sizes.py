"""Lines, functions and file names of the product."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path, PurePath
from typing import Final

ROOT: Final = Path(__file__).parents[2]
PRODUCT: Final = ("gateway", "launcher", "snapshot")
WITHOUT_FLOORS: Final = frozenset({"launcher"})
"""Programs that are one floor; each folder of the others is one."""
LONGEST_NAMED: Final = 3


@dataclass(frozen=True, kw_only=True)
class Source:
    """A Python file, its path relative to the root of the tree."""

    path: PurePath
    text: str
    nodes: Sequence[ast.AST]
    """All of its syntax tree."""


@dataclass(frozen=True, kw_only=True)
class Function:
    """A function and its length in lines."""

    name: str
    lines: int


def read_sources(root: Path, parts: Sequence[str]) -> list[Source]:
    """All Python files of these folders."""
    paths = [path for part in parts for path in sorted((root / part).rglob("*.py"))]
    return [_read(root, path) for path in paths]


def _read(root: Path, path: Path) -> Source:
    text = path.read_text()
    nodes = list(ast.walk(ast.parse(text)))
    return Source(path=path.relative_to(root), text=text, nodes=nodes)


def size_lines(sources: Sequence[Source]) -> Iterator[str]:
    """The figures of the product, a line of text each."""
    files = [source.text.count("\n") for source in sources]
    functions = sorted(find_functions(sources), key=lambda each: -each.lines)
    longest = ", ".join(f"{each.name} ({each.lines})" for each in functions[:LONGEST_NAMED])
    yield f"product    {sum(files):,} lines in {len(files)} files"
    yield f"files      {spread(files)} lines"
    yield f"functions  {len(functions):,}; {spread([each.lines for each in functions])} lines"
    yield f"           longest: {longest}"
    names = repeated_names(sources)
    listed = "".join(f"; {floor}: {', '.join(found)}" for floor, found in names.items())
    yield f"repeated   {sum(map(len, names.values()))} file names{listed}"


def spread(values: Sequence[int]) -> str:
    """Median, ninetieth percentile and maximum."""
    ordered = sorted(values) or [0]
    half, most = (ordered[ceil(part * len(ordered)) - 1] for part in (0.5, 0.9))
    return f"p50 {half}, p90 {most}, max {ordered[-1]}"


def find_functions(sources: Sequence[Source]) -> Iterator[Function]:
    """Functions and methods, nested ones included."""
    for source in sources:
        for node in source.nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                yield Function(name=f"{source.path}:{node.name}", lines=lines)


def repeated_names(sources: Sequence[Source]) -> dict[str, list[str]]:
    """File names by floor that stand in the floor's own folder and in one below it as well. Two
    folders below may share a name: there the folder distinguishes the files."""
    folders: dict[tuple[str, str], list[PurePath]] = defaultdict(list)
    for source in sources:
        if not source.path.name.startswith("__"):
            folders[floor_of(source.path), source.path.name].append(source.path.parent)
    found: dict[str, list[str]] = defaultdict(list)
    for (floor, name), places in sorted(folders.items()):
        if len(places) > 1 and PurePath(floor) in places:
            found[floor].append(name)
    return dict(found)


def floor_of(path: PurePath) -> str:
    """The folder of the floor: `gateway/web`, `launcher`, `snapshot/runner`."""
    program, *below = path.parts[:-1]
    return program if program in WITHOUT_FLOORS or not below else f"{program}/{below[0]}"
