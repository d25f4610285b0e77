"""Commands beside the installation sign with the gateway's own callback secret."""

import base64
from pathlib import Path
from typing import Final

import pytest

from gateway.cli.deliveries.endpoints import secret_of
from gateway.cli.local.state import State
from gateway.cli.operations.minting import callback_secret_here, callback_secret_of, mint
from gateway.cli.webhook.listen_forward import signing_secrets

KEYS: Final = f"k1:{base64.b64encode(b'm' * 32).decode()}"


@pytest.fixture
def kept(tmp_path: Path) -> State:
    """The state folder of `up`."""
    state = State(tmp_path / ".slipgate")
    state.master_keys()
    return state


def test_forwarding_signs_with_the_callback_secret_of_the_keys_project(
    kept: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"SLIPGATE_DATABASE_URL": kept.database_url}
    minted = mint(environ, "tasks", "default", "up")
    monkeypatch.delenv("SLIPGATE_WEBHOOK_SECRET", raising=False)
    monkeypatch.setenv("SLIPGATE_API_KEY", minted.key)
    assert callback_secret_of(environ, minted.key) == minted.callback_secret
    assert [secret.text for secret in signing_secrets(kept, None)] == [minted.callback_secret]


def test_commands_in_the_folder_of_up_have_that_one_secret(
    kept: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"SLIPGATE_DATABASE_URL": kept.database_url}
    minted = mint(environ, "tasks", "default", "up")
    for name in ("SLIPGATE_WEBHOOK_SECRET", "SLIPGATE_API_KEY", "SLIPGATE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(kept.folder.parent)
    assert callback_secret_here(kept) is None
    with kept.connection("http://127.0.0.1:8700", mint(environ, "ops", "default", "up").key):
        assert callback_secret_here(kept) == minted.callback_secret
        assert secret_of(None, "default", None) == minted.callback_secret
        assert secret_of(None, "default", "acme") is None
        assert [secret.text for secret in signing_secrets(kept, None)] == [minted.callback_secret]


def test_a_key_of_another_installation_gets_a_secret_of_its_own(
    kept: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"SLIPGATE_DATABASE_URL": kept.database_url}
    minted = mint(environ, "tasks", "default", "up")
    monkeypatch.delenv("SLIPGATE_WEBHOOK_SECRET", raising=False)
    monkeypatch.setenv("SLIPGATE_API_KEY", f"slip_tasks_{'x' * 43}")
    (made,) = signing_secrets(kept, None)
    assert made.text != minted.callback_secret
    assert [secret.text for secret in signing_secrets(kept, None)] == [made.text]
