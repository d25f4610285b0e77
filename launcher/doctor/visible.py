"""Secrets that somebody else can see on their way into a sandbox, or once they are there."""

from collections.abc import Iterator
from typing import Final

from launcher.doctor.check import Check, ok, warning
from launcher.settings import DaytonaSettings, Settings

OF_EVERY_TASK: Final = "SLIPGATE_WEBHOOK_SECRET"
"""Dies with its attempt, and signs for that one alone."""


def check_exposure(settings: Settings) -> Iterator[Check]:
    """What the providers of the chain do with the variables they hand over."""
    if settings.daytona is None:
        return
    if "daytona-cli" in settings.providers:
        yield _arguments(settings)
    yield _stored(settings, settings.daytona)


def _arguments(settings: Settings) -> Check:
    names = ", ".join((*sorted(settings.forwarded_env), OF_EVERY_TASK))
    return warning(
        "argument list",
        f"the CLI takes variables as arguments only: while it creates, every user of this host "
        f"sees {names}",
        "Give the launcher a host or container of its own, or SLIPGATE_PROVIDERS=daytona-api.",
    )


def _stored(settings: Settings, daytona: DaytonaSettings) -> Check:
    name = "stored in clear"
    by_cli = set(settings.forwarded_env) if "daytona-cli" in settings.providers else set()
    swapped = set(daytona.secrets) - by_cli
    shown = sorted(set(settings.forwarded_env) - swapped)
    if not shown:
        return ok(name, f"only {OF_EVERY_TASK}, which dies with its attempt")
    return warning(
        name,
        f"Daytona keeps variables in clear: any key of the organisation reads {', '.join(shown)}",
        "Use keys of narrow scope. SLIPGATE_DAYTONA_SECRETS=OPENAI_API_KEY=<name of a Daytona "
        "Secret> hands that over instead of a model's key, by daytona-api alone.",
    )
