"""A fake of GitHub's REST API: repositories and their pull requests.

Source: docs.github.com/rest/pulls/pulls. As GitHub, it refuses a wrong token, a branch that was not
pushed, a branch without commits of its own, and a second pull request of a branch.
"""

from asyncio import to_thread
from collections.abc import Mapping
from hmac import compare_digest
from pathlib import Path
from typing import Annotated, Final

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.demo.git import branch_tip, default_branch

DOCUMENTATION: Final = "https://docs.github.com/rest"
Required = Annotated[str, msgspec.Meta(min_length=1)]


class NewPull(msgspec.Struct, frozen=True, kw_only=True):
    """The body of `POST …/pulls`."""

    title: Required
    head: Required
    base: Required
    body: str | None = None
    draft: bool = False


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a pull request."""

    label: str
    ref: str
    sha: str


class Pull(msgspec.Struct, frozen=True, kw_only=True):
    """A pull request."""

    number: int
    html_url: str
    url: str
    state: str
    draft: bool
    title: str
    body: str | None
    head: Branch
    base: Branch
    merged: bool = False


class Unprocessable(Exception):
    """A refused pull request: an entry of the answer's `errors`."""

    def __init__(self, code: str, **details: str) -> None:
        super().__init__(code)
        self.error = {"resource": "PullRequest", "code": code, **details}


class GitHub:
    """The API over some bare repositories, named `owner/name`; keeps the pull requests made."""

    def __init__(self, *, token: str, repositories: Mapping[str, Path]) -> None:
        self._token = token
        self._repositories = repositories
        self._pulls: dict[str, list[Pull]] = {}
        repository = "/repos/{owner}/{name}"
        self.app = Starlette(
            routes=[
                Route("/rate_limit", self._limits, methods=["GET"]),
                Route(repository, self._show_repository, methods=["GET"]),
                Route(f"{repository}/pulls", self._list, methods=["GET"]),
                Route(f"{repository}/pulls", self._create, methods=["POST"]),
                Route(f"{repository}/pulls/{{number:int}}", self._show, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _http_error, Unprocessable: _unprocessable},
        )

    def pulls(self, slug: str) -> tuple[Pull, ...]:
        """The pull requests of a repository, oldest first."""
        return tuple(self._pulls.get(slug, ()))

    async def _show_repository(self, request: Request) -> Response:
        slug, folder = self._authorize(request)
        return _json(
            {
                "name": slug.partition("/")[2],
                "full_name": slug,
                "default_branch": await to_thread(default_branch, folder),
                "html_url": f"{request.base_url}{slug}",
                "private": False,
            }
        )

    async def _list(self, request: Request) -> Response:
        slug, _ = self._authorize(request)
        state = request.query_params.get("state", "open")
        head = request.query_params.get("head")
        base = request.query_params.get("base")
        found = [
            pull
            for pull in reversed(self.pulls(slug))
            if state in {"all", pull.state}
            and head in {None, pull.head.label}
            and base in {None, pull.base.ref}
        ]
        return _json(found)

    async def _show(self, request: Request) -> Response:
        slug, _ = self._authorize(request)
        number = request.path_params["number"]
        found = [pull for pull in self.pulls(slug) if pull.number == number]
        if not found:
            raise HTTPException(404, "Not Found")
        return _json(found[0])

    async def _create(self, request: Request) -> Response:
        slug, folder = self._authorize(request)
        new = _new_pull(await request.body())
        head = await self._branch(slug, folder, new.head, "head")
        base = await self._branch(slug, folder, new.base, "base")
        self._check_new(slug, head, base)
        number = len(self.pulls(slug)) + 1
        pull = Pull(
            number=number,
            html_url=f"{request.base_url}{slug}/pull/{number}",
            url=f"{request.base_url}repos/{slug}/pulls/{number}",
            state="open",
            draft=new.draft,
            title=new.title,
            body=new.body,
            head=head,
            base=base,
        )
        self._pulls.setdefault(slug, []).append(pull)
        return _json(pull, status=201)

    async def _limits(self, request: Request) -> Response:
        self._check_token(request)
        return _json({"resources": {}, "rate": {"limit": 5000, "remaining": 5000, "reset": 0}})

    def _authorize(self, request: Request) -> tuple[str, Path]:
        """Checks the token and returns the repository of the path."""
        self._check_token(request)
        slug = f"{request.path_params['owner']}/{request.path_params['name']}"
        if slug not in self._repositories:
            raise HTTPException(404, "Not Found")
        return slug, self._repositories[slug]

    def _check_token(self, request: Request) -> None:
        given = request.headers.get("authorization", "")
        scheme, _, token = given.partition(" ")
        is_known = compare_digest(token.encode(), self._token.encode())
        if scheme.lower() not in {"bearer", "token"} or not is_known:
            raise HTTPException(401, "Bad credentials")

    async def _branch(self, slug: str, folder: Path, name: str, field: str) -> Branch:
        """`branch` or `owner:branch`, as it was pushed."""
        owner = slug.partition("/")[0]
        ref = name.removeprefix(f"{owner}:")
        sha = await to_thread(branch_tip, folder, ref)
        if sha is None:
            raise Unprocessable("invalid", field=field)
        return Branch(label=f"{owner}:{ref}", ref=ref, sha=sha)

    def _check_new(self, slug: str, head: Branch, base: Branch) -> None:
        if head.sha == base.sha:
            raise Unprocessable("custom", message=f"No commits between {base.ref} and {head.ref}")
        ends = (head.ref, base.ref)
        if any((pull.head.ref, pull.base.ref) == ends for pull in self.pulls(slug)):
            message = f"A pull request already exists for {head.label}."
            raise Unprocessable("custom", message=message)


def _new_pull(body: bytes) -> NewPull:
    try:
        return msgspec.json.decode(body, type=NewPull)
    except msgspec.ValidationError as exc:
        raise Unprocessable("invalid", message=f"Invalid request.\n\n{exc}") from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise HTTPException(400, "Problems parsing JSON") from exc


async def _http_error(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        raise exc
    return _error(exc.detail, exc.status_code)


async def _unprocessable(_: Request, exc: Exception) -> Response:
    if not isinstance(exc, Unprocessable):
        raise exc
    return _error("Validation Failed", 422, errors=[exc.error])


def _error(message: str, status: int, **more: object) -> Response:
    document = {"message": message, "documentation_url": DOCUMENTATION, "status": str(status)}
    return _json({**document, **more}, status=status)


def _json(value: object, *, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, media_type="application/json")
