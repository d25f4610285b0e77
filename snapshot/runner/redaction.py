"""Takes secrets out of everything that leaves: events, pull requests, logs."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

REDACTED: Final = "[redacted]"
SHORTEST: Final = 8
"""Below so many characters a value is too common to be taken out of texts."""
_SECRET_NAME: Final = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL")


class Redaction:
    """Knows the values that nobody outside may read."""

    def __init__(self, secrets: Iterable[str]) -> None:
        long_first = sorted({s for s in secrets if len(s) >= SHORTEST}, key=len, reverse=True)
        self._secrets = tuple(long_first)

    @classmethod
    def of_environ(cls, environ: Mapping[str, str], *, also: Iterable[str] = ()) -> "Redaction":
        """Every value whose name sounds like a secret, the task's own ones included."""
        named = [value for name, value in environ.items() if _SECRET_NAME.search(name.upper())]
        return cls([*named, *also])

    def text(self, text: str) -> str:
        """The text without them."""
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return text

    def is_in(self, text: str) -> bool:
        """Whether the text holds one of them."""
        return any(secret in text for secret in self._secrets)

    def tree(self, value: object) -> object:
        """The same for every string of a JSON document."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {key: self.tree(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value]
        return value
