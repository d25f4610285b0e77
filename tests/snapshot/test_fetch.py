"""Reads from the gateway: what it refuses is final, what is in its way passes."""

from collections.abc import Iterator

import pytest

from snapshot.runner.failure import Failure
from snapshot.runner.reporting.channel import SignedChannel
from snapshot.runner.reporting.fetch import TRIES, fetch_patch
from snapshot.runner.reporting.signing import Signer
from snapshot.runner.variables import Secret
from tests.snapshot.gateway_stub import SECRET, refusal
from tests.snapshot.http_stub import HttpStub, Request, Response

PROXY = Response(status=404, content=b"<h1>No tunnel here</h1>")


class Refusing:
    """A server that answers every request alike."""

    def __init__(self) -> None:
        self.response = PROXY
        self.requests: list[Request] = []
        self.http = HttpStub(self._answer)

    def _answer(self, request: Request) -> Response:
        self.requests.append(request)
        return self.response


@pytest.fixture
def refusing() -> Iterator[Refusing]:
    server = Refusing()
    yield server
    server.http.stop()


@pytest.mark.parametrize(
    ("response", "tries", "message"),
    [
        pytest.param(refusal(404, "no_patch"), 1, "404 no_patch", id="there is none"),
        pytest.param(refusal(410, "attempt_finished"), 1, "410 attempt_finished", id="over"),
        pytest.param(refusal(503, "unavailable"), TRIES, "HTTP 503", id="busy"),
        pytest.param(PROXY, TRIES, "HTTP 404", id="a proxy in its place"),
    ],
)
def test_only_a_refusal_of_the_gateway_itself_is_final(
    refusing: Refusing, response: Response, tries: int, message: str
) -> None:
    refusing.response = response
    url = refusing.http.url
    channel = SignedChannel(url=url, signer=Signer(Secret(SECRET)), traceparent=None)
    with pytest.raises(Failure, match=message) as failed:
        fetch_patch(channel, url, lambda _: None)
    assert (len(refusing.requests), failed.value.retryable) == (tries, tries == TRIES)
