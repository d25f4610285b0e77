"""GitHub's REST API: one host, the token for it, and patience with its limits.

Source: docs.github.com/rest, "Best practices" (redirects), "Rate limits for the REST API".
"""

import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from ..failure import Failure
from ..network.client import PLAIN, Network
from ..network.hosts import is_same_host
from ..secret import Secret
from ..truncation import first_of

TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
TRIES: Final = 4
"""Of one request, while the failure is GitHub's or the network's."""
HOPS: Final = 5
LONGEST_WAIT_SECONDS: Final = 60.0
"""Where nobody says how much time there is."""
SECONDARY_WAIT_SECONDS: Final = 60.0
"""GitHub asks for at least a minute where it names no time."""
RESERVE_SECONDS: Final = 5.0
"""Of the time that is left, for the last word."""
WORDS: Final = 500
_MOVED: Final = frozenset({301, 302, 307, 308})
_SECONDARY: Final = ("secondary rate limit", "abuse detection")
T = TypeVar("T")
Body = Mapping[str, str | bool]


class _Mistake(msgspec.Struct, frozen=True):
    resource: str = ""
    field: str = ""
    code: str = ""
    message: str = ""


class _Complaint(msgspec.Struct, frozen=True):
    message: str
    errors: tuple[_Mistake | str, ...] = ()


class GitHubApi:
    """Sends requests; what may pass is waited for as long as there is time."""

    def __init__(
        self,
        *,
        url: str,
        token: Secret,
        network: Network = PLAIN,
        sleep: Callable[[float], None] = time.sleep,
        seconds_left: Callable[[], float] = lambda: LONGEST_WAIT_SECONDS + RESERVE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url: Final = url
        self.is_installation: Final = token.value.startswith("ghs_")
        """Whether the token is an app's: what a user may do says nothing of it."""
        self._sleep = sleep
        self._seconds_left = seconds_left
        self._clock = clock
        headers = {
            "accept": "application/vnd.github+json",
            "authorization": f"Bearer {token.value}",
            "user-agent": "slipgate-snapshot",
            "x-github-api-version": "2022-11-28",
        }
        self._client = network.client(url, timeout=TIMEOUT, headers=headers)

    def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Body | None = None,
    ) -> httpx.Response:
        """Send it, as often as it takes; a repeated POST may find its first sending done.

        Raises:
            Failure: `github_unreachable`, `github_rate_limited`.
        """
        tries = hops = 0
        while True:
            answer = self._sent(method, url, params, json)
            if isinstance(answer, httpx.Response):
                if answer.status_code in _MOVED:
                    hops += 1
                    url, params = self._next(answer, params, hops)
                    continue
                if (pause := self._asked_pause(answer)) is not None:
                    self._wait(pause, answer)
                    continue
                if answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR or tries >= TRIES - 1:
                    return answer
            elif tries >= TRIES - 1:
                message = f"GitHub cannot be reached: {str(answer) or type(answer).__name__}"
                raise Failure("github_unreachable", message, retryable=True) from answer
            self._sleep(2.0**tries)
            tries += 1

    def _sent(
        self, method: str, url: str, params: Mapping[str, str] | None, json: Body | None
    ) -> httpx.Response | httpx.RequestError:
        try:
            return self._client.request(method, url, params=params, json=json)
        except httpx.RequestError as exc:
            return exc

    def _next(
        self, answer: httpx.Response, params: Mapping[str, str] | None, hops: int
    ) -> tuple[str, Mapping[str, str] | None]:
        """Where a moved repository is now: on the same host, or nowhere for our token."""
        url = _joined(str(answer.request.url), answer.headers.get("location", ""))
        if hops > HOPS or not is_same_host(url, self.url):
            message = "GitHub's API sends us to another host, or in a circle: it is not followed"
            raise Failure("github_unreachable", message)
        return url, None if urlsplit(url).query else params

    def _asked_pause(self, answer: httpx.Response) -> float | None:
        """The seconds a rate limit asks for; None: this answer is none."""
        headers = answer.headers
        if answer.status_code not in {403, 429}:
            return None
        if (after := headers.get("retry-after")) is not None:
            return self._until(after, answer)
        if headers.get("x-ratelimit-remaining") == "0":
            reset = headers.get("x-ratelimit-reset", "")
            known = reset.isdecimal()
            return float(reset) - self._now(answer) + 1 if known else SECONDARY_WAIT_SECONDS
        if answer.status_code == 429 or any(sign in answer.text.lower() for sign in _SECONDARY):
            return SECONDARY_WAIT_SECONDS
        return None

    def _until(self, after: str, answer: httpx.Response) -> float:
        if after.strip().isdecimal():
            return float(after)
        moment = _moment(after)
        return SECONDARY_WAIT_SECONDS if moment is None else moment - self._now(answer)

    def _now(self, answer: httpx.Response) -> float:
        """Unix seconds by GitHub's clock, which its limits are told by."""
        theirs = _moment(answer.headers.get("date", ""))
        return self._clock() if theirs is None else theirs

    def _wait(self, pause: float, answer: httpx.Response) -> None:
        pause = max(1.0, pause)
        if pause > self._seconds_left() - RESERVE_SECONDS:
            message = (
                f"GitHub's rate limit is used up for another {pause:.0f} s, longer than "
                f"this attempt has: {words(answer)}"
            )
            raise Failure("github_rate_limited", message, retryable=True)
        self._sleep(pause)


def words(answer: httpx.Response) -> str:
    """What GitHub says of a refusal, in its own words."""
    try:
        complaint = msgspec.json.decode(answer.content, type=_Complaint)
    except msgspec.MsgspecError:
        return f"GitHub answered {answer.status_code}: {first_of(answer.text, WORDS)}"
    mistakes = [_sentence(mistake) for mistake in complaint.errors]
    text = "; ".join([complaint.message, *filter(None, mistakes)])
    return f"GitHub answered {answer.status_code}: {first_of(text, WORDS)}"


def decoded(answer: httpx.Response, shape: type[T]) -> T:
    """The document of a successful answer.

    Raises:
        Failure: `pull_request_failed`, in GitHub's words.
    """
    if not answer.is_success:
        is_passing = answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        raise Failure("pull_request_failed", words(answer), retryable=is_passing)
    try:
        return msgspec.json.decode(answer.content, type=shape)
    except msgspec.MsgspecError as exc:
        message = f"GitHub's answer is not what its API promises: {exc}"
        raise Failure("pull_request_failed", message) from exc


def _sentence(mistake: _Mistake | str) -> str:
    if isinstance(mistake, str):
        return mistake
    return mistake.message or " ".join(
        filter(None, (mistake.resource, mistake.field, mistake.code))
    )


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return ""


def _moment(header: str) -> float | None:
    try:
        return parsedate_to_datetime(header).timestamp()
    except (ValueError, OverflowError):
        return None
