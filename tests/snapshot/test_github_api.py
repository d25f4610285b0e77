"""Patience with GitHub: its limits are waited for, its events are kept, its redirects followed."""

import threading
from collections.abc import Callable, Iterator
from email.utils import formatdate
from functools import partial

import pytest

from snapshot.runner.failure import Failure
from snapshot.runner.github_token import GitHubToken
from snapshot.runner.publication.github_api import GitHubApi, error_text
from snapshot.runner.stop import Stop
from tests.snapshot.http_stub import HttpStub, Request, Response

NOW = 1_800_000_000.0
SECONDARY = {"message": "You have exceeded a secondary rate limit. Please wait a few minutes."}
PRIMARY = {"message": "API rate limit exceeded for user ID 1."}
FORBIDDEN = {"message": "Resource not accessible by personal access token"}


class Script:
    """Answers in order, the last one for good; notes what was asked and slept."""

    def __init__(self) -> None:
        self.answers: list[Response] = []
        self.requests: list[Request] = []
        self.slept: list[float] = []
        self.http = HttpStub(self._answer)

    def api(self, seconds_left: float = 600) -> GitHubApi:
        """A client whose waits take no time."""
        return GitHubApi(
            url=self.http.url,
            token=GitHubToken("ghp_sandbox_token"),
            sleep=self.slept.append,
            seconds_left=lambda: seconds_left,
            clock=lambda: NOW,
        )

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def script() -> Iterator[Script]:
    """A GitHub that does as it is told."""
    script = Script()
    yield script
    script.http.stop()


def _limited(status: int, content: object, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=status, content=content, headers=named)


RESET = {"x_ratelimit_remaining": "0", "date": formatdate(NOW, usegmt=True)}


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        (_limited(403, PRIMARY, **RESET, x_ratelimit_reset=f"{NOW + 3:.0f}"), 4),
        (_limited(429, PRIMARY, **RESET, x_ratelimit_reset=f"{NOW + 3:.0f}"), 4),
        (_limited(403, PRIMARY, **RESET, x_ratelimit_reset=f"{NOW - 9:.0f}"), 1),
        (_limited(403, PRIMARY, **RESET, x_ratelimit_reset="soon"), 60),
        (_limited(403, SECONDARY, retry_after="7"), 7),
        (_limited(429, "slow down", retry_after="7"), 7),
        (_limited(429, "x", date=RESET["date"], retry_after=formatdate(NOW + 9, usegmt=True)), 9),
        (_limited(429, "x", retry_after="later"), 60),
        (_limited(403, SECONDARY), 60),
        (_limited(429, PRIMARY), 60),
        (_limited(500, "broken"), 1),
        (_limited(503, "broken"), 1),
    ],
)
def test_what_passes_is_waited_for(script: Script, answer: Response, pause: float) -> None:
    script.answers = [answer, Response(content={"ok": True})]
    assert script.api().request("GET", f"{script.http.url}/x").status_code == 200
    assert script.slept == [pause]


def test_a_limit_longer_than_the_time_that_is_left_is_reported_in_githubs_words(
    script: Script,
) -> None:
    reset = f"{NOW + 3000:.0f}"
    script.answers = [_limited(403, PRIMARY, **RESET, x_ratelimit_reset=reset)]
    with pytest.raises(Failure) as caught:
        script.api(seconds_left=120).request("GET", f"{script.http.url}/x")
    assert (caught.value.code, caught.value.retryable) == ("github_rate_limited", True)
    assert "API rate limit exceeded for user ID 1." in caught.value.message
    assert script.slept == []


@pytest.mark.parametrize("status", [401, 403, 404, 410, 422])
def test_what_does_not_pass_is_answered_at_once(script: Script, status: int) -> None:
    script.answers = [Response(status=status, content=FORBIDDEN)]
    answer = script.api().request("POST", f"{script.http.url}/x", json={"a": "b"})
    assert (answer.status_code, script.slept) == (status, [])
    assert error_text(answer) == f"GitHub answered {status}: {FORBIDDEN['message']}"


def test_a_mistake_is_reported_with_its_field(script: Script) -> None:
    errors = [{"resource": "PullRequest", "field": "base", "code": "invalid"}, "and more"]
    content = {"message": "Validation Failed", "errors": errors}
    script.answers = [Response(status=422, content=content)]
    answer = script.api().request("POST", f"{script.http.url}/x")
    assert error_text(answer).endswith("Validation Failed; PullRequest base invalid; and more")


def test_a_github_that_does_not_answer_is_tried_and_then_reported(script: Script) -> None:
    script.http.stop()
    with pytest.raises(Failure) as caught:
        script.api().request("GET", f"{script.http.url}/x")
    assert (caught.value.code, caught.value.retryable) == ("github_unreachable", True)
    assert script.slept == [1, 2, 4]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("way", ["absolute", "relative"])
def test_a_redirect_on_the_host_keeps_method_body_and_token(
    script: Script, status: int, way: str
) -> None:
    start = script.http.url if way == "absolute" else ""
    moved = Response(status=status, content={}, headers={"location": f"{start}/repositories/1"})
    script.answers = [moved, Response(status=201, content={})]
    script.api().request("POST", f"{script.http.url}/repos/a/b", json={"title": "x"})
    first, second = script.requests
    assert (second.method, second.target, second.body) == ("POST", "/repositories/1", first.body)
    assert second.headers["authorization"] == "Bearer ghp_sandbox_token"


def test_a_query_is_kept_where_the_redirect_has_none(script: Script) -> None:
    moved = Response(status=307, content={}, headers={"location": "/repositories/1/pulls"})
    script.answers = [moved, Response(content=[])]
    script.api().request("GET", f"{script.http.url}/repos/a/b/pulls", params={"head": "a:b"})
    assert script.requests[1].target == "/repositories/1/pulls?head=a%3Ab"


@pytest.mark.parametrize(
    "location",
    [
        lambda url: url.replace("127.0.0.1", "localhost"),
        lambda url: url.replace("http:", "https:"),
        lambda url: "https://[",
        lambda url: "",
        lambda url: f"{url}/again",
    ],
    ids=["another host", "another scheme", "no address", "nowhere", "a circle"],
)
def test_no_other_redirect_is_followed_for_ever(
    script: Script, location: Callable[[str], str]
) -> None:
    there = location(script.http.url)
    script.answers = [Response(status=307, content={}, headers={"location": there})]
    with pytest.raises(Failure) as caught:
        script.api().request("GET", f"{script.http.url}/x")
    assert (caught.value.code, caught.value.retryable) == ("github_unreachable", False)
    assert len(script.requests) <= 6


def test_an_answer_that_does_not_come_whole_is_not_waited_for() -> None:
    held = threading.Event()
    github = HttpStub(lambda _: Response(status=200 if held.wait() else 500))
    whole = partial(Stop().call, seconds=0.05)
    api = GitHubApi(url=github.url, token=GitHubToken("t"), sleep=lambda _: None, whole=whole)
    try:
        with pytest.raises(Failure, match="did not come to its end"):
            api.request("GET", github.url)
    finally:
        held.set()
        github.stop()
