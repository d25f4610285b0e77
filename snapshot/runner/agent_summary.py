"""The summary of an agent: a title for the change, and its description."""

import re
from typing import Final

import msgspec

from .text import TITLE_CHARACTERS, visible

TITLE_LINE: Final = "Title:"
_TITLE: Final = re.compile(
    r"(?:#{1,6}[ \t]+|[*_]{1,2})?(?:PR )?title[*_]{0,2}:[*_]{0,2}[ \t]*(\S.*)", re.IGNORECASE
)
_SIGNATURE: Final = re.compile(
    r"[\W_]*(?:(?:co-authored|signed-off)-by:|generated (?:with|by|using)\b.*"
    r"(?:claude|codex|copilot|opencode|cursor|gemini|\bAI\b)).*",
    re.IGNORECASE,
)
_CHECKOUT: Final = re.compile(r"/[\w./-]{0,200}/work-[a-z]+-\w+/checkout/")
"""The folder of the work in this sandbox, which nobody else has."""


class AgentSummary(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    """Empty if the agent gave none."""
    text: str


def parse(summary: str) -> AgentSummary:
    """The summary without what its reader would not see, and without signatures:
    the change is signed by who pushes it."""
    lines = without_folders(visible(summary)).splitlines()
    while lines and (not lines[-1].strip() or _SIGNATURE.fullmatch(lines[-1])):
        lines.pop()
    found = _TITLE.fullmatch(lines[0].strip()) if lines else None
    if found is None:
        return AgentSummary(title="", text="\n".join(lines))
    title = found[1].strip().strip('*_`"').strip()
    is_short = 0 < len(title) <= 2 * TITLE_CHARACTERS
    return AgentSummary(title=title if is_short else "", text="\n".join(lines[1:]).strip() or title)


def without_folders(text: str) -> str:
    """Paths of the sandbox as paths of the repository."""
    return _CHECKOUT.sub("", text)
