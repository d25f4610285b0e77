"""Errors of Daytona in every form that its API, its CLI and what stands before them give them."""

import pytest

from launcher.providers.protocol import Provider, ProviderError
from tests.daytona.faults import Fault
from tests.daytona.organisation import Habits
from tests.launcher.daytona.world import World
from tests.launcher.jobs import KEY, a_spec


def _of_api(status: int, message: object, **more: object) -> Fault:
    body = {"statusCode": status, "message": message, **more}
    return Fault(kind="status", status=status, body=body)


SUSPENDED = "provider_suspended"
REFUSED = [
    (
        _of_api(400, ["name is too long", "env is no object"], error="Bad Request"),
        "provider_refused",
        "name is too long",
    ),
    (
        _of_api(400, "Snapshot x is inactive", code="BAD_REQUEST", source="DAYTONA_API"),
        "snapshot_inactive",
        "--activate",
    ),
    (
        _of_api(400, "Disk request 20GB exceeds maximum allowed per non-ephemeral sandbox (10GB)."),
        "provider_quota",
        "snapshot wants more",
    ),
    (_of_api(401, None, error="Unauthorized"), "provider_auth", "DAYTONA_API_KEY"),
    (_of_api(402, "Depleted credits", error="Payment Required"), SUSPENDED, "Depleted credits"),
    (
        Fault(kind="status", status=403, body={"error": "Forbidden"}),
        "provider_auth",
        "write:sandboxes",
    ),
    (_of_api(403, "Organization is suspended"), SUSPENDED, "suspended"),
    (_of_api(403, "Your account has been suspended", error="Forbidden"), SUSPENDED, "suspended"),
    (
        _of_api(404, "Region with ID eu not found", error="Not Found"),
        "provider_refused",
        "DAYTONA_TARGET",
    ),
    (
        _of_api(404, "Cannot POST /v1/sandbox", error="Not Found"),
        "provider_refused",
        "DAYTONA_API_URL",
    ),
    (_of_api(422, None, error="Unprocessable Entity"), "provider_refused", "take it"),
]


async def test_a_permanent_error_is_known_in_every_form_of_its_body(
    world: World, provider: Provider
) -> None:
    for fault, code, text in REFUSED:
        world.api.faults.plan("POST /sandbox", fault)
        with pytest.raises(ProviderError) as refused:
            await provider.create(a_spec())
        error = refused.value
        assert (error.code, error.retryable) == (code, False), fault
        assert text in error.message, fault
    assert world.alive == []


TRANSIENT = [
    (_of_api(400, "GPU quota exceeded. Maximum allowed: 0."), "provider_quota"),
    (_of_api(400, "No available runners", error="Bad Request"), "provider_unavailable"),
    (_of_api(409, [], error="Conflict"), "provider_unavailable"),
    (_of_api(423, "The sandbox is locked", error="Locked"), "provider_unavailable"),
    (_of_api(429, "ThrottlerException: Too Many Requests"), "provider_quota"),
    (
        _of_api(503, 'It is "down"\tfor now\nplease wait', error="Service Unavailable"),
        "provider_unavailable",
    ),
    (Fault(kind="status", status=500, body="boom"), "provider_unavailable"),
    (Fault(kind="html", status=404), "provider_unavailable"),
    (Fault(kind="html", status=403), "provider_unavailable"),
]


async def test_any_other_error_may_go_away(world: World, provider: Provider) -> None:
    for fault, code in TRANSIENT:
        world.api.faults.plan("POST /sandbox", fault)
        with pytest.raises(ProviderError) as failed:
            await provider.create(a_spec())
        assert (failed.value.code, failed.value.retryable) == (code, True), fault
    assert world.alive == []


NOT_ABOUT_IT = [
    Fault(kind="html", status=404),
    _of_api(404, "Cannot GET /sandbox/x", error="Not Found"),
    _of_api(404, "Organization with ID 7 not found", error="Not Found"),
    _of_api(404, "Cannot DELETE /sandbox/x"),
]


async def test_a_404_that_is_not_about_the_sandbox_does_not_say_that_it_is_gone(
    world: World, provider: Provider
) -> None:
    made = await provider.create(a_spec())
    for fault in NOT_ABOUT_IT:
        for call in ("find", "remove"):
            world.api.faults.plan("GET /sandbox/{name}", fault)
            with pytest.raises(ProviderError):
                await getattr(provider, call)(made.key if call == "find" else KEY)
    assert len(world.alive) == 1
    await provider.remove(made.key)
    assert await provider.find(made.key) is None


async def test_a_region_that_keeps_no_stopped_sandbox_is_not_asked_to(
    world: World, provider: Provider
) -> None:
    world.api.organisation.habits = Habits(is_ephemeral_only=True, max_lifespan_minutes=60)
    made = await provider.create(a_spec())
    settings = world.api.organisation.find(made.id).settings
    assert (settings["autoDeleteInterval"], settings.get("ttlMinutes")) == (0, None)
    assert world.api.faults.calls.count("POST /sandbox") == 3


LIFESPANS = [
    _of_api(400, "Sandbox duration must not exceed 60 minutes", error="Bad Request"),
    _of_api(400, "The requested expiration is too far away", error="Bad Request"),
    _of_api(400, ["max age of a sandbox: 60"], error="Bad Request"),
    _of_api(422, "Maximum life of a sandbox is 1 h", error="Unprocessable Entity"),
    _of_api(400, "maximum run time exceeded", code="LIMIT"),
    _of_api(400, "See maxSandboxLifespanMinutes"),
]


async def test_a_lifespan_is_refused_in_many_words(world: World, provider: Provider) -> None:
    for fault in LIFESPANS:
        world.api.faults.plan("POST /sandbox", fault)
        made = await provider.create(a_spec())
        assert "ttlMinutes" not in world.api.organisation.find(made.id).settings, fault
        await provider.remove(made.key)
