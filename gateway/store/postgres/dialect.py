"""The shared statements as PostgreSQL takes them.

A shared statement is kept in SQL that both dialects read alike; what SQLite is told about its plan
is left out here. Where that is not enough, a statement of PostgreSQL's own stands for it.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

from gateway.store.postgres.statements import OWN
from gateway.store.sql.connection import bound
from gateway.store.sql.rows import Params

_WORDS: Final = (
    (re.compile(r"\s+INDEXED\s+BY\s+\w+"), ""),
    # CROSS JOIN keeps SQLite from changing the order of loops; PostgreSQL has no ON behind it.
    (
        re.compile(r"\bCROSS JOIN\s+(\w+(?:\([^()]*\))?(?:\s+AS\s+\w+)?)\s+ON\b"),
        r"JOIN \1 ON",
    ),
    # SQLite takes the words of the standard from 3.39 on.
    (re.compile(r"\bIS (?=[:a-z])"), "IS NOT DISTINCT FROM "),
    (re.compile(r"\bCAST\(([\w.]+) AS BLOB\)"), r"convert_to(\1, 'UTF8')"),
    # Some rows of a table, deleted where they were found: by their keys, all others would be read.
    (
        re.compile(
            r"^\s*DELETE FROM (\w+) WHERE \(?([\w, ]+?)\)? IN \(\s*SELECT \2 FROM \1\b(.*)\)$",
            re.DOTALL,
        ),
        r"DELETE FROM \1 WHERE ctid = ANY (ARRAY(SELECT ctid FROM \1\3))",
    ),
)
"""Words that SQLite alone takes, and those of PostgreSQL."""
_NAMED: Final = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_NUMBERED: Final = re.compile(r"\?(\d+)")


class Statement(NamedTuple):
    """A statement with numbered parameters; by name, or by their places in a row."""

    text: str
    names: tuple[str, ...]
    places: tuple[int, ...]

    def values(self, params: Params) -> Sequence[Any]:
        """The parameters in the order of their numbers."""
        if isinstance(params, Mapping):
            given = bound(params)
            return [given[name] for name in self.names]
        return [params[place] for place in self.places]


@cache
def translated(statement: str) -> Statement:
    """The statement in PostgreSQL's words."""
    text = OWN.get(statement, statement)
    for word, other in _WORDS:
        text = word.sub(other, text)
    names = tuple(dict.fromkeys(_NAMED.findall(text)))
    numbers = {name: f"${number}" for number, name in enumerate(names, 1)}
    text = _NAMED.sub(lambda found: numbers[found[1]], text)
    # A row has all columns of a record, and a statement may use some of them only.
    places = tuple(dict.fromkeys(_NUMBERED.findall(text)))
    numbers = {place: f"${number}" for number, place in enumerate(places, 1)}
    text = _NUMBERED.sub(lambda found: numbers[found[1]], text)
    return Statement(text, names, tuple(int(place) - 1 for place in places))
