"""The text of a pull request: ours in the repository's form, and nobody else's words in effect."""

import re

import msgspec
import pytest

from snapshot.runner import agent_summary
from snapshot.runner.publication import conventions
from snapshot.runner.publication.commit_message import commit_message
from snapshot.runner.publication.masking import GAP, markdown, masked
from snapshot.runner.publication.pull_request import (
    LARGEST_BYTES,
    TAIL_LINES,
    Facts,
    FileStat,
    body,
)
from snapshot.runner.publication.push_request import PUSH_BYTES, fitting
from snapshot.runner.reporting.events import PushRequest, Receipt
from snapshot.runner.repository.address import parse
from snapshot.runner.repository.exclusions import SETUP

PASSED = Receipt(
    command="make test", exit_code=0, seconds=1.23, output_tail="OK\n", status="passed"
)
FAILED = Receipt(
    command="pytest",
    exit_code=1,
    seconds=2,
    output_tail="```\n@octocat </details>\n",
    status="failed",
)
EFFECTIVE = (
    "@octocat",
    "(@octocat)",
    "é@octocat",
    "@acme/team",
    r"\@octocat",
    "Fixes #1",
    "fixed: #1",
    "close acme/widgets#2",
    "resolves GH-3",
    "CLOSES https://github.com/acme/widgets/issues/4",
    "Fixes [the bug](https://github.com/acme/widgets/issues/5)",
    "fixes **#6**",
    "fixes\n#7",
    r"fixes \#8",
    "Co-authored-by: Mallory <m@example.com>",
    "  signed-off-by: Mallory <m@example.com>",
    "> Reviewed-by: Mallory <m@example.com>",
    "Slipgate-Task: task_2",
    "skip-checks: true",
    "Done [skip ci]",
    "[CI SKIP]",
    "/approve",
)


@pytest.mark.parametrize("text", EFFECTIVE)
def test_words_with_an_effect_lose_it_and_look_the_same(text: str) -> None:
    for safe in (masked(text), markdown(text)):
        assert GAP in safe
        assert safe.replace(GAP, "") == text
    assert masked(masked(text)).count(GAP) == masked(text).count(GAP)


@pytest.mark.parametrize(
    "text",
    [
        "mail to m@example.com",
        "see #1 and acme/widgets#2",
        "a prefix #1",
        "fixes the bug of #1",
        "closed 3 files",
        "the file src/app.py",
        "it is signed-off-by nobody",
        "C# and F#",
    ],
)
def test_ordinary_words_stay_as_they_are(text: str) -> None:
    assert masked(text) == text


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("# Validation passed", "**Validation passed**"),
        ("Validation\n=====", "Validation"),
        ("a\n---\nb", "a\nb"),
        ("```\n# code", "```\n# code\n```"),
        ("~~~~py\nx", "~~~~py\nx\n~~~~"),
        ("```sh\na\n```\n# b", "```sh\na\n```\n**b**"),
        ("<details>", f"<{GAP}details>"),
        ("</table>", f"<{GAP}/table>"),
        ("![passing](https://example.com/badge)", f"!{GAP}[passing](https://example.com/badge)"),
        ("&#64;octocat &commat;octocat", "&amp;#64;octocat &amp;commat;octocat"),
        ("a < b && c", "a < b && c"),
        ("| a | b |\n|---|---|", "| a | b |\n|---|---|"),
    ],
)
def test_a_summary_forges_no_part_and_hides_none(text: str, safe: str) -> None:
    assert markdown(text) == safe


TEMPLATE = """\
---
name: change
---
<!-- Thank you! -->
## Description

Please describe. Fixes #(issue), ask @acme/reviewers.

## Type of change
- [ ] Bug fix

## How has this been tested?
Tell us.
- [ ] Unit tests

## Screenshots
"""


def facts(
    *,
    summary: str = "It doubles.",
    is_complete: bool = True,
    points: tuple[str, ...] = (),
    receipts: tuple[Receipt, ...] = (PASSED,),
    issues: tuple[int, ...] = (),
    template: str = "",
) -> Facts:
    """Facts of a small change."""
    files = (
        FileStat(path="widgets.py", added=1, removed=1),
        FileStat(path="@octocat fixes #1", added=None, removed=None),
    )
    return Facts(
        task_id="task_1",
        attempt=1,
        agent_summary=summary,
        is_complete=is_complete,
        points=points,
        receipts=receipts,
        files=files,
        issues=issues,
        template=template,
    )


def headings(text: str) -> list[str]:
    """The headings of a body, outside of code."""
    outside = re.sub(r"(`{3,})\n.*?\n\1", "", text, flags=re.DOTALL)
    return re.findall(r"^#+ (.*)$", outside, re.MULTILINE)


def test_a_body_has_our_parts_in_order() -> None:
    text = body(facts(points=("Lock files are changed: `uv.lock`.",), issues=(12,)))
    assert headings(text) == ["Summary", "For the reviewer", "Validation", "Changes"]
    assert "Passed in a clean checkout of this change." in text
    assert "| `make test` | 0 | 1.2 | passed |" in text
    assert "2 files, +1 -1" in text
    assert f"@{GAP}octocat f{GAP}ixes #1  binary" in text
    assert text.endswith(
        "Refs #12.\n\n---\nWritten by an agent · slipgate task `task_1`, attempt 1."
    )


def test_a_plain_success_has_nothing_for_the_reviewer() -> None:
    assert headings(body(facts())) == ["Summary", "Validation", "Changes"]


def test_the_end_of_what_a_failed_check_printed_is_shown_in_a_fence_it_cannot_leave() -> None:
    text = body(facts(receipts=(FAILED, PASSED), is_complete=False))
    assert f"\n````\n```\n@{GAP}octocat </details>\n````\n\n</details>" in text
    assert text.count("<details>") == 1
    assert "**Please look at this before you merge.**" in text
    assert "1 of 2 did not pass in a clean checkout" in text
    assert "- Fails with this change: `pytest`." in text


def test_receipts_cannot_break_their_table() -> None:
    receipt = Receipt(
        command="sh -c 'a | b\n`c`'",
        exit_code=None,
        seconds=0,
        output_tail="",
        status="not_run",
        reason="x is not | installed",
    )
    row = "| `sh -c 'a \\| b 'c''` | – | 0.0 | not run: x is not \\| installed |"
    assert row in body(facts(receipts=(receipt,))).splitlines()


def test_a_template_keeps_its_headings_and_gets_our_parts_under_them() -> None:
    template = conventions.template({".github/pull_request_template.md": TEMPLATE})
    text = body(facts(template=template, points=("Tests are deleted: `a`.",), issues=(3,)))
    assert headings(text) == [
        "Description",
        "For the reviewer",
        "Type of change",
        "How has this been tested?",
        "Screenshots",
        "Changes",
    ]
    assert text.startswith("## Description\n\nIt doubles.\n\n## For the reviewer\n\n- Tests are")
    assert "tested?\n\nPassed in a clean checkout of this change." in text
    assert "|\n\n- [ ] Unit tests\n\n## Screenshots" in text
    assert not {"Thank you", "Please describe", "Tell us", "name:"} & set(text.splitlines())


def test_an_agents_own_answers_stand_under_the_templates_headings() -> None:
    answers = "## Type of change\n- [x] Bug fix\n## Description\nIt doubles.\n## More\nWords."
    text = body(
        facts(
            template=conventions.template({"PULL_REQUEST_TEMPLATE.md": TEMPLATE}), summary=answers
        )
    )
    assert text.startswith(
        "## Description\n\nIt doubles.\n\n**More**\nWords.\n\n"
        "## Type of change\n\n- [x] Bug fix\n\n## How"
    )
    assert "- [ ] Bug fix" not in text


def test_a_template_that_asks_for_nothing_of_ours_follows_the_summary() -> None:
    text = body(facts(template="## Checklist\n- [ ] I read the rules", issues=(3,)))
    assert headings(text) == ["Summary", "Checklist", "Validation", "Changes"]
    assert "- [ ] I read the rules" in text
    plain = body(facts(template="I agree with the rules, @octocat."))
    assert headings(plain) == ["Summary", "Validation", "Changes"]
    assert f"I agree with the rules, @{GAP}octocat." in plain


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        ({"docs/pull_request_template.md": "d", "pull_request_template.md": "r"}, "r"),
        ({"PULL_REQUEST_TEMPLATE": "r", ".github/PULL_REQUEST_TEMPLATE.md": "g"}, "g"),
        ({".github/PULL_REQUEST_TEMPLATE/bug.md": "b"}, "b"),
        (
            {".github/PULL_REQUEST_TEMPLATE/a.md": "a", ".github/PULL_REQUEST_TEMPLATE/b.md": "b"},
            "",
        ),
        ({"pull_request_template.md": "x" * 9_000}, ""),
        ({"README.md": "x"}, ""),
    ],
)
def test_the_template_is_the_one_that_github_would_choose(
    texts: dict[str, str], chosen: str
) -> None:
    wanted = {path: text for path, text in texts.items() if conventions.is_wanted(path)}
    assert conventions.template(wanted) == chosen


@pytest.mark.parametrize(
    ("path", "text", "is_asked"),
    [
        ("CONTRIBUTING.md", "We use the Developer Certificate of Origin.", True),
        (".github/CONTRIBUTING.md", "Add a DCO line", True),
        ("docs/contributing.rst", "Use `git commit -s`.", True),
        (".github/dco.yml", "require:\n  members: false\n", True),
        ("CONTRIBUTING.md", "Write tests. `git commit -m x`", False),
        ("README.md", "DCO", False),
    ],
)
def test_a_sign_off_is_for_repositories_that_ask_for_it(
    path: str, text: str, is_asked: bool
) -> None:
    texts = {path: text} if conventions.is_wanted(path) else {}
    assert conventions.wants_sign_off(texts) == is_asked


@pytest.mark.parametrize(
    ("prompt", "issues"),
    [
        ("Mend https://github.com/acme/widgets/issues/12, please", (12,)),
        ("https://GitHub.com/Acme/Widgets/pull/3 and …/issues/4", (3,)),
        ("https://github.com/acme/other/issues/12", ()),
        ("https://example.com/acme/widgets/issues/12", ()),
        ("fixes #12", ()),
    ],
)
def test_only_issues_of_the_same_repository_are_linked(
    prompt: str, issues: tuple[int, ...]
) -> None:
    assert conventions.named_issues(prompt, parse("https://github.com/acme/widgets")) == issues


def test_a_body_is_short_whatever_is_long() -> None:
    receipts = tuple(
        Receipt(command="c" * 500, exit_code=1, seconds=1, output_tail="ä" * 4_000, status="failed")
        for _ in range(20)
    )
    text = body(facts(summary="ö" * 9_000, points=("ü" * 500,) * 50, receipts=receipts))
    assert len(text.encode()) <= LARGEST_BYTES
    assert text.endswith("attempt 1.")


@pytest.mark.parametrize(
    ("characters", "kept"), [(14_000, True), (40_000, False)], ids=["usual", "far too long"]
)
def test_the_ask_for_a_push_fits_into_one_event(characters: int, *, kept: bool) -> None:
    receipts = tuple(
        Receipt(command="c" * 500, exit_code=1, seconds=1, output_tail=tail, status="failed")
        for tail in ["\x01" * 4_000, "ok\n" * 1_000] * 10
    )
    request = PushRequest(
        stage="push",
        message="m",
        commit_sha="a" * 40,
        base_branch="main",
        summary="ö" * 8_000,
        is_complete=False,
        validation=receipts,
        body="ä" * characters,
    )
    fitted = fitting(request)
    assert len(msgspec.json.encode(fitted)) <= PUSH_BYTES
    assert len(fitted.validation) == len(receipts)
    assert bool(fitted.body) == kept
    small = msgspec.structs.replace(request, validation=receipts[:1], body="b")
    assert fitting(small) == small


def test_a_question_about_tests_is_answered_by_the_checks() -> None:
    text = body(
        facts(template="### What did you test?\n\n### Why?\n\n### Related issue", issues=(3,))
    )
    assert text.startswith("### What did you test?\n\nPassed in a clean checkout")
    assert "### Why?\n\nIt doubles.\n\n### Related issue\n\nRefs #3.\n\n### Changes" in text


def test_headings_of_signs_alone_answer_nothing() -> None:
    text = body(facts(template="## 🎉\nParty", summary="## 🚀\nIt doubles."))
    assert "## 🎉\n\nParty" in text
    assert "It doubles." in text


def test_the_end_of_an_output_is_short_in_lines_too() -> None:
    long = msgspec.structs.replace(FAILED, output_tail="z\n" * 1_000)
    assert body(facts(receipts=(long,))).count("\nz") == TAIL_LINES


@pytest.mark.parametrize(
    ("receipt", "sentence"),
    [
        ({"baseline": "passed"}, "Fails with this change, and passes without it: `pytest`."),
        ({"baseline": "failed"}, "Fails without this change, too, so it validates nothing"),
        ({"status": "not_run"}, "Did not run: `pytest`."),
    ],
)
def test_a_reviewer_is_told_what_a_check_says_of_the_change(
    receipt: dict[str, str], sentence: str
) -> None:
    changed = msgspec.structs.replace(FAILED, **receipt)
    assert sentence in body(facts(receipts=(changed,), is_complete=False))


def test_no_agent_ticks_what_only_a_person_can() -> None:
    form = "## What\n\nFixes # (issue)\n\n## Related issue\nCloses #\n\n## Checklist\n- [ ] CLA"
    answers = "## Checklist\n- [x] I have signed the CLA\n- [x] Tests added\n## What\nIt doubles."
    text = body(facts(template=form, summary=answers))
    assert "- [ ] I have signed the CLA\n- [x] Tests added" in text
    assert "## What\n\nIt doubles.\n\n## Related issue\n\n## Checklist" in text
    assert "- [ ] I have signed the CLA" in body(facts(summary=answers))


def test_a_failed_set_up_before_the_agent_is_no_matter_for_a_reviewer() -> None:
    assert headings(body(facts(points=(f"{SETUP}`npm ci` did not pass.",)))) == [
        "Summary",
        "Validation",
        "Changes",
    ]


@pytest.mark.parametrize("form", ["## What\n\n## Tests", "## Checklist\n- [ ] Done", "Agreed."])
@pytest.mark.parametrize("answers", ["## What\nIt doubles.\n## Checklist\nDone", "It doubles."])
def test_a_form_never_hides_what_a_reviewer_must_see(form: str, answers: str) -> None:
    text = body(facts(template=form, summary=answers, points=("Lock files are changed.",)))
    assert text.count("## For the reviewer\n\n- Lock files are changed.") == 1
    if form.startswith("## What"):
        assert headings(text)[:2] == ["What", "For the reviewer"]


def test_comments_of_a_template_are_for_its_author() -> None:
    texts = {".github/pull_request_template.md": "<!-- One of: /kind bug -->\n## Kind"}
    assert conventions.template(texts) == "## Kind"
    assert "One of: /kind bug" in conventions.template(texts, has_comments=True)


@pytest.mark.parametrize(
    ("summary", "title", "text"),
    [
        ("Title: fix: double\n\nIt doubles.", "fix: double", "It doubles."),
        ("**Title:** `Fix double`\nIt doubles.", "Fix double", "It doubles."),
        ("## Title: Fix it", "Fix it", "Fix it"),
        ("It doubles.\nTitle: no", "", "It doubles.\nTitle: no"),
        (f"Title: {'x' * 200}\nIt doubles.", "", "It doubles."),
        ("See /run/s/work-agent-a1/checkout/src/a.py", "", "See src/a.py"),
        ("It.\n\n🤖 Generated with [Claude Code](https://x)\n\nCo-authored-by: C <c@d>", "", "It."),
        ("The file is generated by claude.py\nIt.", "", "The file is generated by claude.py\nIt."),
    ],
)
def test_the_agents_words_are_a_title_and_a_description(
    summary: str, title: str, text: str
) -> None:
    assert agent_summary.parse(summary) == agent_summary.AgentSummary(title=title, text=text)


def test_a_commits_message_is_the_description_without_the_form() -> None:
    answers = "## Description\n" + "word " * 30 + "\n\n## Type of change\n- [x] Bug fix"
    message = commit_message("Fix", answers, ["A: b"], template=TEMPLATE)
    lines = message.splitlines()
    assert lines[:2] == ["Fix", ""]
    assert lines[-2:] == ["", "A: b"]
    assert max(map(len, lines)) <= 72
    assert "Type of change" not in message
    assert "Description" not in message
