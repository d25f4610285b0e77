"""Results of checks, and the output of `slipgate doctor` and `slipgate snapshot`."""

import asyncio
import signal
import sys
from collections.abc import Iterable
from typing import Final, Literal

import msgspec
from rich.console import Console
from rich.text import Text

Outcome = Literal["ok", "warning", "failed"]

_STYLES: Final = {"ok": "green", "warning": "yellow", "failed": "bold red"}
_SHORTEST_SECRET: Final = 8
"""Characters: a shorter text may stand anywhere."""


class Check(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """`failed`: tasks will not run as they should; `warning`: they will, with a drawback."""

    name: str
    outcome: Outcome
    message: str
    advice: str | None = None


def ok(name: str, message: str) -> Check:
    return Check(name=name, outcome="ok", message=message)


def warning(name: str, message: str, advice: str) -> Check:
    return Check(name=name, outcome="warning", message=message, advice=advice)


def failed(name: str, message: str, advice: str) -> Check:
    return Check(name=name, outcome="failed", message=message, advice=advice)


def all_ok(checks: Iterable[Check]) -> bool:
    return not any(check.outcome == "failed" for check in checks)


class Report:
    """stdout without secrets and control characters."""

    def __init__(self, secrets: Iterable[str], console: Console | None = None) -> None:
        self._secrets = [text for text in secrets if len(text) >= _SHORTEST_SECRET]
        self._console = console or Console(highlight=False, soft_wrap=True)

    def line(self, text: str = "", style: str = "") -> None:
        self._console.print(Text(self.clean(text), style=style))

    def check(self, check: Check) -> None:
        line = Text(f"{check.outcome:<8}", style=_STYLES[check.outcome])
        line.append(self.clean(f" {check.name:<16} {check.message}"), style="default")
        self._console.print(line)
        if check.advice:
            self.line(f"{'':<9}{'':<17}→ {check.advice}", style="dim")

    def document(self, value: object) -> None:
        """One JSON document, the only output on stdout."""
        text = self.clean(msgspec.json.encode(value).decode())
        self._console.print(Text(msgspec.json.format(text, indent=2)))

    def clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return "".join(char if char.isprintable() or char == "\n" else " " for char in text)


def print_error(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def cancel_on_sigterm() -> None:
    """SIGTERM cancels this task, as Ctrl-C does, so that its sandboxes are deleted."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
