"""`standardwebhooks` and `svix` take what we sign, and we take what they sign."""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Union

import pytest
import standardwebhooks
from hypothesis import given

from gateway.wire.signing import (
    STANDARD,
    SVIX,
    MalformedHeaders,
    SignedHeaders,
    secret_bytes,
    sign,
)
from tests.interop.messages import MESSAGES, SECRET, Message, fresh, published

if TYPE_CHECKING:
    import svix.webhooks

Library = Callable[[str], Union[standardwebhooks.Webhook, "svix.webhooks.Webhook"]]


def _svix(secret: str) -> "svix.webhooks.Webhook":
    import svix.webhooks  # noqa: PLC0415 - takes a second

    return svix.webhooks.Webhook(secret)


LIBRARIES: Final = [
    pytest.param(standardwebhooks.Webhook, id="standardwebhooks"),
    pytest.param(_svix, id="svix"),
]


def _signed_by(library: Library, message: Message) -> Mapping[str, str]:
    moment = datetime.fromtimestamp(message.timestamp, UTC)
    signature = library(message.secret).sign(message.id, moment, message.body)
    return dict(zip(STANDARD, (message.id, str(message.timestamp), signature), strict=True))


def _is_ours(headers: Mapping[str, str], message: Message) -> bool:
    parsed = SignedHeaders.parse(headers)
    return parsed.is_signed_by(secret_bytes(message.secret), message.body.encode())


@pytest.mark.parametrize("library", LIBRARIES)
def test_they_take_what_we_sign(library: Library) -> None:
    message = fresh('{"type":"task.completed","ü":"✓"}')
    library(SECRET).verify(message.body.encode(), message.signed)


@pytest.mark.parametrize("library", LIBRARIES)
@given(message=MESSAGES)
def test_both_make_the_same_signature(library: Library, message: Message) -> None:
    theirs = _signed_by(library, message)
    assert theirs == message.signed
    assert _is_ours(theirs, message)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("message", published(), ids=lambda message: message.id[-6:])
def test_all_agree_on_the_published_vectors(library: Library, message: Message) -> None:
    theirs = _signed_by(library, message)
    assert theirs["webhook-signature"] == message.signature
    assert message.signed["webhook-signature"] == message.signature
    assert _is_ours(theirs, message)


@pytest.mark.parametrize("library", LIBRARIES)
def test_they_take_what_two_secrets_have_signed(library: Library) -> None:
    message = fresh()
    old = sign(b"o" * 32, message.id, message.timestamp, message.body.encode())
    both = {**message.signed, "webhook-signature": f"{old} {message.signed['webhook-signature']}"}
    library(SECRET).verify(message.body, both)
    assert _is_ours(both, message)


def test_svix_takes_the_names_that_it_had_before_the_standard() -> None:
    message = fresh()
    headers = dict(zip(SVIX, message.signed.values(), strict=True))
    _svix(SECRET).verify(message.body, headers)
    assert SignedHeaders.parse(headers, SVIX).is_signed_by(
        secret_bytes(SECRET), message.body.encode()
    )


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("seconds", [-320, 320], ids=["late", "early"])
def test_nobody_takes_what_is_out_of_time(library: Library, seconds: int) -> None:
    message = Message(
        secret=SECRET, id="evt_1", timestamp=int(time.time()) + seconds, body='{"type":"t"}'
    )
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        library(SECRET).verify(message.body, message.signed)
    assert not SignedHeaders.parse(message.signed).is_timely(time.time())


@pytest.mark.parametrize(
    "signature", ["v1", "v1,a", "v1,=", "v1,ü", "", ","], ids=lambda text: text or "empty"
)
def test_where_the_reference_breaks_we_have_one_error(signature: str) -> None:
    with pytest.raises(MalformedHeaders):
        SignedHeaders.parse({**fresh().signed, "webhook-signature": signature})
