"""The first keys of an installation, from files: made once, by one of many."""

import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from gateway.bootstrap import create_first_keys
from gateway.cli.local.processes import wait_for
from gateway.domain.kernel.errors import ApiError
from gateway.domain.operations.key_commands import RevokeKey
from gateway.settings import Settings, read_settings
from gateway.store.administration import open_operator
from gateway.wire.environment import SettingsError
from gateway.wire.secret_files import make_master_key
from tests.app.processes import MASTER, gateway_process
from tests.forks.children import gateway_child
from tests.stores import NewDatabase

CLAIM = {"launcherId": "l-1", "providers": ["local"], "capacity": 1, "waitSeconds": 0}
KEY = f"slip_ops_{'A' * 43}"


def settings_of(database: NewDatabase, folder: Path) -> Settings:
    return read_settings(
        {
            "SLIPGATE_SECRET_KEYS": MASTER,
            "SLIPGATE_DATABASE_URL": database.url,
            "SLIPGATE_BOOTSTRAP_KEY_FILE": str(folder / "ops"),
        }
    )


def test_a_gateway_makes_keys_that_open_it_and_writes_them_into_no_log(
    tmp_path: Path, database: NewDatabase
) -> None:
    ops, launcher, master = (tmp_path / name for name in ("ops", "launcher", "master"))
    files = {
        "SLIPGATE_BOOTSTRAP_KEY_FILE": str(ops),
        "SLIPGATE_BOOTSTRAP_LAUNCHER_KEY_FILE": str(launcher),
        "SLIPGATE_SECRET_KEYS": "",
        "SLIPGATE_SECRET_KEYS_FILE": str(master),
    }
    with gateway_process(tmp_path, files, database=database) as (child, url, _):
        secrets = [file.read_text() for file in (ops, launcher, master)]
        with httpx.Client(base_url=url, trust_env=False) as http:
            for key, method, path, body in (
                (secrets[0], "GET", "/v1/keys", None),
                (secrets[1], "POST", "/v1/launcher/claim", CLAIM),
            ):
                headers = {"authorization": f"Bearer {key}"}
                assert http.request(method, path, json=body, headers=headers).status_code == 200
        child.stop()
        child.start()
        assert [file.read_text() for file in (ops, launcher, master)] == secrets
    log = (tmp_path / "gateway.log").read_text()
    assert log.count("gateway.first_key_created") == 2
    assert not [secret for secret in secrets if secret in log]
    assert {stat.S_IMODE(file.stat().st_mode) for file in (ops, launcher, master)} == {0o600}


def test_of_many_gateways_at_once_one_makes_the_key(tmp_path: Path, database: NewDatabase) -> None:
    settings = settings_of(database, tmp_path)
    with open_operator(settings.database) as operator:
        assert operator.all_keys() == []
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(create_first_keys, settings) for _ in range(8)]:
            done.result()
    with open_operator(settings.database) as operator:
        (key,) = operator.all_keys()
        assert (key.scope, key.project, key.name) == ("ops", "default", "bootstrap")
        assert operator.callback_secret("default") is not None
    assert [file.name for file in tmp_path.iterdir() if "ops" in file.name] == ["ops"]


def test_a_revoked_key_is_not_made_again_and_another_in_its_file_is(
    tmp_path: Path, database: NewDatabase
) -> None:
    settings = settings_of(database, tmp_path)
    (tmp_path / "ops").write_text(f"{KEY}\n")
    create_first_keys(settings)
    with open_operator(settings.database) as operator:
        (first,) = operator.all_keys()
        operator.submit(RevokeKey(key_id=first.id), 2_000)
    create_first_keys(settings)
    with open_operator(settings.database) as operator:
        assert [key.revoked_at for key in operator.all_keys()] == [2_000]
    (tmp_path / "ops").write_text(KEY.replace("A", "B"))
    create_first_keys(settings)
    with open_operator(settings.database) as operator:
        assert sorted(key.revoked_at is None for key in operator.all_keys()) == [False, True]


@pytest.mark.alike
@pytest.mark.parametrize(
    "text",
    ["", "hunter2", KEY.replace("ops", "tasks"), f"{KEY}\n{KEY}", KEY[:-1]],
    ids=["empty", "no key", "another scope", "two", "too short"],
)
def test_a_file_that_holds_no_key_is_refused_without_showing_it(
    tmp_path: Path, database: NewDatabase, text: str
) -> None:
    (tmp_path / "ops").write_text(text)
    with pytest.raises(ApiError, match="does not hold a key of scope ops") as caught:
        create_first_keys(settings_of(database, tmp_path))
    shown = f"{caught.value.detail} {caught.value.hint}"
    assert not [line for line in text.splitlines() if line in shown]
    with open_operator(database.location) as operator:
        assert operator.all_keys() == []


@pytest.mark.alike
def test_a_file_that_is_missing_and_cannot_be_made_is_refused(
    tmp_path: Path, database: NewDatabase
) -> None:
    file = tmp_path / "missing" / "ops"
    settings = replace(settings_of(database, tmp_path), bootstrap_key_file=file)
    with pytest.raises(ApiError, match="can be neither read nor made: No such file"):
        create_first_keys(settings)
    with pytest.raises(SettingsError, match="SECRET_KEYS_FILE can be neither read nor made"):
        make_master_key({"SLIPGATE_SECRET_KEYS_FILE": str(file)})
    with pytest.raises(SettingsError, match="SECRET_KEYS_FILE cannot be read: No such file"):
        read_settings({"SLIPGATE_SECRET_KEYS_FILE": str(file)})


def test_another_master_key_than_that_of_the_database_is_refused(
    tmp_path: Path, database: NewDatabase
) -> None:
    """A volume of keys that was lost must not look like a first start."""
    lost = {"SLIPGATE_SECRET_KEYS": "", "SLIPGATE_SECRET_KEYS_FILE": str(tmp_path / "master")}
    with gateway_process(tmp_path, lost, database=database) as (child, _, environ):
        child.stop()
        (tmp_path / "master").write_text(f"k1:{base64.b64encode(b'2' * 32).decode()}")
        with gateway_child(environ, tmp_path / "second.log") as second:
            wait_for(lambda: second.exit_code is not None, "it to be refused", second, 60)
        assert second.exit_code == 1
        assert "gives another master key under the id k1" in second.tail()
