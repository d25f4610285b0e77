"""The versions of launchers that a gateway works with: its own, newer and one minor behind."""

import re
from typing import Final

from gateway.domain.kernel.errors import ApiError

_VERSION: Final = re.compile(r"(\d{1,6})\.(\d{1,6})(?!\d)")


def check_version(launcher: str, gateway: str) -> None:
    """Refuses a launcher that is more than one minor version behind; an unknown version is taken.

    Raises:
        ApiError: `launcher_too_old`.
    """
    theirs, ours = _VERSION.match(launcher), _VERSION.match(gateway)
    if theirs is None or ours is None:
        return
    major, minor = map(int, ours.groups())
    if (int(theirs[1]), int(theirs[2])) < (major, max(0, minor - 1)):
        raise ApiError(
            "launcher_too_old",
            f"The launcher has version {launcher}, the gateway {gateway}.",
            hint=f"Update the launcher to {gateway}: it may be one minor version behind.",
        )
