"""A pull request template with our parts in the sections that ask for them."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from .masking import markdown, masked

Part = Literal["summary", "reviewer", "validation", "changes", "issues"]
_PLACED: Final = frozenset({"summary", "reviewer"})
PARTS: Final[tuple[Part, ...]] = ("summary", "reviewer", "validation", "changes", "issues")
TITLES: Final[dict[Part, str]] = {
    "summary": "Summary",
    "reviewer": "For the reviewer",
    "validation": "Validation",
    "changes": "Changes",
}
_ASKS: Final[dict[Part, re.Pattern[str]]] = {
    "summary": re.compile(
        r"summary|descri|what|overview|purpose|motivation|^why|proposed|^(?:the )?changes?$|^about"
    ),
    "validation": re.compile(r"test|verif|validat|\bqa\b"),
    "reviewer": re.compile(r"review|risk|caveat|^(?:additional |other )?(?:notes?|information)"),
    "changes": re.compile(r"changes|files"),
    "issues": re.compile(r"issue|ticket|^related|^links?|^references?"),
}
_NO_ANSWER: Final = re.compile(r"check ?list|type of|kind of|types of")
"""Sections of boxes, which only a person can tick."""
_HEADING: Final = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)|\*\*([^*]+)\*\*:?[ \t]*")
_SETEXT: Final = re.compile(r"^(?![ \t]*[#>|*+-])(\S.*)\n(=+|-{3,})[ \t]*$", re.MULTILINE)
_PLACEHOLDER: Final = re.compile(
    r"[ \t]*(?:[-*+][ \t]+)?(?:fix(?:es)?|close[sd]?|resolve[sd]?|refs?|related to):?[ \t]*"
    r"#[ \t]*(?:\(.*\)|\[.*\]|<.*>|issue\S*|x+|0+)?[ \t.]*",
    re.IGNORECASE,
)
"""A line that waits for the number of an issue."""
_ATTESTED: Final = re.compile(
    r"\b(?:CLA|DCO|licen[cs]e|agreement|certificate|code of conduct|signed|agree|certify|confirm"
    r"|(?:have|'ve) (?:read|reviewed|searched))\b",
    re.IGNORECASE,
)
"""A box that only a person can tick."""
_TICK: Final = re.compile(r"\[[xX]\]")
_BOX: Final = re.compile(r"\s*(?:[-*+]|\d+\.)\s+\[[ xX]\]\s")
_FENCE: Final = re.compile(r" {0,3}(```|~~~)")


class Section(msgspec.Struct, frozen=True, kw_only=True):
    heading: str
    """The line as it stands; empty before the first heading."""
    title: str
    """Its words in lower case."""
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).strip()


def fill(template: str, parts: Mapping[Part, str], agents: str) -> str:
    """The template with our parts and the agent's answers under its headings; parts that it does
    not ask for follow below, the summary stands above."""
    agents = _unattested(agents)
    sections = _sections(_SETEXT.sub(r"## \1", template))
    answers = {one.title: one.text for one in _sections(agents) if one.title}
    headed = [one for one in sections if one.heading]
    answered = {one.title for one in headed} & answers.keys()
    rest = _without(agents, answered)
    ours = {**parts, "summary": markdown(rest)}
    places = _places(headed, ours)
    level = next((one.heading.split(" ")[0] for one in headed if one.heading[0] == "#"), "##")
    below = [part for part in PARTS if ours.get(part) and part not in places.values()]
    first = below[:1] if below[:1] == ["summary"] else []
    blocks = [_titled(level, part, ours[part]) for part in first]
    reviewer = [_titled(level, "reviewer", ours["reviewer"])] if "reviewer" in below else []
    about = None if first else next((one.title for one in headed if _is_about(one.title)), None)
    if about is None:
        blocks += reviewer
    for section in sections:
        part = places.get(section.title)
        own = ours[part] if part else ""
        answer = markdown(answers.get(section.title, ""))
        words = [answer, own] if part == "summary" else [own, answer]
        kept = "" if answer else _kept(section, is_filled=bool(own))
        blocks.append("\n\n".join(filter(None, (masked(section.heading), *words, kept))))
        # What a reviewer must see stands beside the summary, and not behind a long form.
        if section.title and section.title == about:
            blocks, about = [*blocks, *reviewer], None
    blocks += [_titled(level, part, ours[part]) for part in below if part not in _PLACED]
    return "\n\n".join(filter(None, blocks))


def plain(parts: Mapping[Part, str], agents: str) -> str:
    """The same without a template."""
    ours = {**parts, "summary": markdown(description("", _unattested(agents)))}
    return "\n\n".join(_titled("##", part, ours[part]) for part in PARTS if ours.get(part))


def description(template: str, agents: str) -> str:
    """The agent's description of the change, without a heading of its own and without its answers
    to the other questions of a template."""
    others = {
        one.title
        for one in _sections(_SETEXT.sub(r"## \1", template))
        if one.title and not _is_about(one.title)
    }
    left = [one for one in _sections(agents) if one.title not in others or not one.heading]
    if left and left[0].heading and _is_about(left[0].title):
        left[0] = msgspec.structs.replace(left[0], heading="")
    return "\n\n".join("\n".join(filter(None, (one.heading, one.text))) for one in left)


def _is_about(title: str) -> bool:
    """True for a heading that asks what the change is."""
    is_other = _NO_ANSWER.search(title) or _ASKS["validation"].search(title)
    return not is_other and bool(_ASKS["summary"].search(title))


def _sections(text: str) -> list[Section]:
    """The text split at its headings; what stands before the first one is a section too."""
    heading = ""
    lines: list[str] = []
    sections = []
    is_code = False
    for line in text.split("\n"):
        is_code ^= _FENCE.match(line) is not None
        if is_code or _HEADING.fullmatch(line) is None:
            lines.append(line)
            continue
        sections.append(_section(heading, lines))
        heading, lines = line.strip(), []
    sections.append(_section(heading, lines))
    return [one for one in sections if one.heading or one.text]


def _section(heading: str, lines: Sequence[str]) -> Section:
    match = _HEADING.fullmatch(heading)
    words = (match[2] or match[3] or "") if match else ""
    title = " ".join(re.sub(r"[^\w' ]+", " ", words.lower()).split())
    return Section(heading=heading, title=title, lines=tuple(lines))


def _without(agents: str, answered: set[str]) -> str:
    """The agent's words without the sections that stand elsewhere."""
    left = [one for one in _sections(agents) if not one.heading or one.title not in answered]
    return "\n\n".join("\n".join(filter(None, (one.heading, one.text))) for one in left)


def _places(headed: Sequence[Section], parts: Mapping[Part, str]) -> dict[str, Part]:
    """Title → our part that stands under it."""
    places: dict[str, Part] = {}
    for part in PARTS:
        asking = (
            one.title
            for one in headed
            if _ASKS[part].search(one.title)
            and not _NO_ANSWER.search(one.title)
            and (part != "summary" or _is_about(one.title))
            and one.title not in places
        )
        if parts.get(part) and (title := next(asking, None)):
            places[title] = part
    return places


def _kept(section: Section, *, is_filled: bool) -> str:
    """The template's own words under a heading; beside ours, its boxes alone."""
    lines = [line for line in section.lines if _BOX.match(line)] if is_filled else section.lines
    return masked("\n".join(line for line in lines if not _PLACEHOLDER.fullmatch(line))).strip()


def _unattested(answer: str) -> str:
    """An answer without the ticks that no agent can give."""
    return "\n".join(
        _TICK.sub("[ ]", line, count=1) if _BOX.match(line) and _ATTESTED.search(line) else line
        for line in answer.split("\n")
    )


def _titled(level: str, part: Part, text: str) -> str:
    return f"{level} {TITLES[part]}\n\n{text}" if part in TITLES else text
