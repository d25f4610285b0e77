"""Secrets are found by their form, and a patch stays one that applies."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.wire.redaction import FORMS, TRACE, redact, redact_patch
from tests.wire.secrets import AROUND, BY_KIND, MORE, PRIVATE_KEY

SAMPLES: Final = [*((secret, kind) for kind, secret in BY_KIND.items()), *MORE.items()]
HARMLESS: Final = (
    "turn 7 of 60: task-runner-configuration-of-the-whole-disk-image",
    "https://github.com/acme/widgets/pull/1 by dev@acme.example",
    "index 3f2a9c1..8b7d6e5 100644",
    "git@github.com:acme/widgets.git",
    "Bearer tokens are read from the Authorization header",
    "API_KEY=$OPENAI_API_KEY and TOKEN=${TOKEN}",
    "http://localhost:3000/@scope/package@1.2.3",
    "sha512-" + "Ab1/+" * 17 + "==",
    "keys: sk-1, risk-" + "a" * 40,
)
WORDS: Final = st.text(st.characters(codec="ascii", categories=["Lu", "Ll", "Nd"]), min_size=4)
PIECES: Final = st.sampled_from(
    [secret for secret, _ in SAMPLES] + ["".join(parts) for parts in AROUND.values()] + ["://", "@"]
)


@pytest.mark.parametrize(("secret", "kind"), SAMPLES, ids=[kind for _, kind in SAMPLES])
@pytest.mark.parametrize("before", ["", "key: ", "\n", "(", '"', "="])
def test_a_secret_is_replaced_by_its_kind(secret: str, kind: str, before: str) -> None:
    assert redact(f"{before}{secret} rest") == f"{before}[redacted:{kind}] rest"


@pytest.mark.parametrize(("kind", "parts"), AROUND.items(), ids=AROUND)
def test_what_stands_around_a_secret_stays(kind: str, parts: tuple[str, str, str]) -> None:
    before, secret, behind = parts
    assert redact(before + secret + behind) == f"{before}[redacted:{kind}]{behind}"


def test_every_form_has_a_sample() -> None:
    assert {form.kind for form in FORMS} == BY_KIND.keys() | AROUND.keys()


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_a_little_like_one_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize("sample", [*BY_KIND.values(), *MORE, *map("".join, AROUND.values())])
@pytest.mark.parametrize("before", ['"', "\\n", " ", "="])
def test_the_quick_look_misses_no_form(sample: str, before: str) -> None:
    assert TRACE.search(f'{{"m":"{before}{sample}"}}'.encode())


@given(st.lists(WORDS | PIECES, max_size=8), st.sampled_from([" ", "", "\n"]))
def test_what_was_redacted_once_is_not_touched_again(pieces: list[str], between: str) -> None:
    text = redact(between.join(pieces))
    assert redact(text) == text


@given(st.lists(WORDS | PIECES, max_size=8), st.sampled_from([" ", "", "\n"]))
def test_a_piece_of_a_longer_text_keeps_its_length(pieces: list[str], between: str) -> None:
    text = between.join(pieces)
    assert len(redact(text, keeps_length=True)) == len(text)


def test_secrets_that_are_known_need_no_form() -> None:
    assert redact("it is hunter2", ["hunter2"]) == "it is [redacted:attempt_secret]"


def test_a_key_that_was_cut_off_loses_its_lines() -> None:
    cut = PRIVATE_KEY.replace("Proc-Type: 4,ENCRYPTED\n", "").rpartition("-----END")[0]
    assert "q83vEjRWeJCrze8S" not in redact(cut)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "bait",
    ["-----BEGIN RSA PRIVATE KEY-----\n", "://a:", "eyJaaaaaaaa.", "A_KEY", "sk-", "bearer  "],
)
def test_a_text_made_to_be_slow_is_through_before_the_time_limit(bait: str) -> None:
    text = bait * (512 * 1024 // len(bait))
    once = redact(text)
    assert redact(once) == once


PATCH: Final = """\
diff --git a/config.py b/config.py
--- a/config.py
+++ b/config.py
@@ -1,2 +1,4 @@
 KEPT = "{secret}"
-OLD = "{secret}"
+NEW = "{secret}"
+TOKEN = "Bearer abcdefghijklmnopqrstuvwx"
"""


def test_a_patch_loses_what_is_certainly_a_secret_in_the_lines_it_adds() -> None:
    secret = BY_KIND["github_token"]
    before, after = PATCH.format(secret=secret), redact_patch(PATCH.format(secret=secret))
    assert after == before.replace(f'+NEW = "{secret}"', '+NEW = "[redacted:github_token]"')


@pytest.mark.parametrize("kind", [form.kind for form in FORMS if not form.is_certain])
def test_a_patch_keeps_what_may_be_something_else(kind: str) -> None:
    text = BY_KIND.get(kind) or "".join(AROUND.get(kind, ()))
    line = f"+{text.partition(chr(10))[0]}\n"
    assert redact_patch(line) == line


def test_a_private_key_in_a_patch_goes_line_by_line() -> None:
    patch = "".join(f"+{line}\n" for line in PRIVATE_KEY.splitlines())
    after = redact_patch(patch)
    assert len(after.splitlines()) == len(patch.splitlines())
    assert "MIIEpAIBAAKCAQEA" not in after
    assert all(line.startswith("+") for line in after.splitlines())


def test_a_private_key_on_one_line_of_a_patch_goes_too() -> None:
    one_line = PRIVATE_KEY.replace("\n", "\\n")
    assert redact_patch(f'+  "private_key": "{one_line}",\n') == (
        '+  "private_key": "[redacted:private_key]",\n'
    )
