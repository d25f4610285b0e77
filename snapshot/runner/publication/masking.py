"""Texts of a model, a task or a repository, without effect in the places that GitHub reads.

A mention notifies people, a closing word ends an issue at the merge, a trailer speaks for somebody,
`[skip ci]` keeps the checks from running; and a heading or a tag could hide or forge our own part.
Each is cut by a zero-width space, as other bots do: the reader sees the same text.
"""

import re
from typing import Final

GAP: Final = "\u200b"
_REFERENCE: Final = (
    r"(?:\[[^\]\n]{0,100}\]\()?<?(?:(?:[\w.-]{1,100}/[\w.-]{1,100})?\\?#\d|GH-\d"
    r"|https?://[^\s/]{1,200}/[^\s]{1,200}/(?:issues|pull|discussions)/\d)"
)
_CUTS: Final = (
    # GitHub's own rule: a mention begins behind anything but an ASCII word.
    re.compile(r"(?<![A-Za-z0-9_])@(?=[A-Za-z0-9])"),
    re.compile(
        rf"\b(?:c(?=los(?:e[sd]?)\b)|f(?=ix(?:e[sd])?\b)|r(?=esolve[sd]?\b))"
        rf"(?=[a-z]{{2,7}}[^A-Za-z0-9\[<#]{{0,20}}{_REFERENCE})",
        re.IGNORECASE,
    ),
    re.compile(
        r"\[(?=(?:skip ci|ci skip|no ci|skip actions|actions skip)\])|^[ \t]*/(?=[a-z])",
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(
        r"^[ \t>*-]*(?:[\w-]+-by|slipgate-\w+|skip-checks)(?=\s*:)", re.IGNORECASE | re.MULTILINE
    ),
)
_ENTITY: Final = re.compile(r"&(?=#|commat;|num;|sol;|lbrack;|lt;)", re.IGNORECASE)
_MARKUP: Final = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)")
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_HEADING: Final = re.compile(r" {0,3}#{1,6}(?:\s+(.*)|#*\s*)")
_UNDERLINE: Final = re.compile(r" {0,3}(?:=+|-{2,})\s*")


def masked(text: str) -> str:
    """For a title or a commit's message."""
    for cut in _CUTS:
        text = cut.sub(lambda found: found[0] + GAP, text)
    return text


def markdown(text: str) -> str:
    """For the body of a pull request: what it opens it also closes, and its headings are none."""
    lines: list[str] = []
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.fullmatch(line)
        if fence:
            is_end = mark is not None and mark[1].startswith(fence) and not mark[2].strip()
            fence = "" if is_end else fence
            lines.append(line)
        elif mark is not None and not ("`" in mark[1] and "`" in mark[2]):
            fence = mark[1]
            lines.append(line)
        elif not (_UNDERLINE.fullmatch(line) and lines and lines[-1].strip()):
            lines.append(_inline(line))
    return masked("\n".join([*lines, *([fence] if fence else [])]))


def _inline(line: str) -> str:
    """A line outside of code, without tags, images and a heading's mark."""
    line = _MARKUP.sub(lambda found: found[0] + GAP, _ENTITY.sub("&amp;", line))
    heading = _HEADING.fullmatch(line)
    if heading is None:
        return line
    text = (heading[1] or "").rstrip().rstrip("#").replace("*", "").strip()
    return f"**{text}**" if text else ""


def code(text: str) -> str:
    """A span of code of one line, also within a table."""
    return f"`{masked(' '.join(text.split())).replace('`', chr(39)).replace('|', chr(92) + '|')}`"
