"""A pull request is found and opened where its repository is now."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace

from snapshot.runner.failure import Failure
from snapshot.runner.github_token import GitHubToken
from snapshot.runner.publication.branch_rules import OurPush, Rule, refusal
from snapshot.runner.publication.github import GitHub, Proposal
from tests.snapshot.http_stub import HttpStub, Request, Response

OURS = OurPush(branch="slipgate/x", email="bot@acme.test")
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
    github.check(OURS)
    with pytest.raises(Failure) as caught:
        github.open(PROPOSAL)
    stub.stop()
    assert caught.value.message == "GitHub answered 404: Not Found"


@pytest.mark.parametrize(
    "errors",
    [
        [{"resource": "PullRequest", "field": "head", "code": "invalid"}],
        [{"resource": "PullRequest", "code": "custom", "message": "Head sha can't be blank"}],
        ["not all refs are readable"],
    ],
)
def test_a_branch_that_github_does_not_know_yet_is_waited_for(errors: list[object]) -> None:
    answers = [
        Response(status=422, content={"message": "Validation Failed", "errors": errors}),
        Response(status=201, content={"html_url": "https://github.test/acme/widgets/pull/7"}),
    ]
    stub = HttpStub(lambda _: answers.pop(0))
    pauses: list[float] = []
    token = GitHubToken("ghp_sandbox_token")
    github = GitHub(api_url=stub.url, slug=("acme", "widgets"), token=token, sleep=pauses.append)
    assert github.open(PROPOSAL).number == "7"
    stub.stop()
    assert pauses == [2.0]


def _pattern(operator: str, pattern: str, **more: object) -> dict[str, object]:
    return {"operator": operator, "pattern": pattern, **more}


THERE = replace(OURS, is_there=True)
NAME, EMAIL = "branch_name_pattern", "commit_author_email_pattern"
CHECKS = "required_status_checks"


@pytest.mark.parametrize(
    ("push", "kind", "parameters", "words"),
    [
        (OURS, "creation", None, "create such a branch"),
        (THERE, "creation", None, None),
        (OURS, "update", {"update_allows_fetch_and_merge": False}, None),
        (THERE, "update", None, "change such a branch"),
        (OURS, "pull_request", {"required_approving_review_count": 1}, "a pull request"),
        (OURS, "merge_queue", {}, "a merge queue"),
        (OURS, "required_signatures", None, "SLIPGATE_SIGNING_KEY"),
        (replace(OURS, is_signed=True), "required_signatures", None, None),
        (OURS, CHECKS, {"do_not_enforce_on_create": False}, "checks"),
        (OURS, CHECKS, {"do_not_enforce_on_create": True}, None),
        (THERE, CHECKS, {"do_not_enforce_on_create": True}, "checks"),
        (OURS, NAME, _pattern("starts_with", "feature/"), "starts with 'feature/'"),
        (OURS, NAME, _pattern("regex", "^[a-z]+/x$"), None),
        (OURS, NAME, _pattern("contains", "slip", negate=True), "not contains 'slip'"),
        (OURS, NAME, _pattern("regex", "(["), None),
        (OURS, NAME, _pattern("resembles", "x"), None),
        (OURS, EMAIL, _pattern("ends_with", "@acme.test"), None),
        (OURS, EMAIL, _pattern("ends_with", "@other.test"), "GIT_AUTHOR_EMAIL"),
        (OURS, "deletion", None, None),
        (OURS, "file_path_restriction", {"restricted_file_paths": ["a"]}, None),
    ],
)
def test_a_rule_that_refuses_the_push_is_known_before(
    push: OurPush, kind: str, parameters: dict[str, object] | None, words: str | None
) -> None:
    reason = refusal(Rule(type=kind, parameters=parameters), push)
    assert (reason is None) is (words is None)
    assert (words or "") in (reason or "")
