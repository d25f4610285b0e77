"""A pull request is found and opened where its repository is now."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from snapshot.runner.failure import Failure
from snapshot.runner.github_token import GitHubToken
from snapshot.runner.publication.github import GitHub, Proposal
from tests.snapshot.http_stub import HttpStub, Request, Response

PROPOSAL = Proposal(branch="slipgate/x", base="main", title="T", body="B")
GONE = Response(status=404, content={"message": "Not Found"})


class Moved:
    """acme/widgets, which is now tools/gadgets; only its number leads there."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.is_open = False
        self.looks = Response(content={"full_name": "tools/gadgets", "owner": {"login": "tools"}})
        self.http = HttpStub(self._answer)

    def github(self) -> GitHub:
        """As the task names it."""
        token = GitHubToken("ghp_sandbox_token")
        return GitHub(api_url=self.http.url, slug=("acme", "widgets"), token=token)

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        target = urlsplit(request.target)
        page = {"html_url": f"{self.http.url}/tools/gadgets/pull/7", "draft": True}
        if target.path == "/repos/acme/widgets/pulls":
            location = request.target.replace("/repos/acme/widgets", "/repositories/1")
            return Response(status=307, content={}, headers={"location": location})
        if target.path == "/repositories/1":
            return self.looks
        if target.path == "/repositories/1/pulls" and request.method == "GET":
            is_theirs = parse_qs(target.query)["head"] == ["tools:slipgate/x"]
            return Response(content=[page] if is_theirs else [])
        if target.path == "/repositories/1/pulls" and self.is_open:
            return Response(status=422, content={"message": "A pull request already exists"})
        return Response(status=201, content=page) if request.method == "POST" else GONE


@pytest.fixture
def moved() -> Iterator[Moved]:
    """Such a GitHub."""
    moved = Moved()
    yield moved
    moved.http.stop()


def test_it_is_opened_at_the_new_place(moved: Moved) -> None:
    github = moved.github()
    opened = github.open(PROPOSAL)
    assert (urlsplit(opened.html_url).path, opened.draft) == ("/tools/gadgets/pull/7", True)
    assert github.moved_to == "tools/gadgets"


def test_the_open_one_is_found_under_the_new_owner(moved: Moved) -> None:
    moved.is_open = True
    opened = moved.github().open(PROPOSAL)
    assert urlsplit(opened.html_url).path == "/tools/gadgets/pull/7"


def test_one_that_was_opened_is_not_lost_to_a_look_that_fails(moved: Moved) -> None:
    moved.looks = Response(status=401, content={"message": "Bad credentials"})
    assert moved.github().open(PROPOSAL).draft


def test_a_repository_that_github_does_not_show_is_reported_in_its_words() -> None:
    stub = HttpStub(lambda _: GONE)
    token = GitHubToken("ghp_sandbox_token")
    github = GitHub(api_url=stub.url, slug=("acme", "widgets"), token=token)
    github.check("slipgate/x")
    with pytest.raises(Failure) as caught:
        github.open(PROPOSAL)
    stub.stop()
    assert caught.value.message == "GitHub answered 404: Not Found"
