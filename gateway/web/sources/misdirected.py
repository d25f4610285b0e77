"""Wrong addresses and methods of a misconfigured frontend, and the correction."""

import re
from typing import Final

from gateway.domain.kernel.errors import ApiError

_WORKSPACE: Final = re.compile(r"(?:/api|/v1)*/workspaces?(?:/.*)?", re.IGNORECASE)
_CALLED: Final = re.compile(r"/workspace(?:/[^/]+(?:/stop)?)?")
_DAYTONA: Final = re.compile(
    r"(?:/api)?/(?:sandbox|sandboxes|snapshots?|toolbox|volumes?|organizations?|regions?"
    r"|object-storage|api-keys|docker-registry|users|config|health)(?:/.*)?",
    re.IGNORECASE,
)
_CALLS: Final = (
    "POST /workspace, GET /workspace, GET /workspace/{id}, POST /workspace/{id}/stop and "
    "DELETE /workspace/{id}"
)


def correct_method(method: str, path: str) -> ApiError | None:
    """A 405 with the calls of the workspace API; None for any other path."""
    if not _CALLED.fullmatch(path):
        return None
    return ApiError(
        "method_not_allowed",
        f"{method} is not allowed here. The workspace API is {_CALLS}.",
    )


def correct_address(path: str) -> ApiError | None:
    """A 404 with the correct address and variables; None for any other path."""
    plain = re.sub(r"/{2,}", "/", path)
    if _WORKSPACE.fullmatch(plain):
        return ApiError(
            "not_found",
            f"There is no such route. The workspace API is {_CALLS}, each without a trailing "
            "slash.",
            hint="Set DAYTONA_API_URL to this gateway's address alone, without a path and without "
            "a slash at its end.",
        )
    if _DAYTONA.fullmatch(plain):
        return ApiError(
            "not_found",
            f"There is no such route. This is slipgate, not Daytona's own API; it serves {_CALLS}.",
            hint="Set DAYTONA_USE_SDK=false, leave DAYTONA_USE_GITHUB_ACTIONS off, set "
            "DAYTONA_API_URL to this gateway's address without a path, DAYTONA_API_KEY to a key "
            "of scope tasks, and DAYTONA_SNAPSHOT_NAME to the snapshot's name.",
        )
    return None
