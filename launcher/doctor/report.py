"""What a command of this package prints: a page for people, or one JSON document."""

from collections.abc import Iterable

import msgspec
from rich.console import Console
from rich.text import Text

from launcher.doctor.check import Check

_STYLES = {"ok": "green", "warning": "yellow", "failed": "bold red"}
_SHORTEST_SECRET = 8


class Report:
    """stdout, on which no secret and no control character of somebody else ever comes."""

    def __init__(self, secrets: Iterable[str], console: Console | None = None) -> None:
        self._secrets = [text for text in secrets if len(text) >= _SHORTEST_SECRET]
        self._console = console or Console(highlight=False, soft_wrap=True)

    def line(self, text: str = "", style: str = "") -> None:
        """One line."""
        self._console.print(Text(self.clean(text), style=style))

    def check(self, check: Check) -> None:
        """Its line, and what to do below it."""
        line = Text(f"{check.outcome:<8}", style=_STYLES[check.outcome])
        line.append(self.clean(f" {check.name:<16} {check.message}"), style="default")
        self._console.print(line)
        if check.advice:
            self.line(f"{'':<9}{'':<17}→ {check.advice}", style="dim")

    def document(self, value: object) -> None:
        """One JSON document, the only thing on stdout."""
        text = self.clean(msgspec.json.encode(value).decode())
        self._console.print(Text(msgspec.json.format(text, indent=2)))

    def clean(self, text: str) -> str:
        """The text as it may be shown."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return "".join(letter if letter.isprintable() or letter == "\n" else " " for letter in text)
