"""The answer to a webhook of a service that watches sandboxes or pull requests."""

from typing import Literal

import msgspec


class Received(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """It is authentic, and was taken; `applied` says whether it was about something of ours."""

    accepted: bool
    applied: bool
    reason: (
        Literal["unknown_sandbox", "unknown_pull_request", "nothing_to_do", "not_followed", "ping"]
        | None
    ) = None
    """Why nothing came of it."""
    duplicate: bool = False
