"""The thread of a pull request: each word once, and never in the way of a result."""

from typing import cast

from snapshot.runner.github_token import GitHubToken
from snapshot.runner.publication.github import GitHub
from snapshot.runner.publication.thread import Thread
from snapshot.runner.stop import Reason, Stopped
from tests.snapshot.github_stub import GitHubStub


class Host:
    """GitHub's thread, which can be read or not, and may be stopped at."""

    def __init__(self, *, is_readable: bool = True, is_stopped: bool = False) -> None:
        self.comments: list[str] = []
        self._is_readable = is_readable
        self._is_stopped = is_stopped

    def get(self, _path: str, _shape: object, **_params: str) -> tuple[()] | None:
        return () if self._is_readable else None

    def comment(self, _number: str, text: str) -> None:
        if self._is_stopped:
            raise Stopped(Reason.CANCELLED, "cancelled")
        self.comments.append(text)


def thread(host: Host) -> Thread:
    return Thread(
        github=cast("GitHub", host), number="7", task_id="task_1", attempt=1, redact=lambda it: it
    )


def test_nothing_is_said_twice_for_a_thread_that_cannot_be_read() -> None:
    host = Host(is_readable=False)
    thread(host).end("done")
    assert host.comments == []
    readable = Host()
    thread(readable).end("done")
    assert len(readable.comments) == 1


def test_a_comment_whose_answer_was_lost_is_looked_for_after_a_pause() -> None:
    stub, pauses = GitHubStub(lost_answers=1), list[float]()
    token = GitHubToken(stub.token)
    github = GitHub(
        api_url=stub.http.url, slug=("acme", "widgets"), token=token, sleep=pauses.append
    )
    Thread(github=github, number="7", task_id="t", attempt=1, redact=str).end("done")
    stub.http.stop()
    assert (len(stub.comments), pauses) == (1, [1.0])


def test_a_stop_while_the_end_is_told_loses_no_result() -> None:
    thread(Host(is_stopped=True)).end("done")
