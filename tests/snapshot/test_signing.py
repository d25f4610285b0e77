"""The snapshot signs as the vectors say that everybody does."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path

import msgspec
import pytest
from standardwebhooks import Webhook

from gateway.wire import receipts
from gateway.wire.signing import secret_bytes
from snapshot.runner.reporting.signing import Signer
from snapshot.runner.reporting.signing import canonical as canonical_here
from snapshot.runner.variables import Secret

FILE = Path(__file__).resolve().parents[1] / "vectors" / "signing.json"


class SignedMessage(msgspec.Struct):
    """One message and its signature."""

    name: str
    secret: str
    id: str
    timestamp: int
    body: str
    signature: str


class AttemptKey(msgspec.Struct, rename="camel"):
    """A master key and what becomes of it for one attempt."""

    master_key: str
    task_id: str
    attempt: int
    secret: str


class SignedReceipts(msgspec.Struct, rename="camel"):
    """The receipts of an attempt, their canonical form and its signature."""

    name: str
    secret: str
    task_id: str
    attempt: int
    validation: object
    canonical: str
    signature: str


class Vectors(msgspec.Struct):
    """The file both sides are held against."""

    attempts: list[AttemptKey]
    messages: list[SignedMessage]
    receipts: list[SignedReceipts]


VECTORS = msgspec.json.decode(FILE.read_bytes(), type=Vectors)


@pytest.mark.parametrize("vector", VECTORS.messages, ids=lambda vector: vector.name)
def test_a_message_has_the_signature_of_its_vector(vector: SignedMessage) -> None:
    signer = Signer(Secret(vector.secret))
    body = vector.body.encode()
    assert signer.sign(vector.id, vector.timestamp, body) == vector.signature
    assert signer.is_ours(vector.id, vector.timestamp, body, vector.signature)
    assert not signer.is_ours(vector.id, vector.timestamp + 1, body, vector.signature)
    assert not signer.is_ours(vector.id, vector.timestamp, body + b" ", vector.signature)


@pytest.mark.parametrize("vector", VECTORS.receipts, ids=lambda vector: vector.name)
def test_receipts_have_the_signature_of_their_vector(vector: SignedReceipts) -> None:
    signer = Signer(Secret(vector.secret))
    of_attempt = (vector.task_id, vector.attempt, vector.validation)
    assert signer.sign_receipts(*of_attempt) == vector.signature
    key = secret_bytes(vector.secret)
    for canonical in (canonical_here, receipts.canonical):
        assert canonical(vector.validation) == vector.canonical.encode()
    assert receipts.is_signed(key, *of_attempt, vector.signature)
    assert not receipts.is_signed(key, vector.task_id, 2, vector.validation, vector.signature)
    mac = hmac.digest(
        key,
        f"receipts.{vector.task_id}.{vector.attempt}.{vector.canonical}".encode(),
        hashlib.sha256,
    )
    assert vector.signature == f"v1,{base64.b64encode(mac).decode()}", "as the documentation says"


def test_the_reference_library_accepts_our_signature() -> None:
    vector = VECTORS.messages[0]
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(time.time()))}
    body = json.dumps({"type": "task.started"}).encode()
    signature = Signer(Secret(vector.secret)).sign("msg_1", int(headers["webhook-timestamp"]), body)
    Webhook(vector.secret).verify(body, {**headers, "webhook-signature": signature})


@pytest.mark.parametrize("vector", VECTORS.attempts, ids=lambda vector: str(vector.attempt))
def test_the_vectors_attempt_keys_are_made_as_the_contract_says(vector: AttemptKey) -> None:
    master = base64.b64decode(vector.master_key)
    mac = hmac.digest(master, f"{vector.task_id}.{vector.attempt}".encode(), hashlib.sha256)
    assert vector.secret == "whsec_" + base64.b64encode(mac).decode()


@pytest.mark.parametrize("text", ["whsec_***", "whsec_", "whsec_a"])
def test_a_secret_that_is_none_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="'whsec_' and base64") as caught:
        Signer(Secret(text))
    assert "***" not in str(caught.value)
    assert text not in repr(Secret(text))
