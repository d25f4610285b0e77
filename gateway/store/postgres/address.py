"""The address of a PostgreSQL database."""

from dataclasses import dataclass, field
from typing import Final, Self

SCHEMES: Final = ("postgresql://", "postgres://")
_SHOWN: Final = ("user", "host", "hostaddr", "port", "dbname")


@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresAddress:
    """A database on a server, or on one of several that stand in for each other."""

    url: str = field(repr=False)
    """As libpq takes it; it may hold a password."""
    shown: str
    """For people and logs: the server and the database alone."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """The address in this URL.

        Raises:
            ImportError: psycopg is not installed.
            ValueError: libpq does not take it, or not as it was meant.
        """
        # An extra, and 0.1 s of every start: a gateway on a file does without.
        from psycopg import ProgrammingError  # noqa: PLC0415
        from psycopg.conninfo import conninfo_to_dict, make_conninfo  # noqa: PLC0415

        # libpq would take what stands between `/` or `@` in a password for a host or a database.
        authority, _, rest = url.partition("://")[2].partition("/")
        if authority.count("@") > 1 or "@" in rest:
            raise ValueError("a password with / or @ in it")
        try:
            parts = conninfo_to_dict(url)
        except ProgrammingError:
            # Its text repeats what it was given.
            raise ValueError("no address of a PostgreSQL database") from None
        shown = {name: str(value) for name, value in parts.items() if name in _SHOWN}
        return cls(url=url, shown=make_conninfo(**shown))
