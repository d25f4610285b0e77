"""Whatever stands in the webhook headers: their one error, or a message that only its key signs."""

import base64
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.signing import (
    MalformedHeaders,
    SignedHeaders,
    secret_bytes,
    secret_text,
    sign,
)

SECRET: Final = b"s" * 32
BODY: Final = b'{"type": "task.heartbeat"}'
NAMES: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
RIGHT: Final = dict(
    zip(NAMES, ("msg_1", "1790000000", sign(SECRET, "msg_1", 1790000000, BODY)), strict=True)
)
LATIN: Final = st.text(st.characters(max_codepoint=255), max_size=80)
"""Header values as a server can decode them."""
BITS: Final = 8 * 32


def parsed(headers: dict[str, str]) -> SignedHeaders | None:
    """The headers; None: they are malformed."""
    try:
        return SignedHeaders.parse(headers)
    except MalformedHeaders:
        return None


@given(st.dictionaries(st.sampled_from(NAMES), LATIN | st.sampled_from(list(RIGHT.values()))))
def test_invented_headers_are_never_signed(headers: dict[str, str]) -> None:
    if headers != RIGHT:
        found = parsed(headers)
        assert found is None or not found.is_signed_by(SECRET, BODY)


@given(st.sampled_from(["", "v1,", "v1a,", "v2,", ",", "v1"]), LATIN)
def test_a_signature_of_another_form_is_none(version: str, text: str) -> None:
    found = parsed({**RIGHT, "webhook-signature": f"{version}{text}"})
    assert found is None or not found.is_signed_by(SECRET, BODY)


@given(st.integers(0, BITS - 1))
def test_a_signature_with_a_flipped_bit_is_none(bit: int) -> None:
    mac = bytearray(base64.b64decode(RIGHT["webhook-signature"].partition(",")[2]))
    mac[bit // 8] ^= 1 << bit % 8
    flipped = f"v1,{base64.b64encode(mac).decode()}"
    found = parsed({**RIGHT, "webhook-signature": flipped})
    assert found is not None
    assert not found.is_signed_by(SECRET, BODY)


@given(st.integers(0, BITS // 8 - 1))
def test_a_part_of_a_signature_is_none(length: int) -> None:
    mac = base64.b64decode(RIGHT["webhook-signature"].partition(",")[2])[:length]
    part = f"v1,{base64.b64encode(mac).decode()}"
    found = parsed({**RIGHT, "webhook-signature": part})
    assert found is None or not found.is_signed_by(SECRET, BODY)


@given(st.lists(LATIN.filter(lambda text: " " not in text), max_size=10), st.integers(0, 10))
def test_the_right_signature_is_found_among_others(others: list[str], place: int) -> None:
    entries = [*others[:place], RIGHT["webhook-signature"], *others[place:]]
    found = parsed({**RIGHT, "webhook-signature": " ".join(entries)})
    assert found is None or found.is_signed_by(SECRET, BODY)


@given(
    st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: base64.b64encode(raw).decode())
)
def test_a_secret_is_read_or_refused_as_a_value(text: str) -> None:
    try:
        secret = secret_bytes(f"whsec_{text}")
    except ValueError:
        return
    assert len(secret) >= 24


IDS: Final = st.from_regex(r"[A-Za-z0-9_\-]{1,128}", fullmatch=True)
MOMENTS: Final = st.integers(0, 10**12 - 1)
KEYS: Final = st.binary(min_size=24, max_size=64)


@given(KEYS, IDS, MOMENTS, st.binary())
def test_whatever_is_signed_is_read_as_it_was(
    key: bytes, message_id: str, moment: int, body: bytes
) -> None:
    texts = (message_id, str(moment), sign(key, message_id, moment, body))
    found = SignedHeaders.parse(dict(zip(NAMES, texts, strict=True)))
    assert (found.id, found.timestamp) == (message_id, moment)
    assert found.is_signed_by(key, body)
    assert not found.is_signed_by(key, body + b".")
    assert not found.is_signed_by(key + b"\x01", body)


@given(
    st.tuples(IDS, MOMENTS, st.binary(max_size=40)), st.tuples(IDS, MOMENTS, st.binary(max_size=40))
)
def test_two_messages_never_share_a_signature(
    one: tuple[str, int, bytes], two: tuple[str, int, bytes]
) -> None:
    assert (sign(SECRET, *one) == sign(SECRET, *two)) == (one == two)


@given(IDS, MOMENTS, st.binary(max_size=40), st.data())
def test_no_border_between_what_is_signed_can_be_moved(
    message_id: str, moment: int, body: bytes, data: st.DataObject
) -> None:
    content = f"{message_id}.{moment}.".encode() + body
    cuts = [at for at, byte in enumerate(content) if byte == ord(".")]
    one, two = sorted((data.draw(st.sampled_from(cuts)), data.draw(st.sampled_from(cuts))))
    texts = (content[:one], content[one + 1 : two], sign(SECRET, message_id, moment, body).encode())
    moved = {name: text.decode("latin-1") for name, text in zip(NAMES, texts, strict=True)}
    found = parsed(moved)
    if found is not None and found.is_signed_by(SECRET, content[two + 1 :]):
        assert (found.id, found.timestamp) == (message_id, moment)


@given(st.integers(0, 10**12 - 1), st.integers(1, 4))
def test_a_moment_has_one_way_to_be_written(moment: int, zeros: int) -> None:
    assert parsed({**RIGHT, "webhook-timestamp": str(moment)}) is not None
    assert parsed({**RIGHT, "webhook-timestamp": "0" * zeros + str(moment)}) is None


@given(KEYS)
def test_a_secret_is_read_as_it_was_written(key: bytes) -> None:
    assert secret_bytes(secret_text(key)) == key
