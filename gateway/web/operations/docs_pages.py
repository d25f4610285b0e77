"""`/docs`: the Markdown pages of `gateway/docs` as HTML, open to everybody."""

import asyncio
import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import HTMLResponse, Response

from gateway.domain.kernel.errors import ApiError
from gateway.web.http.access import OPEN
from gateway.web.http.call import Call
from gateway.web.http.operation import Answer, Content, Operation
from gateway.web.openapi.reference import reference

if TYPE_CHECKING:
    from markdown_it.token import Token

_FOLDER: Final = Path(__file__).parents[2] / "docs"
IMAGES: Final = _FOLDER / "images"
"""Screenshots, which `make pictures` takes."""
_INDEX: Final = "index"
_REFERENCE: Final = "api"
"""The page that is made of the OpenAPI document."""
_LINK: Final = re.compile(r"([a-z-]+)\.md(#.*)?")
_HTML: Final = (
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width">\n'
    "<title>{title} · slipgate</title>\n<style>{style}</style>\n"
    '<header><a href="/docs">slipgate documentation</a> · <a href="/docs/api">API reference</a>'
    "</header>\n{contents}<main>\n{body}</main>\n"
)
_PAGE: Final = Answer(
    meaning="The page.",
    content=(Content(kind=str, example="<!doctype html>…", media_type="text/html"),),
    headers=("Content-Security-Policy", "X-Content-Type-Options"),
)


@Operation(
    id="readDocs",
    tag="Operations",
    summary="List the pages of the documentation",
    description="The pages of `gateway/docs` of this very version, and the reference of this API.",
    access=OPEN,
    answers=(_PAGE,),
)
async def index(_call: Call[None]) -> Response:
    """The list of pages."""
    return await _response(partial(_rendered, _INDEX))


@Operation(
    id="readDocsPage",
    tag="Operations",
    summary="Read one page of the documentation",
    description=(
        "`api` is the reference of this API; the other names are those of the pages that the "
        "index lists."
    ),
    access=OPEN,
    answers=(_PAGE,),
    errors=("not_found",),
)
async def page(call: Call[None]) -> Response:
    """One page.

    Raises:
        ApiError: there is no page of this name.
    """
    name = call.path["page"]
    if name == _REFERENCE:
        return await _response(partial(_rendered_reference, call.request.app.openapi))
    if name == _INDEX or name not in _names():
        raise ApiError("not_found", "There is no such page.", hint="GET /docs lists the pages.")
    return await _response(partial(_rendered, name))


async def _response(render: Callable[[], str]) -> Response:
    # In a thread: the first rendering of a long page takes 0.1 s.
    content = await asyncio.to_thread(render)
    headers = {
        "Content-Security-Policy": f"default-src 'none'; style-src '{_style_hash()}'; "
        "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(content, headers=headers)


@cache
def _names() -> frozenset[str]:
    return frozenset(file.stem for file in _FOLDER.glob("*.md"))


@cache
def _style() -> str:
    return (_FOLDER / "style.css").read_text("utf-8")


@cache
def _style_hash() -> str:
    """The source expression that allows the one inline stylesheet (CSP level 3)."""
    return f"sha256-{base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()}"


@cache
def _rendered(name: str) -> str:
    from markdown_it import MarkdownIt  # noqa: PLC0415  # not before somebody reads a page

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse((_FOLDER / f"{name}.md").read_text("utf-8"))
    headings = [*_with_anchors(tokens)]
    _link_pages(tokens)
    return _HTML.format(
        title=escape(headings[0][2]),
        style=_style(),
        contents=_contents(headings[1:]) if name != _INDEX else "",
        body=markdown.renderer.render(tokens, markdown.options, {}),
    )


@cache
def _rendered_reference(document: bytes) -> str:
    return reference(msgspec.json.decode(document), _style())


def _with_anchors(tokens: Sequence["Token"]) -> Iterator[tuple[str, str, str]]:
    """Give each heading an id as GitHub does; yields (tag, id, text)."""
    seen: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            text = "".join(child.content for child in inline.children or ())
            anchor = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
            seen[anchor] = seen.get(anchor, -1) + 1
            if seen[anchor]:
                anchor = f"{anchor}-{seen[anchor]}"
            opening.attrSet("id", anchor)
            yield opening.tag, anchor, text


def _link_pages(tokens: Sequence["Token"]) -> None:
    """Turn links to other pages, `agents.md#x`, and to images into paths of this site."""
    for token in (child for inline in tokens for child in inline.children or ()):
        if token.type == "image":
            token.attrSet("src", f"/docs/{token.attrGet('src')}")
        link = _LINK.fullmatch(str(token.attrGet("href") or ""))
        if link is not None:
            path = "/docs" if link[1] == _INDEX else f"/docs/{link[1]}"
            token.attrSet("href", path + (link[2] or ""))


def _contents(headings: Sequence[tuple[str, str, str]]) -> str:
    items = [
        f'<li class="{tag}"><a href="#{anchor}">{escape(text)}</a>'
        for tag, anchor, text in headings
        if tag in {"h2", "h3"}
    ]
    return "<nav><ul>\n{}\n</ul></nav>\n".format("\n".join(items)) if items else ""
