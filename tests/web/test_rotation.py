"""Master keys change while agents work: nothing sealed is lost, and the old key can go one day."""

import asyncio
import base64
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import pytest
from structlog.testing import capture_logs

from gateway.cli.local.state import read_master_keys
from gateway.cli.main import main
from gateway.cli.operations.minting import mint
from gateway.cli.operations.rewrap import seal_again
from gateway.domain.kernel.errors import ApiError
from gateway.domain.kernel.keyring import Keyring
from gateway.store.administration import audit, note_recovery, open_database
from gateway.store.sql.admin.instance import INSTANCE
from tests.stores import NewDatabase
from tests.web.callers import (
    MASTER,
    TASK,
    Agent,
    GatewayHarness,
    Json,
    execute,
    open_gateway,
    rows_of,
)

OTHER: Final = f"k1:{base64.b64encode(b'o' * 32).decode()}"
"""Another key under an id that is in use."""
NEW: Final = base64.b64encode(b"n" * 32).decode()
K1: Final = f"k1:{MASTER}"
K2: Final = f"k2:{NEW}"
BOTH: Final = f"{K2},{K1}"
CALLBACK: Final = "https://app.example/api/hook"
ERROR: Final = {"stage": "agent", "code": "boom", "message": "no", "retryable": False}


def environ(database: NewDatabase, keys: str) -> dict[str, str]:
    """The environment of an operator's command."""
    return {
        "SLIPGATE_DATABASE_URL": database.url,
        "SLIPGATE_SECRET_KEYS": keys,
    }


class Operator:
    """Types `slipgate keys rewrap`."""

    def __init__(
        self,
        database: NewDatabase,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.database = database
        self._monkeypatch = monkeypatch
        self._capsys = capsys

    async def rewraps(self, keys: str, *options: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr. In a thread, as an operator's process is beside the
        gateway's: who holds the event loop waits for a write lock that only the loop gives up."""
        for name, text in environ(self.database, keys).items():
            self._monkeypatch.setenv(name, text)
        self._capsys.readouterr()
        with capture_logs():  # the gateway's, which are in a file of its own elsewhere
            code = await asyncio.to_thread(main, ["keys", "rewrap", *options])
        printed = self._capsys.readouterr()
        return code, printed.out, printed.err


@pytest.fixture
def operator(
    database: NewDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Operator:
    mint(environ(database, K1), "tasks", "default", "vercel")
    return Operator(database, monkeypatch, capsys)


def moved(agent: Agent, gateway: GatewayHarness) -> Agent:
    """The same agent; the gateway it speaks to was started anew."""
    return Agent(http=gateway.http, env=agent.env)


async def claimed(gateway: GatewayHarness) -> Mapping[str, Any]:
    """The environment of the next job."""
    (job,) = await gateway.claim(capacity=1)
    env: Json = job["env"]
    return env


async def test_an_attempt_keeps_the_key_it_was_opened_with(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        _, first = await gateway.launch()
    async with open_gateway(database, SLIPGATE_SECRET_KEYS=BOTH) as gateway:
        first = moved(first, gateway)
        assert (await first.emit("task.started", "m1")).status_code == 202
        job, second = await gateway.launch()
        assert (await second.emit("task.started", "m1")).status_code == 202
        forged = Agent(http=gateway.http, env={**first.env, **named(job)})
        assert (await forged.emit("task.heartbeat", "m2")).status_code == 401
        ended = await first.emit("task.failed", "m2", error=ERROR)
        assert ended.status_code == 202
        assert (await first.emit("task.heartbeat", "m3")).status_code == 410
    assert audit(database.location, key_ids={"k1", "k2"}).problems == ()


def named(job: Json) -> dict[str, str]:
    """The fields that name an agent's task and attempt."""
    return {"SLIPGATE_TASK_ID": job["taskId"], "SLIPGATE_ATTEMPT": str(job["attempt"])}


async def test_a_start_without_a_key_that_is_needed_is_refused_with_counts_of_each_kind(
    database: NewDatabase, operator: Operator
) -> None:
    async with open_gateway(database) as gateway:
        await gateway.launch(env={"A": "1"})
        await gateway.create(env={"A": "1"}, callbackUrl=CALLBACK)
        await gateway.create(callbackUrl=CALLBACK)
    note_recovery(database.location)
    instance = rows_of(database, INSTANCE)
    with pytest.raises(ApiError, match="missing_master_key") as refused:
        async with open_gateway(database, SLIPGATE_SECRET_KEYS=K2):
            pass
    for count in ("1 living attempts", "2 env", "2 callback addresses", "1 callback secrets"):
        assert count in refused.value.detail
    assert "slipgate keys rewrap" in (refused.value.hint or "")
    assert rows_of(database, INSTANCE) == instance  # the next start may still take over


async def test_after_a_rewrap_beside_the_gateway_the_old_key_can_go(
    database: NewDatabase, operator: Operator
) -> None:
    async with open_gateway(database) as gateway:
        for number in range(2):
            await gateway.create(env={"A": str(number)}, callbackUrl=CALLBACK)
        first = await gateway.post("/v1/tasks", TASK, Idempotency_Key="same")
        endpoint = {"url": CALLBACK, "headers": {"X-Key": "secret"}}
        await gateway.post("/v1/endpoints", endpoint, "ops", Idempotency_Key="same")
    async with open_gateway(database, SLIPGATE_SECRET_KEYS=BOTH) as gateway:
        code, out, _ = await operator.rewraps(BOTH, "--json")
        assert code == 0
        assert msgspec.json.decode(out) == {
            "current": "k2",
            "rewrapped": {
                "env": 2,
                "callbackAddresses": 2,
                "callbackSecrets": 1,
                "signingSecrets": 1,
                "endpointAddresses": 1,
                "endpointHeaders": 1,
            },
            "unreadable": {},
            "stillNeeded": {},
        }
        assert (await claimed(gateway))["A"] == "0"
        assert "k1 is no longer needed" in (await operator.rewraps(BOTH))[1]
    async with open_gateway(database, SLIPGATE_SECRET_KEYS=K2) as gateway:
        assert (await claimed(gateway))["A"] == "1"
        # The hash of the first request went with its key; the key alone says that it is the same.
        again = await gateway.post("/v1/tasks", TASK, Idempotency_Key="same")
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json()["id"] == first.json()["id"]
        made = await gateway.post("/v1/endpoints", endpoint, "ops", Idempotency_Key="same")
        assert made.json()["secret"].startswith("whsec_")
    assert audit(database.location, key_ids={"k2"}).problems == ()


async def test_a_living_attempt_needs_its_key_until_it_has_ended(
    database: NewDatabase, operator: Operator
) -> None:
    async with open_gateway(database) as gateway:
        _, agent = await gateway.launch(env={"A": "1"})
    async with open_gateway(database, SLIPGATE_SECRET_KEYS=BOTH) as gateway:
        code, out, _ = await operator.rewraps(BOTH)
        assert (code, "k1 is still needed: 1 living attempts" in out) == (0, True)
        await moved(agent, gateway).emit("task.failed", "m1", error=ERROR)
        assert "k1 is no longer needed" in (await operator.rewraps(BOTH))[1]
    async with open_gateway(database, SLIPGATE_SECRET_KEYS=K2) as gateway:
        assert (await gateway.get("/v1/tasks")).status_code == 200


async def test_nothing_is_sealed_with_a_key_that_the_running_gateway_does_not_have(
    database: NewDatabase, operator: Operator
) -> None:
    async with open_gateway(database) as gateway:
        await gateway.create(env={"A": "1"})
        code, _, err = await operator.rewraps(BOTH)
        assert code == 1
        assert "Restart the gateway" in err
        assert (await claimed(gateway))["A"] == "1"


async def test_without_a_gateway_it_is_sealed_at_once(
    database: NewDatabase, operator: Operator
) -> None:
    async with open_gateway(database) as gateway:
        await asyncio.gather(*(gateway.create(env={"A": str(n)}) for n in range(250)))
    seen: list[tuple[int, int]] = []
    ring = Keyring(read_master_keys(environ(database, BOTH)))
    with open_database(database.location) as opened:
        counts = seal_again(opened, ring, {}, lambda done, total: seen.append((done, total)))
    assert counts["env"] == 250
    assert seen == [(100, 251), (200, 251), (250, 251), (251, 251)]
    assert (await operator.rewraps(BOTH))[0] == 0


async def test_what_cannot_be_opened_is_counted_and_stays_as_it_is(
    database: NewDatabase, operator: Operator
) -> None:
    async with open_gateway(database) as gateway:
        await gateway.create(env={"A": "1"})
    code, out, err = await operator.rewraps(K2, "--json")
    assert code == 1
    assert msgspec.json.decode(out)["unreadable"] == {"k1": 2}
    assert "2 under k1" in err
    async with open_gateway(database) as gateway:
        assert (await claimed(gateway))["A"] == "1"


def forget_fingerprints(database: NewDatabase) -> None:
    """The database as it was before there were any."""
    execute(database, "DELETE FROM master_keys")


@pytest.mark.parametrize("keys", [OTHER, f"{K2},{OTHER}"], ids=["current", "behind a new one"])
@pytest.mark.parametrize("is_old", [False, True], ids=["known", "from before"])
async def test_another_key_under_a_known_id_is_refused_wherever_it_would_seal_or_open(
    database: NewDatabase, operator: Operator, keys: str, is_old: bool
) -> None:
    if is_old:
        forget_fingerprints(database)
    with pytest.raises(ApiError, match="wrong_master_key") as refused:
        async with open_gateway(database, SLIPGATE_SECRET_KEYS=keys):
            pass
    assert "under the id k1" in refused.value.detail
    assert "master-keys" in (refused.value.hint or "")
    with pytest.raises(ApiError, match="wrong_master_key"):
        mint(environ(database, keys), "tasks", "other", "vercel")
    code, _, err = await operator.rewraps(keys)
    assert (code, "under the id k1" in err) == (1, True)
    assert not any(part in err for part in keys.replace(",", ":").split(":")[1::2])
    async with open_gateway(database) as gateway:
        assert (await gateway.get("/v1/tasks")).status_code == 200


async def test_a_database_from_before_remembers_its_key_at_the_next_start(
    database: NewDatabase, operator: Operator
) -> None:
    forget_fingerprints(database)
    async with open_gateway(database) as gateway:
        await gateway.create(env={"A": "1"})
    execute(
        database,
        "UPDATE projects SET callback_secret = substr(callback_secret, 1, 0)",
        "UPDATE task_secrets SET env = NULL, env_erased_at = 1",
        "DELETE FROM signing_secrets",
    )
    with pytest.raises(ApiError, match="wrong_master_key"):
        async with open_gateway(database, SLIPGATE_SECRET_KEYS=OTHER):
            pass


async def test_one_damaged_value_makes_no_key_a_wrong_one(
    database: NewDatabase, operator: Operator
) -> None:
    async with open_gateway(database) as gateway:
        await gateway.create(env={"A": "1"})
    forget_fingerprints(database)
    execute(database, "UPDATE task_secrets SET env = substr(env, 2)")
    async with open_gateway(database) as gateway:
        assert (await gateway.get("/v1/tasks")).status_code == 200


def test_a_database_that_seals_nothing_takes_any_key_once(database: NewDatabase) -> None:
    mint(environ(database, K1), "launcher", "default", "laptop")
    mint(environ(database, OTHER), "tasks", "default", "vercel")
    with pytest.raises(ApiError, match="wrong_master_key"):
        mint(environ(database, K1), "tasks", "other", "vercel")
