"""A secret that deliveries are signed with; a receiver may know the old one or the new one."""

from typing import Final

from gateway.domain.tasks.task import Frozen

SECRET_BYTES: Final = 32
MOST_LIVE: Final = 10
"""Each live secret makes the signature header longer."""


class SigningSecret(Frozen, frozen=True, kw_only=True):
    """All of it but the secret itself; moments in milliseconds."""

    id: str
    """An attempt records it as its `keyId`."""
    project: str
    endpoint_id: str | None
    """None: it signs the callbacks of the project."""
    created_at: int
    expires_at: int | None = None
    """None: it is the newest."""
