"""Locations of databases: a file, or the address of a PostgreSQL server."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self, TypeAlias

SCHEMES: Final = ("postgresql://", "postgres://")
_SHOWN: Final = ("user", "host", "hostaddr", "port", "dbname")


@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresAddress:
    """A database on a server, or on one of several that stand in for each other."""

    url: str = field(repr=False)
    """As libpq takes it; it may hold a password."""
    session_url: str = field(repr=False)
    """The way to the same database for what needs a connection of its own: around a pooler."""
    shown: str
    """For people and logs: the server and the database alone."""

    @classmethod
    def parse(cls, url: str, session_url: str = "") -> Self:
        """The address in these URLs; without a second one, sessions go the same way.

        Raises:
            ImportError: psycopg is not installed.
            ValueError: libpq does not take it, or not as it was meant.
        """
        # An extra, and 0.1 s of every start: a gateway on a file does without.
        from psycopg import ProgrammingError  # noqa: PLC0415
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

        session_url = session_url or url
        _check_password(url)
        _check_password(session_url)
        try:
            parts = conninfo_to_dict(url)
            conninfo_to_dict(session_url)
        except ProgrammingError:
            # Its text repeats what it was given.
            raise ValueError("no address of a PostgreSQL database") from None
        shown = {name: str(value) for name, value in parts.items() if name in _SHOWN}
        return cls(url=url, session_url=session_url, shown=make_conninfo(**shown))


Location: TypeAlias = Path | PostgresAddress


def _check_password(url: str) -> None:
    """libpq would take what stands between `/` or `@` in a password for a host or a database."""
    authority, _, rest = url.partition("://")[2].partition("/")
    if authority.count("@") > 1 or "@" in rest:
        raise ValueError("a password with / or @ in it")
