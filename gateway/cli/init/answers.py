"""Answers: from an option, a file of an earlier run, the environment, or a person at a terminal."""

import sys
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Final

import typer

from gateway.cli.console.output import USAGE, CommandFailed
from gateway.cli.init.questions import Question

YES_OPTION: Final = "--yes"


class Answers:
    """Asks what is not known already; without a terminal all that is missing is told at once."""

    def __init__(
        self, earlier: Mapping[str, str], environ: Mapping[str, str], *, is_yes: bool
    ) -> None:
        self._environ = {name: value for name, value in environ.items() if value.strip()}
        self._known = {**earlier, **self._environ}
        self._is_yes = is_yes
        self.is_asking = sys.stdin.isatty() and sys.stderr.isatty() and not is_yes
        self._missing: list[str] = []

    def known(self, name: str) -> str:
        """The value of a variable that nobody has to be asked for; empty if there is none."""
        return self._known.get(name, "").strip()

    def exported(self, names: Iterable[str]) -> dict[str, str]:
        """The variables among these that the environment gives."""
        return {name: self._environ[name] for name in names if name in self._environ}

    def choose(self, option: str, given: str | None, kinds: Mapping[str, str], default: str) -> str:
        """One of several words, each with its meaning.

        Raises:
            BadParameter: the option gave another one.
        """
        if given is not None:
            return _one_of(kinds, given, option)
        if not self.is_asking:
            if not self._is_yes:
                self._missing.append(f"{option} {'|'.join(kinds)}")
            return default
        for kind, meaning in kinds.items():
            typer.echo(f"  {kind:<16} {meaning}", err=True)
        text = option.strip("-").replace("-", " ").capitalize()
        return str(
            typer.prompt(text, default=default, value_proc=partial(_one_of, kinds), err=True)
        )

    def ask(self, questions: Iterable[Question]) -> dict[str, str]:
        """The values of variables; those that may be empty and are, are left out."""
        found = {question.name: self._ask(question) for question in questions}
        return {name: value for name, value in found.items() if value}

    def _ask(self, question: Question) -> str:
        known = self.known(question.name)
        if known:
            return known
        if self.is_asking:
            default = None if question.is_required else ""
            return str(
                typer.prompt(
                    question.text,
                    default=default,
                    hide_input=question.is_secret,
                    show_default=False,
                    err=True,
                )
            ).strip()
        if question.is_required:
            self._missing.append(f"{question.name} in the environment: {question.text}")
        return ""

    def confirm(self, text: str, given: bool | None, *, default: bool) -> bool:
        """Yes or no; without a terminal the default, and with `--yes` yes."""
        if given is not None:
            return given
        if self.is_asking:
            return typer.confirm(text, default=default, err=True)
        return self._is_yes or default

    def require(self, is_there: bool, what: str) -> None:
        """Counts something as missing."""
        if not is_there:
            self._missing.append(what)

    def check(self) -> None:
        """Raises `CommandFailed` with everything that is missing."""
        if self._missing:
            lines = "".join(f"\n  {each}" for each in self._missing)
            raise CommandFailed(
                f"There is no terminal to ask at, and this is missing:{lines}",
                f"Give it, or run this at a terminal; {YES_OPTION} takes the defaults.",
                exit_code=USAGE,
            )


def _one_of(kinds: Mapping[str, str], given: str, option: str | None = None) -> str:
    if given not in kinds:
        raise typer.BadParameter(f"there are: {', '.join(kinds)}", param_hint=option)
    return given
