"""Keys over HTTP, and the audit log of what they do."""

import asyncio
import time

import pytest

from gateway.domain.operations.key_commands import NoteKeyUses
from gateway.web.context import context_of
from gateway.web.http.auth import REMEMBER_MS
from gateway.wire.times import rfc3339
from tests.stores import NewDatabase
from tests.web.callers import PROVIDER, TASK, GatewayHarness, Json, open_gateway


def bearer(key: Json) -> dict[str, str]:
    return {"authorization": f"Bearer {key['key']}"}


async def create(gateway: GatewayHarness, **wanted: object) -> Json:
    response = await gateway.post("/v1/keys", {"name": "app", **wanted}, "ops")
    assert response.status_code == 201, response.text
    assert response.headers["cache-control"] == "no-store"
    key: Json = response.json()
    return key


async def listed(gateway: GatewayHarness, key: Json) -> Json:
    """The key as the list shows it."""
    found = (await gateway.get("/v1/keys?limit=200", "ops")).json()["data"]
    (one,) = [each for each in found if each["id"] == key["id"]]
    view: Json = one
    return view


class Clock:
    """The gateway's clock."""

    def __init__(self) -> None:
        self.now = time.time_ns() // 1_000_000

    def __call__(self) -> int:
        return self.now


async def test_a_key_is_shown_once_works_at_once_and_is_never_listed(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        first = await create(gateway, scope="tasks", project="acme", rateLimit={"concurrent": 9})
        second = await create(gateway, scope="tasks", project="acme")
        task = (await gateway.http.post("/v1/tasks", json=TASK, headers=bearer(first))).json()
        text = (await gateway.get("/v1/keys", "ops")).text
        shown = await listed(gateway, first)
    assert first["callbackSecret"].startswith("whsec_")
    assert second["callbackSecret"] is None
    assert task["project"] == "acme"
    assert first["key"] not in text
    assert shown["rateLimit"]["concurrent"] == 9


async def test_a_revoked_key_is_refused(database: NewDatabase) -> None:
    clock = Clock()
    async with open_gateway(database, clock=clock) as gateway:
        key = await create(gateway, scope="read")
        assert (await gateway.http.get("/v1/status", headers=bearer(key))).status_code == 200
        path = f"/v1/keys/{key['id']}/revoke"
        revoked = (await gateway.post(path, scope="ops")).json()
        clock.now += REMEMBER_MS
        refused = await gateway.http.get("/v1/status", headers=bearer(key))
        assert refused.json()["code"] == "unauthorized"
        assert (await gateway.post(path, scope="ops")).json() == revoked
        assert await listed(gateway, key) == revoked


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("read", "/v1/events"),
        ("launcher", "/v1/launcher/claim"),
        ("launcher", "/v1/launcher/token-requests"),
    ],
)
@pytest.mark.alike
async def test_a_revoked_key_gets_nothing_that_it_has_waited_for(
    database: NewDatabase, scope: str, path: str
) -> None:
    clock = Clock()
    async with open_gateway(database, clock=clock) as gateway:
        key = await create(gateway, scope=scope)

        async def poll(seconds: int) -> Json:
            claim = {"launcherId": "l9", "waitSeconds": seconds}
            claim |= {"providers": [PROVIDER], "capacity": 1} if path.endswith("claim") else {}
            asked = {"json": claim} if scope == "launcher" else {"params": {"wait": seconds}}
            method = "POST" if scope == "launcher" else "GET"
            answer = await gateway.http.request(method, path, headers=bearer(key), **asked)
            found: Json = answer.json()
            return found

        assert "code" not in await poll(0)
        waiting = asyncio.create_task(poll(30))
        await gateway.post(f"/v1/keys/{key['id']}/revoke", scope="ops")
        clock.now += REMEMBER_MS
        await gateway.create()
        context_of({"app": gateway.app}).notifier.notify_all()
        assert (await waiting).get("code") == "unauthorized"


async def test_past_its_end_a_key_is_told_so(database: NewDatabase) -> None:
    clock = Clock()
    async with open_gateway(database, clock=clock) as gateway:
        key = await create(gateway, scope="read", expiresAt=rfc3339(clock.now + 60_000))
        assert (await gateway.http.get("/v1/status", headers=bearer(key))).status_code == 200
        clock.now += 60_000
        refused = await gateway.http.get("/v1/status", headers=bearer(key))
        assert (refused.status_code, refused.json()["code"]) == (401, "key_expired")
        assert "slipgate keys create" in refused.json()["hint"]


async def test_the_last_use_of_a_key_becomes_known(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        key = await create(gateway, scope="read")
        assert (await listed(gateway, key))["lastUsedAt"] is None
        await gateway.http.get("/v1/status", headers=bearer(key))
        context = context_of({"app": gateway.app})
        uses = {key["id"]: context.keys.uses[key["id"]]}
        await context.submit(NoteKeyUses(uses=uses))
        assert (await listed(gateway, key))["lastUsedAt"] == rfc3339(uses[key["id"]])


async def test_the_last_ops_key_needs_force_to_revoke_itself(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        key = await create(gateway, scope="ops")
        found = (await gateway.get("/v1/keys", "ops")).json()["data"]
        for other in found:
            if other["scope"] == "ops" and other["id"] != key["id"]:
                path = f"/v1/keys/{other['id']}/revoke"
                await gateway.http.post(path, headers=bearer(key))
        own = f"/v1/keys/{key['id']}/revoke"
        refused = await gateway.http.post(own, headers=bearer(key))
        assert (refused.status_code, refused.json()["code"]) == (409, "last_ops_key")
        forced = await gateway.http.post(own, json={"force": True}, headers=bearer(key))
        assert forced.status_code == 200


async def test_the_audit_log_names_who_did_what_newest_first(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        key = await create(gateway, scope="tasks")
        task = (await gateway.http.post("/v1/tasks", json=TASK, headers=bearer(key))).json()
        await gateway.http.post(f"/v1/tasks/{task['id']}/cancel", headers=bearer(key))
        actor = f"key:{key['id']}"
        log = (await gateway.get(f"/v1/audit?actor={actor}", "ops")).json()["data"]
        first = (await gateway.get("/v1/audit?limit=1", "ops")).json()
        following = f"/v1/audit?limit=1&cursor={first['nextCursor']}"
        second = (await gateway.get(following, "ops")).json()
        later = f"/v1/audit?after={log[0]['at']}"
        assert (await gateway.get(later, "ops")).json()["data"] == []
    assert [(one["action"], one["target"], one["project"]) for one in log] == [
        ("task.cancelled", task["id"], "default"),
        ("task.created", task["id"], "default"),
    ]
    assert [*first["data"], *second["data"]] == log


async def test_changes_of_endpoints_are_audited_without_secrets(database: NewDatabase) -> None:
    wanted: Json = {"url": "https://app.example/hook?token=hidden", "headers": {"X-A": "hidden"}}
    async with open_gateway(database) as gateway:
        endpoint = (await gateway.post("/v1/endpoints", wanted, "ops")).json()
        path = f"/v1/endpoints/{endpoint['id']}"
        await gateway.send("PATCH", path, {"headers": {"X-B": "hidden"}}, "ops")
        secret = (await gateway.post(f"{path}/rotate-secret", scope="ops")).json()["secret"]
        for verb in ("disable", "disable", "enable"):
            await gateway.post(f"{path}/{verb}", scope="ops")
        await gateway.send("DELETE", path, None, "ops")
        log = await gateway.get("/v1/audit", "ops")
    actions = [one["action"] for one in reversed(log.json()["data"]) if "endpoint" in one["action"]]
    assert actions == [
        "endpoint.created",
        "endpoint.updated",
        "endpoint.secret_rotated",
        "endpoint.disabled",
        "endpoint.enabled",
        "endpoint.deleted",
    ]
    assert "hidden" not in log.text
    assert secret not in log.text
