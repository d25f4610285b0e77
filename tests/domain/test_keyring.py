"""Keys: what one of them signs or opens, and nothing else does."""

import base64
import hashlib
import hmac
from collections.abc import Callable

import pytest

from gateway.domain.kernel.keyring import (
    Keyring,
    UnknownKey,
    Unreadable,
    hook_attempt,
    hook_token,
    is_hook_token,
)
from gateway.domain.kernel.sealing import Sealed

NEW, OLD = b"n" * 32, b"o" * 40
NONCE = b"0123456789ab"
TASK = "task_01k00000000000000000000000"
CONTEXT = f"task_secrets|env|{TASK}"


@pytest.fixture
def keyring() -> Keyring:
    return Keyring({"k2": NEW, "k1": OLD})


def test_the_first_key_is_the_current_one(keyring: Keyring) -> None:
    assert keyring.current == "k2"
    assert keyring.ids == ("k2", "k1")
    assert "k1" in keyring
    assert "k0" not in keyring


def test_a_keyring_without_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Keyring({})


def test_no_key_is_shown(keyring: Keyring) -> None:
    assert repr(keyring) == "Keyring(k2, k1)"


def test_an_attempt_key_is_the_hmac_of_task_and_attempt(keyring: Keyring) -> None:
    expected = hmac.new(OLD, f"{TASK}.2".encode(), hashlib.sha256).digest()
    assert keyring.attempt_key("k1", TASK, 2) == expected


def test_every_attempt_and_every_master_key_gives_another_attempt_key(keyring: Keyring) -> None:
    keys = [key for attempt in (1, 2, 12) for _, key in keyring.attempt_keys(TASK, attempt)]
    assert len(set(keys)) == 6


def test_purposes_and_master_keys_are_separated(keyring: Keyring) -> None:
    derived = {
        keyring.purpose("k2", "encrypt"),
        keyring.purpose("k2", "stream"),
        keyring.purpose("k1", "encrypt"),
        NEW,
    }
    assert len(derived) == 4


def test_a_purpose_is_hkdf_with_an_empty_salt(keyring: Keyring) -> None:
    extracted = hmac.new(b"\0" * 32, NEW, hashlib.sha256).digest()
    expected = hmac.new(extracted, b"slipgate/v1/stream\x01", hashlib.sha256).digest()
    assert keyring.purpose("k2", "stream") == expected


def test_a_key_that_is_no_longer_given_is_named(keyring: Keyring) -> None:
    with pytest.raises(UnknownKey, match="k0"):
        keyring.attempt_key("k0", TASK, 1)
    with pytest.raises(UnknownKey, match="k0"):
        keyring.open(Sealed(key_id="k0", box=NONCE), context=CONTEXT)


def test_what_is_sealed_opens_again(keyring: Keyring) -> None:
    sealed = keyring.seal(b'{"TOKEN":"x"}', context=CONTEXT, nonce=NONCE)
    assert sealed.key_id == "k2"
    assert b"TOKEN" not in sealed.box
    assert keyring.open(sealed, context=CONTEXT) == b'{"TOKEN":"x"}'


def test_what_was_sealed_before_a_rotation_still_opens() -> None:
    sealed = Keyring({"k1": OLD}).seal(b"x", context=CONTEXT, nonce=NONCE)
    assert Keyring({"k2": NEW, "k1": OLD}).open(sealed, context=CONTEXT) == b"x"


@pytest.mark.parametrize(
    ("context", "change"),
    [
        pytest.param("task_secrets|env|task_other", lambda box: box, id="another row"),
        pytest.param(f"task_secrets|callback|{TASK}", lambda box: box, id="another column"),
        pytest.param(CONTEXT, lambda box: box[:-1] + bytes([box[-1] ^ 1]), id="a flipped bit"),
        pytest.param(CONTEXT, lambda _: b"short", id="a stump"),
        pytest.param(CONTEXT, lambda _: b"", id="nothing"),
    ],
)
def test_what_was_changed_or_moved_does_not_open(
    keyring: Keyring, context: str, change: Callable[[bytes], bytes]
) -> None:
    sealed = keyring.seal(b"secret", context=CONTEXT, nonce=NONCE)
    with pytest.raises(Unreadable):
        keyring.open(Sealed(key_id="k2", box=change(sealed.box)), context=context)


def test_a_nonce_of_another_length_is_refused(keyring: Keyring) -> None:
    with pytest.raises(ValueError, match="12 bytes"):
        keyring.seal(b"x", context=CONTEXT, nonce=b"short")


def test_a_capability_token_names_its_attempt_and_proves_its_key(keyring: Keyring) -> None:
    key = keyring.attempt_key("k2", TASK, 3)
    token = hook_token(3, key)
    mac = hmac.new(key, b"slipgate/v1/hook", hashlib.sha256).digest()
    assert token == "3." + base64.urlsafe_b64encode(mac).decode().rstrip("=")
    assert hook_attempt(token) == 3
    assert is_hook_token(token, 3, key)
    assert not is_hook_token(token, 3, keyring.attempt_key("k2", TASK, 4))
    assert not is_hook_token("3.é", 3, key)


@pytest.mark.parametrize(
    "token", ["", "3", "3.", "0." + "A" * 43, "03." + "A" * 43, "3." + "A" * 44]
)
def test_another_form_is_no_token(token: str) -> None:
    assert hook_attempt(token) is None
