"""Migration files: numbered and forward-only, in a folder for each dialect."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from gateway.domain.kernel.errors import ApiError

ROOT: Final = Path(__file__).parents[3] / "migrations"
_OLDEST: Final = re.compile(r"^-- Oldest: (\d+)\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migrations:
    """The migrations of one dialect."""

    dialect: str
    remedy: str
    """The sentence that tells people what to do about an older schema."""

    @property
    def folder(self) -> Path:
        """The folder of their files."""
        return ROOT / self.dialect

    def files(self) -> Sequence[tuple[int, Path]]:
        """Each with the schema version that it leads to, in their order."""
        return _files(self.folder)

    def newest(self) -> int:
        """The schema version this program is made for."""
        return max(number for number, _ in self.files())

    def pending(self, version: int, oldest: int | None = None) -> list[int]:
        """The migrations that a database of this version lacks; `oldest` is the oldest schema whose
        programs work with it, None: its own alone.

        Raises:
            ApiError: `newer_schema`, the database is for newer programs.
        """
        known = self.newest()
        if (version if oldest is None else oldest) > known:
            raise ApiError(
                "newer_schema",
                f"The database has schema {version}, this program knows up to {known}.",
                hint="Start the newer slipgate, or restore a backup made before the upgrade.",
            )
        return [number for number, _ in self.files() if number > version]

    def require_newest(self, version: int, oldest: int | None = None) -> None:
        """For those who read and may not migrate.

        Raises:
            ApiError: `newer_schema`, or `older_schema`.
        """
        if self.pending(version, oldest):
            raise ApiError(
                "older_schema",
                f"The database has schema {version}, this program reads {self.newest()}.",
                hint=self.remedy,
            )


@cache
def _files(folder: Path) -> Sequence[tuple[int, Path]]:
    """Looked for once: a running program knows the schema that it was started with."""
    return [(int(file.name.split("_", 1)[0]), file) for file in sorted(folder.glob("*.sql"))]


def oldest_after(migration: Path) -> int:
    """The oldest schema whose programs work with the database after this migration, as a comment in
    the file says; 0 if it leaves everything that they use."""
    found = _OLDEST.search(migration.read_text())
    return int(found[1]) if found else 0
