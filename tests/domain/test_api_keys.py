"""Rules for API keys, and the audit log of a unit of work."""

import pytest
from msgspec.structs import replace

from gateway.domain.decide import decide
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.kernel.unit_of_work import UnitOfWork
from gateway.domain.operations.api_key import ApiKey
from gateway.domain.operations.audit_log import AuditEntry
from gateway.domain.operations.key_commands import CreateKey, KeyReply, RevokeKey
from gateway.domain.operations.rate_limit import RateLimit

NOW = 1_000_000
OPS = ApiKey(id="key_ops", scope="ops", project="default", name="me")
TASKS = ApiKey(id="key_t", scope="tasks", project="acme", name="app")
SECRET = Sealed(key_id="k1", box=b"secret")


def unit_of(*keys: ApiKey) -> UnitOfWork:
    unit = UnitOfWork(policy=Policy(key_id="k1"))
    unit.api_keys.load(keys)
    return unit


def revoke(unit: UnitOfWork, key: ApiKey, *, force: bool = False, actor: str = "") -> KeyReply:
    command = RevokeKey(key_id=key.id, force=force, actor=actor or key.actor)
    answer = decide(unit, command, NOW)
    assert isinstance(answer, KeyReply)
    return answer


def test_a_change_is_audited_with_its_actor_and_no_secret() -> None:
    unit = unit_of(OPS)
    command = CreateKey(key=TASKS, digest=b"d", callback_secret=SECRET, actor=OPS.actor)
    decide(unit, command, NOW)
    assert unit.audit == [
        AuditEntry(
            at=NOW,
            actor="key:key_ops",
            action="key.created",
            target="key_t",
            project="acme",
            detail={"scope": "tasks", "name": "app"},
        )
    ]
    assert unit.is_changed


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        (replace(TASKS, name=" "), "$.name"),
        (replace(TASKS, project="a\nb"), "$.project"),
        (replace(TASKS, all_projects=True), "$.allProjects"),
        (replace(TASKS, rate_limit=RateLimit(burst=5)), "$.rateLimit.burst"),
        (replace(TASKS, expires_at=NOW), "$.expiresAt"),
    ],
    ids=["name", "project", "all projects", "burst", "end"],
)
def test_a_key_that_means_nothing_is_refused_by_its_field(wrong: ApiKey, path: str) -> None:
    unit = unit_of()
    with pytest.raises(ApiError, match="invalid_request") as refused:
        decide(unit, CreateKey(key=wrong, digest=b"d"), NOW)
    assert [error.path for error in refused.value.errors] == [path]
    assert not unit.is_changed


@pytest.mark.parametrize(
    "other",
    [
        replace(OPS, id="key_2", revoked_at=1),
        replace(OPS, id="key_2", expires_at=NOW),
        replace(OPS, id="key_2", scope="read"),
    ],
    ids=["revoked", "expired", "of another scope"],
)
def test_the_last_living_ops_key_does_not_revoke_itself(other: ApiKey) -> None:
    unit = unit_of(OPS, other)
    with pytest.raises(ApiError, match="last_ops_key"):
        revoke(unit, OPS)
    assert not unit.is_changed
    assert revoke(unit, OPS, force=True).key.revoked_at == NOW


def test_beside_another_ops_key_and_by_the_command_line_any_key_is_revoked() -> None:
    assert revoke(unit_of(OPS, replace(OPS, id="key_2")), OPS).is_changed
    assert revoke(unit_of(OPS), OPS, actor="cli").is_changed


def test_a_second_revocation_changes_nothing() -> None:
    unit = unit_of(OPS, TASKS)
    first = revoke(unit, TASKS, actor="cli")
    assert revoke(unit, TASKS, actor="cli") == KeyReply(key=first.key, is_changed=False)
    assert len(unit.audit) == 1
