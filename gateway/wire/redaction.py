"""Secrets in other people's texts: found by their form and replaced by `[redacted:<kind>]`.

What leaks is what a tool printed: keys in the forms their makers gave them, an environment, a URL
with a password. Values without a form are taken out where they are known, inside the sandbox.
"""

import re
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

MARK: Final = "[redacted:{}]"
FILLING: Final = "*"
"""What makes up for the length of a longer secret, where lengths count."""


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What secrets of one kind look like."""

    kind: str
    markers: tuple[str, ...]
    """No such secret is without one of these: what has none is not looked through."""
    pattern: re.Pattern[str]
    """The secret is its group `secret`."""
    is_certain: bool = False
    """Nothing else looks like it, so that even a patch may not keep it."""


def _form(kind: str, markers: str, secret: str, *, is_certain: bool = False) -> Form:
    pattern = secret if "(?P<secret>" in secret else rf"(?<![A-Za-z0-9])(?P<secret>{secret})"
    return Form(
        kind=kind,
        markers=tuple(markers.split()),
        pattern=re.compile(pattern),
        is_certain=is_certain,
    )


_BEGIN: Final = r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_END: Final = r"-----END [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_TOKEN: Final = "[A-Za-z0-9_-]"  # noqa: S105 - a class of characters

FORMS: Final = (
    _form("webhook_secret", "whsec_", r"whsec_[A-Za-z0-9+/_-]{32,}={0,2}", is_certain=True),
    _form(
        "slipgate_key",
        "slip_",
        rf"slip_(?:tasks|read|launcher|ops)_{_TOKEN}{{43}}",
        is_certain=True,
    ),
    _form(
        "capability",
        "/v1/hooks/",
        rf"/v1/hooks/[^/\s\"']{{1,100}}/(?P<secret>[1-9][0-9]{{0,8}}\.{_TOKEN}{{43}})",
        is_certain=True,
    ),
    _form("anthropic_key", "sk-ant-", rf"sk-ant-{_TOKEN}{{20,}}", is_certain=True),
    _form(
        "openai_key", "sk-", rf"sk-(?:proj|svcacct|admin|or-v1)-{_TOKEN}{{20,}}", is_certain=True
    ),
    _form("secret_key", "sk-", rf"sk-{_TOKEN}{{20,}}"),
    _form(
        "github_token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        r"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{20,}",
        is_certain=True,
    ),
    _form("gitlab_token", "glpat-", rf"glpat-{_TOKEN}{{20,}}", is_certain=True),
    _form("aws_key", "AKIA ASIA", r"(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])", is_certain=True),
    _form("slack_token", "xox", r"xox[abeoprs]-[A-Za-z0-9-]{10,}", is_certain=True),
    _form("daytona_key", "dtn_", r"dtn_[A-Za-z0-9_]{20,}", is_certain=True),
    _form("google_key", "AIza", rf"AIza{_TOKEN}{{35}}", is_certain=True),
    _form("npm_token", "npm_", r"npm_[A-Za-z0-9]{36}", is_certain=True),
    _form("huggingface_token", "hf_", r"hf_[A-Za-z0-9]{30,}", is_certain=True),
    _form("stripe_key", "k_live_", r"[rs]k_live_[A-Za-z0-9]{16,}", is_certain=True),
    _form(
        "private_key",
        "-----BEGIN",
        # Up to the next dashes, so that many beginnings without an end cost no more than one; of
        # a key that was cut off, its lines.
        rf"(?P<secret>{_BEGIN}(?:(?:[^-]|-(?!----)){{0,16000}}{_END}"
        r"|(?:(?:\s|\\[nr])+[A-Za-z0-9+/=]{16,})*+))",
    ),
    _form("jwt", "eyJ", rf"eyJ{_TOKEN}{{8,}}\.eyJ{_TOKEN}{{8,}}\.{_TOKEN}{{8,}}"),
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
"""What JSON holds that is worth a closer look: a marker of a form at its rarest letter, so that
most text is skipped a character at a time in C (0.6 us for a usual word); an escape that could
hide one; a control character."""
_OURS: Final = tuple(
    form for form in FORMS if form.kind in {"webhook_secret", "slipgate_key", "capability"}
)
_CERTAIN: Final = tuple(form for form in FORMS if form.is_certain)
_PRIVATE_KEY: Final = next(form for form in FORMS if form.kind == "private_key")
_KEY_LINE: Final = re.compile(r"\+[\s\"'+]*(?P<secret>[A-Za-z0-9+/=]{16,})[\s\"',+;\\nr]*")


def redacted(text: str, own: Iterable[str] = (), *, keeps_length: bool = False) -> str:
    """The text without what looks like a secret, and without `own` ones that are known.
    `keeps_length`: as many bytes as before, for pieces of a longer text whose offsets count."""
    return _without(text, own, FORMS, keeps_length=keeps_length)


def redacted_patch(text: str, own: Iterable[str] = (), *, keeps_length: bool = False) -> str:
    """A patch without what is certainly a secret in a line that it adds: all else stands as it is,
    or the patch would no longer apply."""
    lines = text.split("\n")
    is_in_key = False
    for number, line in enumerate(lines):
        if not line.startswith("+") or line.startswith("+++ "):
            is_in_key = False
            continue
        is_in_key = "-----BEGIN" in line or (is_in_key and "-----END" not in line)
        lines[number] = _added(line, own, is_in_key=is_in_key, keeps_length=keeps_length)
    return "\n".join(lines)


def _added(line: str, own: Iterable[str], *, is_in_key: bool, keeps_length: bool) -> str:
    if "-----END" in line and _PRIVATE_KEY.pattern.search(line):
        line = _without(line, own, (_PRIVATE_KEY,), keeps_length=keeps_length)
    elif is_in_key and _KEY_LINE.fullmatch(line):
        return _KEY_LINE.sub(_replacing("private_key", keeps_length=keeps_length), line)
    return _without(line, own, _CERTAIN, keeps_length=keeps_length)


def ours_in(data: bytes) -> bool:
    """Whether something that we hand out stands there in clear."""
    text = data.decode(errors="replace")
    return any(form.pattern.search(text) for form in _OURS)


def _without(text: str, own: Iterable[str], forms: Iterable[Form], *, keeps_length: bool) -> str:
    for secret in own:
        if secret in text:
            mark = _mark("attempt_secret", secret, keeps_length=keeps_length)
            text = _by_form(text, forms, keeps_length=keeps_length).replace(secret, mark)
    while _is_suspect(text):
        before, text = text, _by_form(text, forms, keeps_length=keeps_length)
        if text == before:
            break  # else one may stand behind another, as part of the same word
    return text


def _is_suspect(text: str) -> bool:
    """Whether it is worth a closer look."""
    return TRACE.search(b'"' + text.encode()) is not None


def _by_form(text: str, forms: Iterable[Form], *, keeps_length: bool) -> str:
    for form in forms:
        if any(marker in text for marker in form.markers):
            text = form.pattern.sub(_replacing(form.kind, keeps_length=keeps_length), text)
    return text


def _replacing(kind: str, *, keeps_length: bool) -> Callable[[re.Match[str]], str]:
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
