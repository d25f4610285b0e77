"""The form that the repository asks of a pull request, read from its base commit."""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from ..repository.address import Repository
from ..text import plain

LARGEST_TEMPLATE: Final = 8_000
"""Characters."""
MOST_ISSUES: Final = 3
_TEMPLATE: Final = re.compile(
    r"(?P<folder>\.github/|docs/|)pull_request_template(?:\.(?:md|markdown|txt))?", re.IGNORECASE
)
_ONE_OF_MANY: Final = re.compile(
    r"(?:\.github/|docs/|)pull_request_template/[^/]+\.(?:md|markdown|txt)", re.IGNORECASE
)
_FOLDERS: Final = (".github/", "", "docs/")
"""GitHub's own order."""
_FRONT_MATTER: Final = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_COMMENT: Final = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_DCO_FILE: Final = ".github/dco.yml"
_CONTRIBUTING: Final = re.compile(
    r"(?:\.github/|docs/|)contributing(?:\.(?:md|rst|txt|adoc))?", re.IGNORECASE
)
_DCO: Final = re.compile(
    r"developer(?:'s|s)? certificate of origin|\bDCO\b|\bsigned-off-by\b"
    r"|git commit (?:.{0,40}--signoff|-\w*s\b)",
    re.IGNORECASE,
)


def is_wanted(path: str) -> bool:
    """True for the path of a file that the functions below read."""
    patterns = (_TEMPLATE, _ONE_OF_MANY, _CONTRIBUTING)
    return path == _DCO_FILE or any(pattern.fullmatch(path) for pattern in patterns)


def template(texts: Mapping[str, str], *, has_comments: bool = False) -> str:
    """The pull request template that GitHub would choose, or the only one of several in a folder;
    empty if there is none or it is too long. Its comments are for authors, not for readers."""
    named = {match["folder"].lower(): text for match, text in _matching(_TEMPLATE, texts)}
    found = [named[folder] for folder in _FOLDERS if folder in named]
    many = [text for _, text in _matching(_ONE_OF_MANY, texts)]
    text = found[0] if found else many[0] if len(many) == 1 else ""
    text = _FRONT_MATTER.sub("", plain(text.replace("\r\n", "\n")))
    text = (text if has_comments else _COMMENT.sub("", text)).strip()
    return text if len(text) <= LARGEST_TEMPLATE else ""


def wants_sign_off(texts: Mapping[str, str]) -> bool:
    """True if the repository asks for the Developer Certificate of Origin."""
    return _DCO_FILE in texts or any(
        _DCO.search(text) for _, text in _matching(_CONTRIBUTING, texts)
    )


def named_issues(text: str, repository: Repository) -> tuple[int, ...]:
    """The issues of this very repository whose addresses stand in a text, the first ones."""
    if repository.slug is None:
        return ()
    slug = "/".join(map(re.escape, repository.slug))
    address = (
        rf"https?://(?:www\.)?{re.escape(repository.host)}/{slug}/(?:issues|pull)/(\d{{1,9}})\b"
    )
    found = re.findall(address, text, re.IGNORECASE)
    return tuple(dict.fromkeys(map(int, found)))[:MOST_ISSUES]


def _matching(
    pattern: re.Pattern[str], texts: Mapping[str, str]
) -> Iterable[tuple[re.Match[str], str]]:
    for path in sorted(texts):
        if match := pattern.fullmatch(path):
            yield match, texts[path]
