"""Signatures of Svix and GitHub by their published vectors, and under every mutation."""

import hashlib
import hmac
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.decode import WrongShape, decode
from gateway.wire.signing import STANDARD, SVIX, MalformedHeaders, SignedHeaders, secret_bytes
from gateway.wire.sources import HubHeaders, PullRequestEvent, SandboxEvent
from tests.hostile import RAW

# Svix: server/svix-server/src/worker.rs, its own test.
SECRET: Final = secret_bytes("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
BODY: Final = b'{"test": 2432232314}'
SIGNED: Final = {
    "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "svix-timestamp": "1614265330",
    "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}
# GitHub: "Validating webhook deliveries", Testing the webhook payload validation.
HUB_SECRET: Final = b"It's a Secret to Everybody"
HUB_BODY: Final = b"Hello, World!"
HUB_SIGNED: Final = {
    "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
    "x-github-event": "ping",
    "x-hub-signature-256": "sha256="
    "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
}
HEADER: Final = st.text(st.characters(max_codepoint=255), max_size=80)


def test_the_vector_of_svix_is_right() -> None:
    signed = SignedHeaders.parse(SIGNED, SVIX)
    assert signed.is_signed_by(SECRET, BODY)
    assert not signed.is_signed_by(SECRET, BODY + b" ")
    assert (signed.is_timely(1614265630), signed.is_timely(1614265631)) == (True, False)


def test_the_vector_of_github_is_right() -> None:
    signed = HubHeaders.parse(HUB_SIGNED)
    assert signed.is_signed_by(HUB_SECRET, HUB_BODY)
    assert not signed.is_signed_by(HUB_SECRET, HUB_BODY + b" ")


def test_one_name_of_headers_is_not_the_other() -> None:
    with pytest.raises(MalformedHeaders, match="webhook-id"):
        SignedHeaders.parse(SIGNED, STANDARD)


@given(st.dictionaries(st.sampled_from(sorted(SIGNED)), HEADER, min_size=1), st.binary())
def test_no_other_headers_are_signed_by_svix(changed: dict[str, str], body: bytes) -> None:
    try:
        signed = SignedHeaders.parse(SIGNED | changed, SVIX)
    except MalformedHeaders:
        return
    assert not signed.is_signed_by(SECRET, body)


@given(HEADER, st.binary())
def test_no_other_signature_is_githubs(signature: str, body: bytes) -> None:
    try:
        signed = HubHeaders.parse(HUB_SIGNED | {"x-hub-signature-256": signature})
    except MalformedHeaders:
        return
    mac = hmac.new(HUB_SECRET, body, hashlib.sha256).hexdigest()
    assert signed.is_signed_by(HUB_SECRET, body) == (signature == f"sha256={mac}")


@pytest.mark.parametrize("kind", [SandboxEvent, PullRequestEvent])
@given(body=st.binary() | st.sampled_from([text.encode() for text in RAW]))
def test_any_body_is_read_or_refused_by_name(
    kind: type[SandboxEvent | PullRequestEvent], body: bytes
) -> None:
    told: SandboxEvent | PullRequestEvent | str
    try:
        told = decode(kind, body)
    except WrongShape as exc:
        told = exc.code
    assert told in {"invalid_json", "invalid_request"} or isinstance(told, kind)
