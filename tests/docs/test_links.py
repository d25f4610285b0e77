"""Each link leads somewhere, and each variable that is named is one of ours."""

import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from gateway.cli.http.connection import PROFILE_VARIABLE
from tests.docs.samples import FILES, OURS, PAGES, ROOT, inline, tokens
from tests.docs.test_reference import variables

_PATH: Final = re.compile(r"(gateway|launcher|migrations|snapshot|tests)/[\w./-]*")
OF_SANDBOXES: Final = {
    "SLIPGATE_ATTEMPT",
    "SLIPGATE_RESUME_URL",
    "SLIPGATE_TASK_ID",
    "SLIPGATE_WEBHOOK_SECRET",
    "SLIPGATE_WEBHOOK_URL",
}
"""Variables that a sandbox gets from the gateway."""


@cache
def anchors(file: Path) -> set[str]:
    """The names of a page's headings, as GitHub makes them."""
    blocks = tokens(file)
    headings = [blocks[i + 1] for i, token in enumerate(blocks) if token.type == "heading_open"]
    texts = ["".join(part.content for part in one.children or ()) for one in headings]
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def links(file: Path) -> list[str]:
    """The targets of a page's links."""
    found = (token.attrGet("href") for token in inline(file) if token.type == "link_open")
    return [str(target) for target in found]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_link_leads_to_a_page_and_a_heading(file: Path) -> None:
    for target in links(file):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        other = (file.parent / name).resolve() if name else file
        assert other.is_file(), target
        assert not anchor or anchor in anchors(other), target
        # A gateway serves the pages of one folder, and nothing beside it.
        assert file not in PAGES or other in PAGES, target


def test_a_page_shows_images_that_are_there_and_each_is_shown() -> None:
    shown = {
        (file.parent / str(token.attrGet("src"))).resolve()
        for file in FILES
        for token in inline(file)
        if token.type == "image" and not str(token.attrGet("src")).startswith("https://")
    }
    assert shown == set((ROOT / "gateway/docs/images").iterdir())


def test_the_readme_links_every_page() -> None:
    linked = {(ROOT / target.partition("#")[0]).resolve() for target in links(ROOT / "README.md")}
    assert {page for page in PAGES if page.stem != "index"} <= linked


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_a_path_of_the_tree_exists(file: Path) -> None:
    for code in (token.content for token in inline(file) if token.type == "code_inline"):
        if _PATH.fullmatch(code):
            assert (ROOT / code).exists(), code


def test_a_file_that_the_snapshot_names_is_one_of_its_files() -> None:
    folder = ROOT / "snapshot"
    names = {file.name for file in folder.rglob("*")}
    codes = [one.content for one in inline(folder / "README.md") if one.type == "code_inline"]
    assert {code for code in codes if re.fullmatch(r"\w+\.(py|sh|yml)", code)} <= names


@pytest.mark.parametrize("file", OURS, ids=lambda file: file.name)
def test_a_variable_is_a_setting_or_one_of_a_sandbox(file: Path) -> None:
    settings = variables("Of the gateway") | variables("Of the launcher")
    known = settings | OF_SANDBOXES | {PROFILE_VARIABLE}
    assert set(re.findall(r"\bSLIPGATE_[A-Z_]*[A-Z]\b", file.read_text("utf-8"))) <= known


def test_the_readme_has_at_most_250_lines() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 250
