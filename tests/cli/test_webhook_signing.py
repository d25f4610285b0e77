"""`slipgate webhook sign|verify`: what signs, what verifies, and why something does not."""

import hashlib
import hmac
import json
import os
import subprocess
import time
from base64 import b64encode
from pathlib import Path
from typing import Final

import pytest
from standardwebhooks import Webhook

from gateway.cli.main import main
from gateway.wire.signing import STANDARD, SVIX, secret_bytes, secret_text, sign
from tests.forks.programs import slipgate

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER: Final = secret_text(b"o" * 32)
KEY: Final = secret_bytes(SECRET)
BODY: Final = b'{"type": "task.completed", "a": "\xc3\xbc"}'


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPGATE_WEBHOOK_SECRET", SECRET)


@pytest.fixture
def body(tmp_path: Path) -> Path:
    """A file with a body."""
    file = tmp_path / "body.json"
    file.write_bytes(BODY)
    return file


def signed(
    body: bytes = BODY, key: bytes = KEY, at: int | None = None, names: tuple[str, ...] = STANDARD
) -> dict[str, str]:
    """The headers of a message of this moment."""
    moment = int(time.time()) if at is None else at
    return dict(zip(names, ("msg_1", str(moment), sign(key, "msg_1", moment, body)), strict=True))


def saved(folder: Path, headers: dict[str, str], body: bytes = BODY, *, ends: str = "\r\n") -> str:
    """A request in a file."""
    lines = ["POST /api/hook HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
    file = folder / "saved.http"
    file.write_bytes((ends.join(lines) + ends * 2).encode() + body)
    return f"--request={file}"


def test_the_reference_library_takes_what_is_signed(
    body: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["webhook", "sign", f"--body={body}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    headers = dict(line.split(": ") for line in lines)
    assert list(headers) == list(STANDARD)
    Webhook(SECRET).verify(BODY, headers)


def test_the_published_vector_is_what_is_signed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "vector.json"
    file.write_bytes(b'{"test": 2432232314}')
    words = ["--id=msg_p5jXN8AQM9LWM0D4loKWxJek", "--timestamp=1614265330", "--json"]
    assert main(["webhook", "sign", f"--body={file}", *words]) == 0
    headers = json.loads(capsys.readouterr().out)["headers"]
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_each_of_several_secrets_signs(
    body: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLIPGATE_WEBHOOK_SECRET", f"{SECRET}, {OTHER}")
    main(["webhook", "sign", f"--body={body}", "--json"])
    headers = json.loads(capsys.readouterr().out)["headers"]
    for secret in (SECRET, OTHER):
        Webhook(secret).verify(BODY, headers)


@pytest.mark.parametrize(
    "words",
    [["--id=a.b"], ["--id=a b"], ["--timestamp=1790000000000"]],
    ids=["a full stop in the id", "a space in the id", "milliseconds"],
)
def test_what_no_receiver_takes_is_not_signed(
    words: list[str], body: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["webhook", "sign", f"--body={body}", *words]) == 1
    assert "No receiver would take it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("secret", "message"),
    [
        ("", "is not set"),
        ("whsec_kurz", "not a webhook secret"),
        ("whsec_YQ==", "at least 24 bytes"),
    ],
    ids=["none", "no base64", "short"],
)
def test_a_secret_that_is_none_is_told_and_not_shown(
    secret: str,
    message: str,
    body: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SLIPGATE_WEBHOOK_SECRET", secret)
    assert main(["webhook", "sign", f"--body={body}"]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert "next:" in told
    assert not secret or secret not in told


def test_a_saved_request_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for ends in ("\r\n", "\n"):
        assert main(["webhook", "verify", saved(tmp_path, signed(), ends=ends)]) == 0
        assert capsys.readouterr().out.startswith("verified: msg_1, signed ")


def test_it_is_told_which_secret_has_signed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLIPGATE_WEBHOOK_SECRET", f"{OTHER} {SECRET}")
    assert main(["webhook", "verify", saved(tmp_path, signed(names=SVIX)), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["verified"], verdict["secret"], verdict["id"]) == (True, 2, "msg_1")


def _over(content: bytes, key: bytes = KEY) -> str:
    return "v1," + b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


NOW: Final = int(time.time())


@pytest.mark.parametrize(
    ("headers", "code", "message"),
    [
        (signed(at=NOW - 4000), "timestamp_out_of_tolerance", "s ago; 300 s are borne"),
        (signed(at=NOW + 4000), "timestamp_out_of_tolerance", "s from now"),
        (signed(key=secret_bytes(OTHER)), "invalid_signature", "secret of this very endpoint"),
        (signed(key=SECRET.encode()), "invalid_signature", "with the text of the secret"),
        (signed(body=BODY + b"\n"), "invalid_signature", "line breaks"),
        (signed(body=b'{"type":"task.completed","a":"\xc3\xbc"}'), "invalid_signature", "written"),
        (signed(body=b""), "invalid_signature", "empty body"),
        ({**signed(), "webhook-signature": _over(BODY)}, "invalid_signature", "Only the body"),
        (
            {**signed(at=NOW), "webhook-signature": _over(f"{NOW}.".encode() + BODY)},
            "invalid_signature",
            "The id was not signed",
        ),
        (
            {**signed(), "webhook-signature": _over(b"msg_1." + BODY)},
            "invalid_signature",
            "The timestamp was not signed",
        ),
        ({**signed(), "webhook-id": "msg_2"}, "invalid_signature", "None of the signatures"),
        ({"webhook-id": "msg_1"}, "malformed_headers", "webhook-timestamp, webhook-signature"),
        ({**signed(), "webhook-timestamp": f"{NOW}000"}, "malformed_headers", "milliseconds"),
        ({**signed(), "webhook-signature": "sha256=00"}, "malformed_headers", "v1,<base64>"),
    ],
    ids=[
        "old",
        "of the future",
        "another secret",
        "the secret's text as the key",
        "a line break more",
        "parsed and written",
        "signed before the body was read",
        "as GitHub does",
        "as Stripe does",
        "without the timestamp",
        "another id",
        "headers missing",
        "milliseconds",
        "another scheme",
    ],
)
def test_it_is_told_exactly_why_a_request_is_not_what_it_says(
    headers: dict[str, str],
    code: str,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["webhook", "verify", saved(tmp_path, headers), "--json"]) == 1
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["verified"], verdict["code"]) == (False, code)
    body = tmp_path / "body.json"
    body.write_bytes(BODY)
    words = [f"--header={name}: {text}" for name, text in headers.items()]
    assert main(["webhook", "verify", f"--body={body}", *words]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"error: {code}: " in printed.err
    assert message in " ".join(printed.err.split())


def test_an_old_request_verifies_with_a_wider_tolerance(tmp_path: Path) -> None:
    old = saved(tmp_path, signed(at=NOW - 4000))
    assert main(["webhook", "verify", old, "--tolerance=86400"]) == 0


@pytest.mark.parametrize(
    ("raw", "message"),
    [(b"webhook-id: x", "no empty line"), (b"what is this\n\n{}", "is not a header")],
    ids=["no body", "no header"],
)
def test_what_is_no_saved_request_is_told(
    raw: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "saved.http"
    file.write_bytes(raw)
    assert main(["webhook", "verify", f"--request={file}"]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ["verify"],
        ["verify", "--request=a", "--body=b"],
        ["verify", "--request=a", "--header=webhook-id: x"],
        ["verify", "--request=-", "--secret-file=-"],
        ["sign", "--secret-file=-"],
        ["listen", "--fail=teapot"],
        ["listen", "--fail=200"],
        ["listen", "--forward-to=ftp://x"],
        ["listen", "--forward-to=http://127.0.0.1:1", "--fail=500"],
        ["listen", "--forward-to=http://127.0.0.1:1", "--after=then"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_a_usage_error(words: list[str]) -> None:
    assert main(["webhook", *words]) == 2


def test_the_secret_and_the_body_come_by_pipe_as_well(body: Path, tmp_path: Path) -> None:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("SLIPGATE_")}
    made = subprocess.run(
        [slipgate(), "webhook", "sign", f"--body={body}", "--secret-file=-"],
        input=SECRET.encode(),
        env=environ,
        capture_output=True,
        check=True,
    )
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    checked = subprocess.run(
        [
            *(slipgate(), "webhook", "verify"),
            *("--request=-", f"--secret-file={secret}"),
        ],
        input=made.stdout + b"\n" + BODY,
        env=environ,
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr
