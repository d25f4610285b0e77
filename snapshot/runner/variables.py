"""Environment variables read one by one; all problems are collected, not the first one raised."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar
from urllib.parse import urlsplit

import msgspec

from .network import hosts

T = TypeVar("T")
_VISIBLE: Final = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that does not print."""

    value: str = field(repr=False)


class Problems(Exception):
    """Every problem of the environment, by the variable's name, with what would be right."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Variables:
    """Reads names of one environ; an empty string means absent, as today's senders mean it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str) -> str | None:
        return self._environ.get(name) or None

    def required(self, *names: str) -> str:
        """The value of the first of these names that is set."""
        for name in names:
            if value := self.text(name):
                return value
        self.problems.append(f"{' or '.join(names)} must be set")
        return ""

    def secret(self, name: str) -> Secret | None:
        value = self.text(name)
        return None if value is None else Secret(value)

    def token(self, name: str) -> Secret | None:
        """A secret that is sent in a header, without a line break that was pasted with it."""
        value = (self.text(name) or "").strip()
        if value and not _VISIBLE.fullmatch(value):
            self.problems.append(f"{name} must be one word of visible ASCII characters")
        return Secret(value) if value else None

    def number(self, name: str, default: float, *, low: float, high: float) -> float:
        wanted = f"a number from {low:g} to {high:g}"
        value = self._parsed(name, float, wanted)
        if value is None:
            return default
        if not (math.isfinite(value) and low <= value <= high):
            self.problems.append(f"{name} must be {wanted}")
            return default
        return value

    def flag(self, name: str) -> bool:
        value = (self.text(name) or "false").lower()
        if value not in {"true", "false", "1", "0"}:
            self.problems.append(f"{name} must be true or false")
        return value in {"true", "1"}

    def choice(self, name: str, choices: tuple[str, ...]) -> str | None:
        value = self.text(name)
        if value is not None and value not in choices:
            self.problems.append(f"{name} must be one of {', '.join(choices)}")
        return value

    def url(self, name: str) -> str | None:
        """An http or https address without a trailing slash."""
        return self._parsed(name, _web_address, "an http or https URL")

    def moment(self, name: str) -> float | None:
        """Unix seconds of an RFC 3339 time."""
        return self._parsed(
            name, lambda text: datetime.fromisoformat(text).timestamp(), "an RFC 3339 time"
        )

    def json(self, name: str, shape: type[T], wanted: str) -> T | None:
        return self._parsed(name, lambda text: msgspec.json.decode(text, type=shape), wanted)

    def _parsed(self, name: str, parse: Callable[[str], T], wanted: str) -> T | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            return parse(value)
        except (ValueError, msgspec.MsgspecError):
            self.problems.append(f"{name} must be {wanted}")
            return None


def _web_address(text: str) -> str:
    if urlsplit(text).scheme not in {"http", "https"} or not hosts.netloc(text):
        raise ValueError(text)
    return text.rstrip("/")
