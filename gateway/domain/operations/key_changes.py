"""Rules for API keys: create, revoke, note their use."""

from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from gateway.domain.kernel.answers import Accepted
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.operations.key_commands import CreateKey, KeyReply, NoteKeyUses, RevokeKey
from gateway.wire.problem import FieldError
from gateway.wire.times import maybe_rfc3339

MAX_LABEL: Final = 100
"""Characters of the name of a key or a project."""
OPENS_PROJECT: Final = frozenset({"tasks", "ops"})
"""Scopes that create tasks, whose callbacks have to be signed."""


def create(unit: UnitOfWork, command: CreateKey, now: int) -> KeyReply:
    """Stores a new key; the first that can create tasks brings its project a callback secret.

    Raises:
        ApiError: `invalid_request`, naming each wrong field.
    """
    key = replace(command.key, created_at=now)
    _check(key, now)
    keys = unit.api_keys
    keys.create(key, command.digest)
    opens = command.callback_secret is not None and key.project not in keys.projects
    if command.callback_secret is not None and opens:
        keys.open_project(key.project, command.callback_secret, now)
    expires_at = maybe_rfc3339(key.expires_at)
    unit.audit.emit(
        "key.created", key.id, key.project, scope=key.scope, name=key.name, expires_at=expires_at
    )
    return KeyReply(key=key, opens_project=opens)


def revoke(unit: UnitOfWork, command: RevokeKey, now: int) -> KeyReply:
    """Revokes a key for good; idempotent.

    Raises:
        ApiError: `not_found`, or `last_ops_key`.
    """
    key = unit.api_keys.get(command.key_id)
    if key is None:
        raise ApiError(
            "not_found", "There is no such key.", hint="See `slipgate keys list` or GET /v1/keys."
        )
    if key.revoked_at is not None:
        return KeyReply(key=key, is_changed=False)
    if command.actor == key.actor and not command.force and _is_last(unit, key, now):
        raise ApiError(
            "last_ops_key",
            "This is the last living ops key, and it would revoke itself.",
            hint="Create another ops key first, or send `force: true`; "
            "`slipgate keys create --scope ops` works beside the database.",
        )
    revoked = replace(key, revoked_at=now)
    unit.api_keys.put(revoked)
    unit.audit.emit("key.revoked", key.id, key.project, scope=key.scope, name=key.name)
    return KeyReply(key=revoked)


def note_uses(unit: UnitOfWork, command: NoteKeyUses, _now: int) -> Accepted:
    """Stores when keys were last used."""
    unit.api_keys.uses.update(command.uses)
    return Accepted()


def _is_last(unit: UnitOfWork, key: ApiKey, now: int) -> bool:
    others = (one for one in unit.api_keys.values() if one.id != key.id and one.scope == "ops")
    return key.scope == "ops" and not any(one.is_live(now) for one in others)


def _check(key: ApiKey, now: int) -> None:
    errors = tuple(FieldError(path=path, message=text) for path, text in _mistakes(key, now))
    if errors:
        detail = " ".join(f"{error.path}: {error.message}." for error in errors)
        raise ApiError("invalid_request", detail, errors=errors)


def _mistakes(key: ApiKey, now: int) -> Iterator[tuple[str, str]]:
    """Wrong fields by their paths."""
    for path, text in (("$.name", key.name), ("$.project", key.project)):
        if not text.strip() or not text.isprintable() or len(text) > MAX_LABEL:
            yield path, f"Expected one line of 1 to {MAX_LABEL} printable characters"
    if key.all_projects and key.scope != "launcher":
        yield "$.allProjects", "Only a launcher's key can serve all projects"
    limit = key.rate_limit
    if limit.burst is not None and limit.requests_per_second is None:
        yield "$.rateLimit.burst", "A burst needs a rate: give requestsPerSecond too"
    if key.has_expired(now):
        yield "$.expiresAt", "Expected a moment in the future"
