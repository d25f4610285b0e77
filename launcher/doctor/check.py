"""One thing that was looked at, and what to do if it is not well."""

from typing import Literal

import msgspec

Outcome = Literal["ok", "warning", "failed"]


class Check(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """`failed`: tasks will not run as they should; `warning`: they will, with a drawback."""

    name: str
    outcome: Outcome
    message: str
    advice: str | None = None


def ok(name: str, message: str) -> Check:
    """Nothing to do."""
    return Check(name=name, outcome="ok", message=message)


def warning(name: str, message: str, advice: str) -> Check:
    """It works, with a drawback."""
    return Check(name=name, outcome="warning", message=message, advice=advice)


def failed(name: str, message: str, advice: str) -> Check:
    """It does not work."""
    return Check(name=name, outcome="failed", message=message, advice=advice)


def all_ok(checks: list[Check]) -> bool:
    """Whether nothing has failed."""
    return not any(check.outcome == "failed" for check in checks)
