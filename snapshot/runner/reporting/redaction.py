"""Takes secrets out of everything that leaves: events, pull requests, logs."""

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from typing import Final

KEY_LINE_CHARACTERS: Final = 40
REDACTED: Final = "[redacted]"
SHORTEST: Final = 8
"""A value of fewer characters is too common to be taken out of texts."""
_OURS: Final = re.compile(
    r"(?:OPENAI|ANTHROPIC|GEMINI|OPENROUTER)_API_KEY|GITHUB_TOKEN|WEBHOOK_URL"
    r"|SLIPGATE_(?:WEBHOOK_SECRET|SIGNING_KEY)"
)
_SECRET_NAME: Final = re.compile(r".*(?:KEY|TOKEN|SECRET|PASSW|CREDENTIAL).*|WEBHOOK_URL")
_NAMED: Final = "[redacted {} {}]"
_NAMED_MARK: Final = re.compile(r"\[redacted [A-Za-z_][A-Za-z0-9_]* [0-9]+\]")


class Redaction:
    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: tuple[str, ...] = ()
        self._named: dict[str, str] = {}
        """Mark with the name of its variable → secret."""
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Secrets that are known from now on."""
        parts = {part for value in secrets for part in _parts(value)}
        self._secrets = tuple(sorted(parts.union(self._secrets), key=len, reverse=True))

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Redaction":
        """Of every variable whose name is like a secret's, the task's own included."""
        named = {name: environ[name] for name in environ if _SECRET_NAME.fullmatch(name.upper())}
        found = cls(named.values())
        for name, value in named.items():
            marks = (_NAMED.format(name, number) for number in count())
            found._named |= zip(marks, dict.fromkeys(_parts(value)), strict=False)
        return found

    @classmethod
    def of_ours(cls, environ: Mapping[str, str]) -> "Redaction":
        """Of the secrets of the gateway and the launcher alone."""
        return cls(value for name, value in environ.items() if _OURS.fullmatch(name))

    def text(self, text: str) -> str:
        """The text without secrets, and without characters that UTF-8 has not."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text.encode(errors="replace").decode()

    def restorable(self, text: str) -> str:
        """The text without secrets, of which those of a variable can be put back by `restored`."""
        marks = {secret: mark for mark, secret in self._named.items()}
        for secret in self._secrets:
            text = text.replace(secret, marks.get(secret, REDACTED))
        return self.text(text)

    def restored(self, text: str) -> str | None:
        """The text with the secrets of variables; None if one of these is not known."""
        marks = {found[0] for found in _NAMED_MARK.finditer(text)}
        if not marks <= self._named.keys():
            return None
        return _NAMED_MARK.sub(lambda found: self._named[found[0]], text) if marks else text

    def beginning(self, text: str) -> int:
        """The index from which the text's end may be the beginning of a secret, or its length."""
        starts = (_overlap(text, secret) for secret in self._secrets)
        return len(text) - max(starts, default=0)

    def is_in_bytes(self, content: bytes) -> bool:
        """True if the content of a file, or its name, holds a secret."""
        return any(secret.encode() in content for secret in self._secrets)

    def tree(self, value: object) -> object:
        """A JSON document with each string redacted."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.tree(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value]
        return value


def _parts(secret: str) -> Iterator[str]:
    """The texts that betray a secret: itself, and each line of a key."""
    yield from (text for text in (secret, secret.strip()) if len(text) >= SHORTEST)
    if secret.lstrip().startswith("-----BEGIN "):
        yield from (
            line for line in secret.replace("\\n", "\n").split() if len(line) >= KEY_LINE_CHARACTERS
        )


def _overlap(text: str, secret: str) -> int:
    """The number of a secret's characters, less than all, that the text ends with."""
    longest = min(len(secret) - 1, len(text))
    return next((size for size in range(longest, 0, -1) if text.endswith(secret[:size])), 0)
