"""Names of snapshots: each version has one of its own, for a snapshot never changes."""

import re
from typing import Final

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,127}")
_NUMBERED: Final = re.compile(r"(.*?)(\d+)")
DEFAULT: Final = "slipgate-agent-1"


class SnapshotError(Exception):
    """A snapshot cannot be built, pushed or activated; `advice` says what to do."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


def check_name(name: str) -> None:
    """Raises `SnapshotError` if no new snapshot may have the name."""
    if not _NAME.fullmatch(name):
        raise SnapshotError(
            f"{name!r} is no name of a snapshot",
            f"Small letters, digits and . _ - / :, like {DEFAULT}.",
        )
    if name.endswith("latest") or not re.search(r"\d", name):
        base = name.removesuffix("latest").rstrip(":-.") or "slipgate-agent"
        raise SnapshotError(
            f"{name} names no version",
            f"A snapshot never changes: give each a number, like {base}-1.",
        )


def check_image(image: str) -> None:
    """Raises `SnapshotError` if Daytona's CLI would refuse the image."""
    if image.count(":") != 1 or image.endswith((":latest", ":")):
        raise SnapshotError(
            f"{image} is refused by Daytona",
            "It has to have one tag that is not latest, and no port: `docker tag` gives it one.",
        )


def next_name(name: str) -> str:
    """The name of the next version."""
    found = _NUMBERED.fullmatch(name)
    return f"{found[1]}{int(found[2]) + 1}" if found else f"{name}-2"
