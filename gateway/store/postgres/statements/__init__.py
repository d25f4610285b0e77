"""Statements that PostgreSQL needs in other words than the shared ones."""

from collections.abc import Mapping
from typing import Final

OWN: Final[Mapping[str, str]] = {}
"""Its own statements, by the shared ones that they stand for."""
