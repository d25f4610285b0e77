"""Keys beside a running gateway: made, listed, revoked by the rules of the ledger."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gateway.domain.kernel.commands import Prune
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.policy import Policy
from gateway.domain.kernel.sealing import Sealed
from gateway.domain.operations.api_key import ApiKey, key_digest
from gateway.domain.operations.audit_log import CLI
from gateway.domain.operations.key_commands import CreateKey, RevokeKey
from gateway.ledger import Ledger
from gateway.store.administration import open_operator
from gateway.store.sqlite.store import open_sqlite

KEY = ApiKey(id="key_1", scope="tasks", project="acme", name="vercel", created_at=1_000)
DIGEST = key_digest("slip_tasks_x")
SECRET = Sealed(key_id="k1", box=b"one")
CREATE = CreateKey(key=KEY, digest=DIGEST)
REVOKE = RevokeKey(key_id="key_1")


async def test_a_running_gateway_knows_a_new_key_and_forgets_a_revoked_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "slipgate.db"
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        with open_operator(path) as operator:
            operator.submit(CREATE, 1_000)
        found = await store.reads.api_key(DIGEST)
        assert found == KEY
        with open_operator(path) as operator:
            operator.submit(REVOKE, 2_000)
        assert await store.reads.api_key(DIGEST) is None


def test_keys_can_be_made_before_the_first_start(tmp_path: Path) -> None:
    path = tmp_path / "state" / "slipgate.db"
    with open_operator(path) as operator:
        operator.submit(CREATE, 1_000)
    with open_operator(path) as operator:
        assert operator.all_keys() == [KEY]


def test_a_key_is_revoked_once(tmp_path: Path) -> None:
    with open_operator(tmp_path / "slipgate.db") as operator:
        operator.submit(CREATE, 1_000)
        assert operator.submit(REVOKE, 2_000).is_changed
        assert not operator.submit(REVOKE, 3_000).is_changed
        with pytest.raises(ApiError, match="not_found"):
            operator.submit(RevokeKey(key_id="key_2"), 3_000)
        assert operator.all_keys() == [replace(KEY, revoked_at=2_000)]


async def test_its_commands_are_in_the_audit_log_as_those_of_the_command_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "slipgate.db"
    with open_operator(path) as operator:
        operator.submit(CREATE, 1_000)
        operator.submit(REVOKE, 2_000)
        operator.submit(REVOKE, 3_000)
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        entries = await store.reads.audit_before(2**62, 10, actor=None, after=None)
    assert [(it.at, it.actor, it.action, it.target) for it in entries] == [
        (2_000, CLI, "key.revoked", "key_1"),
        (1_000, CLI, "key.created", "key_1"),
    ]


async def test_the_first_key_of_a_project_brings_the_secret_of_its_callbacks(
    tmp_path: Path,
) -> None:
    path = tmp_path / "slipgate.db"
    with open_operator(path) as operator:
        first = operator.submit(replace(CREATE, callback_secret=SECRET), 1)
        other = replace(KEY, id="key_2")
        later = replace(
            CREATE,
            key=other,
            digest=b"2",
            callback_secret=Sealed(key_id="k1", box=b"two"),
        )
        assert (first.opens_project, operator.submit(later, 2).opens_project) == (True, False)
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        owner = ("acme", None)
        (live,) = (await store.reads.live_secrets([owner], 2))[owner]
    assert (live.is_of_project, live.sealed) == (True, SECRET)


async def test_the_audit_log_is_pruned_with_the_tasks_it_is_about(tmp_path: Path) -> None:
    path = tmp_path / "slipgate.db"
    with open_operator(path) as operator:
        operator.submit(CREATE, 1_000)
        operator.submit(REVOKE, 2_000)
    async with open_sqlite(path, new_instance_id=lambda: "i") as store:
        ledger = Ledger(store, Policy(key_id="k1"))
        async with ledger.running():
            assert await store.reads.has_old_audit(1_000)
            await ledger.submit(Prune(at=10_000, ended_before=1_000))
            assert not await store.reads.has_old_audit(1_000)
        (left,) = await store.reads.audit_before(2**62, 10, actor=CLI, after=None)
        assert left.action == "key.revoked"
        assert await store.reads.audit_before(2**62, 10, actor="gateway", after=None) == []
