"""Takes secrets out of everything that leaves: events, pull requests, logs."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

REDACTED: Final = "[redacted]"
SHORTEST: Final = 8
"""Below so many characters a value is too common to be taken out of texts."""
_OURS: Final = re.compile(
    r"(?:OPENAI|ANTHROPIC|OPENROUTER)_API_KEY|GITHUB_TOKEN|SLIPGATE_WEBHOOK_SECRET|WEBHOOK_URL"
)
_SECRET_NAME: Final = re.compile(r".*(?:KEY|TOKEN|SECRET|PASSW|CREDENTIAL).*|WEBHOOK_URL")


class Redaction:
    """Knows the values that nobody outside may read."""

    def __init__(self, secrets: Iterable[str]) -> None:
        values = {part for value in secrets for part in (value, value.strip())}
        long_first = sorted({s for s in values if len(s) >= SHORTEST}, key=len, reverse=True)
        self._secrets = tuple(long_first)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> "Redaction":
        """Every value whose name sounds like a secret, the task's own ones included."""
        return cls(value for name, value in environ.items() if _SECRET_NAME.fullmatch(name.upper()))

    @classmethod
    def of_ours(cls, environ: Mapping[str, str]) -> "Redaction":
        """Only what the gateway and the launcher handed over."""
        return cls(value for name, value in environ.items() if _OURS.fullmatch(name))

    def text(self, text: str) -> str:
        """The text without them, and such that it can be written as UTF-8."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text.encode(errors="replace").decode()

    def beginning(self, text: str) -> int:
        """Where the end of the text may be the beginning of a secret; its length, if it is not."""
        starts = (_overlap(text, secret) for secret in self._secrets)
        return len(text) - max(starts, default=0)

    def is_in(self, text: str) -> bool:
        """Whether the text holds one of them."""
        return any(secret in text for secret in self._secrets)

    def is_in_bytes(self, content: bytes) -> bool:
        """The same for the content of a file or its name."""
        return any(secret.encode() in content for secret in self._secrets)

    def tree(self, value: object) -> object:
        """The same for every string of a JSON document."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.tree(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value]
        return value


def _overlap(text: str, secret: str) -> int:
    """How many of a secret's characters the text ends with, less than all."""
    longest = min(len(secret) - 1, len(text))
    return next((size for size in range(longest, 0, -1) if text.endswith(secret[:size])), 0)
