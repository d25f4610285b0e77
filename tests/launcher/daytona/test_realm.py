"""The realm of Daytona's sandboxes, and the launcher's start with it."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from launcher.providers.factory import open_providers
from launcher.providers.protocol import ProviderError
from launcher.settings import read_settings
from tests.daytona.api import Api, opened
from tests.daytona.cli import install
from tests.daytona.machine import Machine
from tests.daytona.organisation import ORGANISATION, Organisation, Snapshot


@pytest_asyncio.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    organisation = Organisation(asyncio.get_running_loop().time)
    async with opened(Api(organisation=organisation, machine=Machine(tmp_path))) as made:
        yield made


async def _realms(tmp_path: Path, api: Api, providers: str, **more: str) -> list[str]:
    programs = tmp_path / "bin"
    programs.mkdir(exist_ok=True)
    install(programs, "0.190.0")
    environ = {
        "PATH": f"{programs}:{os.defpath}",
        "SLIPGATE_URL": "http://127.0.0.1:9",
        "SLIPGATE_API_KEY": "k",
        "SLIPGATE_PROVIDERS": providers,
        "SLIPGATE_LAUNCHER_STATE": str(tmp_path / "state"),
        "DAYTONA_API_KEY": "dtn_key",
        "DAYTONA_API_URL": api.url,
        **more,
    }
    async with open_providers(read_settings(environ), environ) as opened_:
        return [f"{each.name}@{each.realm}" for each in opened_]


@pytest.mark.parametrize("providers", ["daytona-api,daytona-cli", "daytona-cli"])
async def test_the_realm_is_the_address_and_the_organisation(
    tmp_path: Path, api: Api, providers: str
) -> None:
    api.organisation.add_snapshot(Snapshot(name="slipgate-agent-1"))
    host = api.url.removeprefix("http://").removesuffix("/api")
    assert await _realms(tmp_path, api, providers) == [
        f"{name}@{host}/{ORGANISATION}" for name in providers.split(",")
    ]


@pytest.mark.parametrize("provider", ["daytona-api", "daytona-cli"])
async def test_a_sandbox_names_the_organisation_too(
    tmp_path: Path, api: Api, provider: str
) -> None:
    api.organisation.create({"name": "anything"})
    (realm,) = await _realms(tmp_path, api, provider)
    assert realm.endswith(f"/{ORGANISATION}")


@pytest.mark.parametrize("provider", ["daytona-api", "daytona-cli"])
async def test_an_empty_organisation_needs_a_name_from_us(
    tmp_path: Path, api: Api, provider: str
) -> None:
    with pytest.raises(ProviderError, match="SLIPGATE_REALM"):
        await _realms(tmp_path, api, provider)
    named = await _realms(tmp_path, api, provider, SLIPGATE_REALM="ours")
    assert named == [f"{provider}@ours"]


async def test_a_key_that_names_its_organisation_needs_nothing_else(
    tmp_path: Path, api: Api
) -> None:
    api.tells_organisation = True
    (realm,) = await _realms(tmp_path, api, "daytona-api")
    assert realm.endswith(f"/{ORGANISATION}")
    assert api.faults.calls == ["GET /api-keys/current"]


@pytest.mark.parametrize("tells_scopes", [True, False])
async def test_an_api_before_v0_180_tells_its_realm_by_a_bare_array(
    tmp_path: Path, api: Api, tells_scopes: bool
) -> None:
    api.lists_all_at_once, api.tells_scopes = True, tells_scopes
    api.organisation.create({"name": "anything"})
    (realm,) = await _realms(tmp_path, api, "daytona-api")
    assert realm.endswith(f"/{ORGANISATION}")


async def test_a_wrong_key_ends_the_start_with_advice(tmp_path: Path, api: Api) -> None:
    with pytest.raises(ProviderError, match="Check DAYTONA_API_KEY"):
        await _realms(tmp_path, api, "daytona-api", DAYTONA_API_KEY="wrong")
