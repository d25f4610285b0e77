"""Secrets in texts, recognised by their form and replaced by `[redacted:<kind>]`.

Tools print keys in the forms of their makers, environments, URLs with passwords. Secrets without a
form are removed inside the sandbox, where their values are known.

A hostile text must not cost more than its length: each form is searched once, from left to right,
and a patch is searched as a whole, not line by line.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final

import msgspec

MARK: Final = "[redacted:{}]"
FILLING: Final = "*"
"""Pads the mark to the length of the secret, where lengths must not change."""
Replacement = Callable[[re.Match[str]], str]


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """The form of the secrets of one kind."""

    kind: str
    markers: tuple[str, ...]
    """Every such secret contains one of these: a text without any is not searched."""
    expression: str
    """A pattern whose group `secret` is the secret."""
    is_certain: bool = False
    """True if nothing else has this form: it is removed from patches too."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """Compiled at the first use: compiling all takes 5 % of a start."""
        return _compiled(self.expression)


@cache
def _compiled(expression: str) -> re.Pattern[str]:
    return re.compile(expression)


_BEGIN: Final = r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_END: Final = r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_TOKEN: Final = "[A-Za-z0-9_-]"  # noqa: S105 - a class of characters
_WORDS: Final = {
    "webhook_secret": r"whsec_[A-Za-z0-9+/_-]{32,}={0,2}",
    "slipgate_key": rf"slip_(?:tasks|read|launcher|ops)_{_TOKEN}{{43}}",
    "anthropic_key": rf"sk-ant-{_TOKEN}{{20,}}",
    "openai_key": rf"sk-(?:proj|svcacct|admin|or-v1)-{_TOKEN}{{20,}}",
    "secret_key": rf"sk-{_TOKEN}{{20,}}",
    "github_token": r"g(?:h[pousr]_[A-Za-z0-9]{20,}|ithub_pat_[A-Za-z0-9_]{20,})",
    "gitlab_token": rf"glpat-{_TOKEN}{{20,}}",
    "aws_key": r"A(?:KIA|SIA)[A-Z0-9]{16}(?![A-Za-z0-9])",
    "slack_token": r"xox[abeoprs]-[A-Za-z0-9-]{10,}",
    "daytona_key": r"dtn_[A-Za-z0-9_]{20,}",
    "google_key": rf"AIza{_TOKEN}{{35}}",
    "npm_token": r"npm_[A-Za-z0-9]{36}",
    "huggingface_token": r"hf_[A-Za-z0-9]{30,}",
    "stripe_key": r"[rs]k_live_[A-Za-z0-9]{16,}",
    "jwt": rf"eyJ{_TOKEN}{{8,}}\.eyJ{_TOKEN}{{8,}}\.{_TOKEN}{{8,}}",
}
"""Secrets that are a word by themselves: they do not begin inside another word."""
_MORE: Final = rf"(?:{'|'.join(_WORDS.values())})*+"
"""Secrets that follow one another without a gap count as one. Otherwise the second would begin a
word only after the first was removed, and a text of n of them would need n searches."""


def _word(kind: str, markers: str, *, is_certain: bool = True) -> Form:
    """A secret that is a word by itself. The pattern begins with its first letters and then checks
    the gap before them: `re` finds letters many times faster than a gap."""
    whole = _WORDS[kind]
    first = re.match(r"[A-Za-z_-]*", whole)
    begin = first[0] if first else ""
    gap = rf"(?<![A-Za-z0-9]{begin})"
    secret = rf"(?P<secret>{begin}{gap}{whole.removeprefix(begin)}{_MORE})"
    return _form(kind, markers, secret, is_certain=is_certain)


def _form(kind: str, markers: str, expression: str, *, is_certain: bool = False) -> Form:
    names = tuple(markers.split())
    return Form(kind=kind, markers=names, expression=expression, is_certain=is_certain)


FORMS: Final = (
    _word("webhook_secret", "whsec_"),
    _word("slipgate_key", "slip_"),
    _form(
        "capability",
        "/v1/hooks/",
        rf"/v1/hooks/[^/\s\"']{{1,100}}/(?P<secret>[1-9][0-9]{{0,8}}\.{_TOKEN}{{43}}{_MORE})",
        is_certain=True,
    ),
    _word("anthropic_key", "sk-ant-"),
    _word("openai_key", "sk-"),
    _word("secret_key", "sk-", is_certain=False),
    _word("github_token", "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_"),
    _word("gitlab_token", "glpat-"),
    _word("aws_key", "AKIA ASIA"),
    _word("slack_token", "xox"),
    _word("daytona_key", "dtn_"),
    _word("google_key", "AIza"),
    _word("npm_token", "npm_"),
    _word("huggingface_token", "hf_"),
    _word("stripe_key", "k_live_"),
    _form(
        "private_key",
        "-----BEGIN",
        # Up to the next dashes, so that many beginnings without an end cost no more than one; or
        # the lines of a truncated key.
        rf"(?P<secret>{_BEGIN}(?:(?:[^-]|-(?!----)){{0,16000}}{_END}"
        r"|(?:(?:\s|\\[nr])+[A-Za-z0-9+/=]{16,})*+))",
    ),
    _word("jwt", "eyJ", is_certain=False),
    _form(
        "authorization",
        "uthorization UTHORIZATION",
        r"(?i:\bauthorization[\"']?\s{0,4}[:=]\s{0,4}[\"']?(?:bearer|basic|token)\s{1,4}"
        r"(?P<secret>[a-z0-9._~+/=-]{8,}))",
    ),
    _form(
        "bearer_token",
        "Bearer BEARER",
        r"\b(?:Bearer|BEARER)\s{1,4}(?P<secret>[A-Za-z0-9._~+/=-]{16,})",
    ),
    _form("password", "@", r"://(?P<secret>[^\s/:@\"'<>\\\[]{0,200}:[^\s/@\"'<>\\\[]{1,200})@"),
    _form(
        "variable",
        "KEY TOKEN SECRET PASSW",
        r"(?<![A-Z0-9_])[A-Z][A-Z0-9_]{0,60}(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)"
        r"(?:=|[\"']?: ?[\"'])[\"']?(?P<secret>[^\s\"'\\$<>{}()\[\]]{8,})",
    ),
)
TRACE: Final = re.compile(
    rb"-(?:(?<=k-)(?:(?<=[^A-Za-z0-9]sk-)|(?<=\\[nrtbf]sk-))|(?<=glpat-)"
    rb"|(?<=xox[abeoprs]-)|(?=----BEGIN))"
    rb"|_(?<=[cefmnoprstu]_)(?:(?<=whsec_)|(?<=slip_)|(?<=gh[pousr]_)|(?<=github_pat_)"
    rb"|(?<=dtn_)|(?<=npm_)|(?<=hf_)|(?<=k_live_))"
    rb"|@|v1/hooks/|KEY|K(?<=TOK)|KIA|ASIA|z(?<=AIz)|z(?<=uthoriz)|Z(?<=UTHORIZ)"
    rb"|B(?=earer|EARER)|J(?<=eyJ)|R(?<=SECR)|W(?<=PASSW)"
    rb"|\\u00(?=[0-9])|\\/|\x7f|\xc2(?=[\x80-\x9f])"
)
"""Bytes of JSON that may belong to a secret: a marker at its rarest letter, so that most text is
skipped in C (0.6 us for a usual event); an escape that could hide one; a control character."""
_OURS: Final = tuple(
    form for form in FORMS if form.kind in {"webhook_secret", "slipgate_key", "capability"}
)
_CERTAIN: Final = tuple(form for form in FORMS if form.is_certain)
_PRIVATE_KEY: Final = next(form for form in FORMS if form.kind == "private_key")
_WINDOW: Final = 64 * 1024
"""Bytes that are searched at a time."""
_OVERLAP: Final = 16
"""Bytes after a window that a match at its end needs."""
_KEY_LINE: Final = re.compile(r"\+[\s\"'+]*(?P<secret>[A-Za-z0-9+/=]{16,})[\s\"',+;\\nr]*")


def redact(text: str, own: Iterable[str] = (), *, keeps_length: bool = False) -> str:
    """Removes secrets, and the known secrets `own`, from a text. `keeps_length` keeps its bytes'
    number, for pieces of a longer text with offsets."""
    own = tuple(secret for secret in own if secret in text)
    if not own and not has_trace(b'"' + text.encode()):
        return text
    for form in _marked(text, FORMS):
        text = form.pattern.sub(_replacing(form.kind, keeps_length=keeps_length), text)
    for secret in own:
        text = text.replace(secret, _mark("attempt_secret", secret, keeps_length=keeps_length))
    return text


def redact_patch(text: str, own: Iterable[str] = (), *, keeps_length: bool = False) -> str:
    """Removes certain secrets from the lines that a patch adds; with other changes it would not
    apply any more."""
    if "-----BEGIN" in text:
        text = _without_keys(text, keeps_length=keeps_length)
    for form in _marked(text, _CERTAIN):
        replaced = _replacing(form.kind, keeps_length=keeps_length)
        text = form.pattern.sub(_only_added(text, replaced), text)
    for secret in own:
        if secret in text:
            known = re.compile(f"(?P<secret>{re.escape(secret)})")
            replaced = _replacing("attempt_secret", keeps_length=keeps_length)
            text = known.sub(_only_added(text, replaced), text)
    return text


def contains_our_secret(data: bytes) -> bool:
    """True if it contains a secret that slipgate issued."""
    text = data.decode(errors="replace")
    return any(form.pattern.search(text) for form in _OURS)


def has_trace(data: bytes) -> bool:
    """True if JSON may contain a secret; searched in windows, so that other threads run."""
    for start in range(0, len(data), _WINDOW):
        if TRACE.search(data, start, start + _WINDOW + _OVERLAP):
            return True
    return False


def _marked(text: str, forms: Iterable[Form]) -> Iterator[Form]:
    """The forms that may occur in the text."""
    return (form for form in forms if any(marker in text for marker in form.markers))


def _without_keys(text: str, *, keeps_length: bool) -> str:
    """Removes private keys from the lines that a patch adds."""
    replaced = _replacing("private_key", keeps_length=keeps_length)
    lines = text.split("\n")
    is_in_key = False
    for number, line in enumerate(lines):
        if not is_in_key and "-----BEGIN" not in line:
            continue
        if not _is_added(line):
            is_in_key = False
            continue
        is_in_key = "-----BEGIN" in line or "-----END" not in line
        lines[number] = _without_key(line, replaced)
    return "\n".join(lines)


def _without_key(line: str, replaced: Replacement) -> str:
    """Removes a key, or one line of a key in several lines."""
    if "-----END" in line:
        return _PRIVATE_KEY.pattern.sub(replaced, line)
    return _KEY_LINE.sub(replaced, line) if _KEY_LINE.fullmatch(line) else line


def _only_added(text: str, replaced: Replacement) -> Replacement:
    """A replacement that only changes lines that a patch adds. Matches come in the order of the
    text, and each line is checked once."""
    line_end = -1
    is_added = False

    def maybe(match: re.Match[str]) -> str:
        nonlocal line_end, is_added
        at = match.start()
        if at > line_end:
            begin = text.rfind("\n", max(line_end, 0), at) + 1
            line_end = text.find("\n", at)
            line_end = len(text) if line_end < 0 else line_end
            is_added = text.startswith("+", begin) and not text.startswith("+++ ", begin)
        return replaced(match) if is_added else match[0]

    return maybe


def _is_added(line: str) -> bool:
    return line.startswith("+") and not line.startswith("+++ ")


def _replacing(kind: str, *, keeps_length: bool) -> Replacement:
    def replaced(match: re.Match[str]) -> str:
        whole, secret = match[0], match["secret"]
        at = match.start("secret") - match.start()
        mark = _mark(kind, secret, keeps_length=keeps_length)
        return whole[:at] + mark + whole[at + len(secret) :]

    return replaced


def _mark(kind: str, secret: str, *, keeps_length: bool) -> str:
    mark = MARK.format(kind)
    if not keeps_length:
        return mark
    length = len(secret.encode())
    return mark.ljust(length, FILLING) if len(mark) <= length else FILLING * length
