"""Reads settings from environment variables and collects all problems; shared with the launcher."""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

YES: Final = ("true", "1", "yes")
NO: Final = ("", "false", "0", "no")


class SettingsError(Exception):
    """Everything that is wrong with the environment, one line per problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class EnvironmentReader:
    """Reads variables one by one. A wrong value is a problem, and its default is returned."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []

    def check(self) -> None:
        """Raises `SettingsError` with all problems found so far."""
        if self.problems:
            raise SettingsError(self.problems)

    def text(self, name: str, default: str = "") -> str:
        return self.environ.get(name, "").strip() or default

    def required(self, name: str, expected: str) -> str:
        if not (value := self.text(name)):
            self.problems.append(f"{name} is not set: it must be {expected}")
        return value

    def secret(self, name: str) -> str:
        """A variable, or else the contents of the file that `…_FILE` names."""
        try:
            return secret_of(self.environ, name)
        except SettingsError as error:
            self.problems.extend(error.problems)
            return ""

    def names(self, name: str, default: str = "") -> tuple[str, ...]:
        """Comma-separated names, each once; a variable that is set to nothing has none."""
        return words(self.environ.get(name, default))

    def pairs(self, name: str, example: str, is_pair: Callable[[str, str], bool]) -> dict[str, str]:
        """Comma-separated `key=value` pairs."""
        pairs = [
            (key, value) for key, _, value in (pair.partition("=") for pair in self.names(name))
        ]
        if not all(is_pair(key, value) for key, value in pairs):
            self.problems.append(f"{name} must be pairs like {example}")
        return dict(pairs)

    def number(self, name: str, default: int, low: int, high: int, expected: str = "") -> int:
        text = self.text(name, str(default))
        if len(text) < 10 and text.isascii() and text.isdigit() and low <= int(text) <= high:
            return int(text)
        expected = expected or f"a whole number from {low} to {high}"
        self.problems.append(f"{name} must be {expected}")
        return default

    def flag(self, name: str) -> bool:
        text = self.text(name).lower()
        if text not in YES + NO:
            self.problems.append(f"{name} must be true or false")
        return text in YES

    def matching(
        self, name: str, pattern: re.Pattern[str], default: str, expected: str | None = None
    ) -> str:
        text = self.text(name, default)
        if not pattern.fullmatch(text):
            self.problems.append(f"{name} must be {expected or f'a value like {default}'}")
        return text

    def url(self, name: str, example: str, default: str = "") -> str | None:
        """An http or https address without its last slash; None if it is not set."""
        text = self.text(name, default)
        if not text:
            return None
        if not is_http_url(text):
            self.problems.append(f"{name} must be an http or https address, like {example}")
        return text.rstrip("/")

    def log_format(self) -> str:
        """`json`, `console`, or empty: the format follows from the terminal."""
        return self.matching("SLIPGATE_LOG", re.compile("|json|console"), "", "json or console")


def words(text: str) -> tuple[str, ...]:
    """Comma-separated words, each once."""
    return tuple(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))


def secret_of(environ: Mapping[str, str], name: str) -> str:
    """A variable, or else the contents of the file that `…_FILE` names; empty without both.

    Raises:
        SettingsError: the file cannot be read.
    """
    given, file = environ.get(name, "").strip(), environ.get(f"{name}_FILE", "").strip()
    if given or not file:
        return given
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError([f"{name}_FILE cannot be read: {reason}"]) from error


def is_http_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def is_loopback(url: str) -> bool:
    """True if an address is on this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
