"""API keys as values, and the keys and projects of a unit of work."""

import base64
import hashlib
import re
from typing import Final

from gateway.domain.kernel.part import Rows
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.operations.rate_limit import RateLimit
from gateway.domain.tasks.task import Frozen

KEY: Final = re.compile(r"slip_(?P<scope>tasks|read|launcher|ops)_[A-Za-z0-9_-]{43}")
"""Every key; the last part is 32 random bytes."""


class ApiKey(Frozen, frozen=True, kw_only=True):
    """A key without its secret; moments in milliseconds."""

    id: str
    scope: str
    project: str
    name: str
    all_projects: bool = False
    """True if a launcher's key serves every project, and not its own alone."""
    rate_limit: RateLimit = RateLimit()
    created_at: int = 0
    expires_at: int | None = None
    revoked_at: int | None = None
    last_used_at: int | None = None
    """Coarse: at most a minute old while the gateway runs."""

    @property
    def actor(self) -> str:
        """Its holder in the audit log."""
        return f"key:{self.id}"

    def has_expired(self, now: int) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def is_live(self, now: int) -> bool:
        """True if it is neither revoked nor expired."""
        return self.revoked_at is None and not self.has_expired(now)


class ApiKeys(Rows[str, ApiKey]):
    """All keys, if a command asks for them, and the projects that have a callback secret."""

    def __init__(self) -> None:
        super().__init__(lambda key: key.id)
        self.projects: set[str] = set()
        self.digests: dict[str, bytes] = {}
        """SHA-256 of the new keys, by id."""
        self.new_projects: dict[str, tuple[Sealed, int]] = {}
        """Callback secrets and creation times (milliseconds)."""
        self.uses: dict[str, int] = {}
        """Last uses (milliseconds) that are to be stored, by key."""

    def create(self, key: ApiKey, digest: bytes) -> None:
        """A key that was not there before."""
        self[key.id] = key
        self.digests[key.id] = digest

    def open_project(self, name: str, callback_secret: Sealed, now: int) -> None:
        """A project, and the secret its callbacks are signed with."""
        self.projects.add(name)
        self.new_projects[name] = (callback_secret, now)

    @property
    def is_changed(self) -> bool:
        """True if keys, projects or uses have to be written."""
        return bool(self.changed or self.digests or self.new_projects or self.uses)


def key_text(scope: str, secret: bytes) -> str:
    """The key itself; `secret` are 32 random bytes."""
    return f"slip_{scope}_{base64.urlsafe_b64encode(secret).decode().rstrip('=')}"


def key_digest(text: str) -> bytes:
    """The only form in which a key is stored."""
    return hashlib.sha256(text.encode()).digest()
