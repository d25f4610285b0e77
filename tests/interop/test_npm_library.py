"""`standardwebhooks` of npm takes what we sign, and signs what we take."""

from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.wire.signing import SignedHeaders, secret_bytes, sign
from tests.interop.messages import Message, fresh, published
from tests.interop.node import needs_node, project, run

pytestmark: Final = needs_node()


def _over(folder: Path, cases: list[tuple[Message, dict[str, str]]]) -> list[dict[str, Any]]:
    given = [
        {"secret": message.secret, "headers": headers, "body": message.body}
        for message, headers in cases
    ]
    found: list[dict[str, Any]] = msgspec.json.decode(
        run(project(folder), "library.mjs", msgspec.json.encode(given).decode())
    )
    return found


def test_it_takes_what_we_sign_and_refuses_what_was_changed(tmp_path: Path) -> None:
    message = fresh()
    headers = message.signed
    other = sign(b"o" * 32, message.id, message.timestamp, message.body.encode())
    results = _over(
        tmp_path,
        [
            (message, headers),
            (message, {**headers, "webhook-signature": f"{other} {headers['webhook-signature']}"}),
            (message, {**headers, "webhook-signature": other}),
            (message, {**headers, "webhook-id": "evt_2"}),
            (msgspec.structs.replace(message, body=message.body + " "), headers),
        ],
    )
    assert [result["verified"] for result in results] == [True, True, False, False, False]


def test_both_make_the_same_signatures(tmp_path: Path) -> None:
    messages = [*published(), fresh(), fresh("", "evt_2"), fresh("ü" * 100_000, "evt_3")]
    results = _over(tmp_path, [(message, message.signed) for message in messages])
    for message, result in zip(messages, results, strict=True):
        headers = {**message.signed, "webhook-signature": result["signature"]}
        assert headers == message.signed
        parsed = SignedHeaders.parse(headers)
        assert parsed.is_signed_by(secret_bytes(message.secret), message.body.encode())
    for message, result in zip(published(), results, strict=False):
        assert result["signature"] == message.signature
