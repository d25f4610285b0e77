"""The master keys, and the keys and tokens derived from them.

Sources: RFC 5869 (HKDF), NIST SP 800-38D (AES-GCM), `lifecycle.md` § Master keys. Only attempt
keys are derived directly from a master key; HKDF separates every other purpose.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.domain.kernel.sealing import Sealed

Purpose = Literal[
    "encrypt", "hook", "stream", "cursor", "callback", "idempotency", "fingerprint", "csrf"
]

NONCE_BYTES: Final = 12
"""A nonce is random, never used twice with one key, and stored in front of the ciphertext."""
_HOOK: Final = b"slipgate/v1/hook"
_HOOK_TOKEN: Final = re.compile(r"([1-9][0-9]{0,8})\.[A-Za-z0-9_-]{43}")


class UnknownKey(Exception):
    """A row in use needs a master key that is not configured; the message is its id."""


class Unreadable(Exception):
    """A sealed value was changed, or belongs to another row."""


class Keyring:
    """Master keys by id; the first one is current. The repr hides the keys.

    Every method that takes a key id raises `UnknownKey` if that master key is not configured.
    """

    def __init__(self, masters: Mapping[str, bytes]) -> None:
        if not masters:
            raise ValueError("a keyring holds at least one master key")
        self._masters = dict(masters)
        self.current: Final = next(iter(masters))
        """The id of the key for new rows."""
        self._purpose = lru_cache(maxsize=256)(self._derive)
        self._attempt_key = lru_cache(maxsize=4096)(self._derive_attempt_key)
        self._attempt_texts = lru_cache(maxsize=4096)(self._derive_attempt_texts)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._masters)})"

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._masters

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the configured keys, the current one first."""
        return tuple(self._masters)

    def attempt_key(self, key_id: str, task_id: str, attempt: int) -> bytes:
        """The signing key of this attempt, derived from the key it was opened with."""
        return self._attempt_key(key_id, task_id, attempt)

    def attempt_keys(self, task_id: str, attempt: int) -> Iterator[tuple[str, bytes]]:
        """The attempt's key under every master key: a signature is verified before the attempt's
        own key id is read."""
        for key_id in self._masters:
            yield key_id, self.attempt_key(key_id, task_id, attempt)

    def attempt_texts(self, key_id: str, task_id: str, attempt: int) -> tuple[bytes, bytes]:
        """The attempt's secrets in the form in which a text would contain them: its key, and the
        end of its capability URL."""
        return self._attempt_texts(key_id, task_id, attempt)

    def purpose(self, key_id: str, name: Purpose) -> bytes:
        """The 32 bytes for one purpose: HKDF-SHA256 with info `slipgate/v1/<name>`."""
        return self._purpose(key_id, name)

    def fingerprint(self, key_id: str) -> bytes:
        """Identifies a master key; it may be stored in the clear."""
        return self.purpose(key_id, "fingerprint")

    def seal(self, plaintext: bytes, *, context: str, nonce: bytes) -> Sealed:
        """Encrypts with the current key; `context` is table|column|row id, `nonce` 12 random bytes.

        Raises:
            ValueError: the nonce has another length.
        """
        if len(nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce has {NONCE_BYTES} bytes")
        cipher = AESGCM(self.purpose(self.current, "encrypt"))
        sealed = cipher.encrypt(nonce, plaintext, context.encode())
        return Sealed(key_id=self.current, box=nonce + sealed)

    def open(self, sealed: Sealed, *, context: str) -> bytes:
        """Decrypts a value that was sealed in this context.

        Raises:
            Unreadable: it was changed, or moved here from another row.
        """
        cipher = AESGCM(self.purpose(sealed.key_id, "encrypt"))
        nonce, box = sealed.box[:NONCE_BYTES], sealed.box[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, box, context.encode())
        except (InvalidTag, ValueError) as exc:
            raise Unreadable(f"the sealed value of {context} cannot be opened") from exc

    def reseal(self, sealed: Sealed, context: str, nonce: bytes) -> Sealed:
        """The same value sealed with the current key; raises as `open` does."""
        return self.seal(self.open(sealed, context=context), context=context, nonce=nonce)

    def _master(self, key_id: str) -> bytes:
        if key_id not in self._masters:
            raise UnknownKey(key_id)
        return self._masters[key_id]

    def _derive_attempt_key(self, key_id: str, task_id: str, attempt: int) -> bytes:
        return hmac.digest(self._master(key_id), f"{task_id}.{attempt}".encode(), hashlib.sha256)

    def _derive_attempt_texts(self, key_id: str, task_id: str, attempt: int) -> tuple[bytes, bytes]:
        key = self.attempt_key(key_id, task_id, attempt)
        token = hook_token(attempt, key)
        return base64.b64encode(key).rstrip(b"="), token.partition(".")[2].encode()

    def _derive(self, key_id: str, name: Purpose) -> bytes:
        info = f"slipgate/v1/{name}".encode()
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(
            self._master(key_id)
        )


def hook_token(attempt: int, attempt_key: bytes) -> str:
    """The secret part of an attempt's capability URL: `<attempt>.<base64url of an HMAC>`."""
    mac = hmac.digest(attempt_key, _HOOK, hashlib.sha256)
    return f"{attempt}.{base64.urlsafe_b64encode(mac).decode('ascii').rstrip('=')}"


def hook_attempt(token: str) -> int | None:
    """The attempt that a capability token names; None if it has another form."""
    match = _HOOK_TOKEN.fullmatch(token)
    return int(match[1]) if match else None


def is_hook_token(token: str, attempt: int, attempt_key: bytes) -> bool:
    """True if the token belongs to the attempt; compared in constant time."""
    return hmac.compare_digest(token.encode(), hook_token(attempt, attempt_key).encode())
