"""GitHub's REST API: one host and its token; redirects are followed, rate limits waited for.

Source: docs.github.com/rest, "Best practices" (redirects), "Rate limits for the REST API".
"""

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, TypeVar
from urllib.parse import urljoin, urlsplit

import httpx
import msgspec

from ..failure import Failure
from ..github_token import GitHubToken
from ..network.client import PLAIN, Network, http_date
from ..network.hosts import is_same_host
from ..truncation import first_of

TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)
CALL_SECONDS: Final = 60.0
"""For one answer as a whole: the timeout is one of its pieces."""
TRIES: Final = 4
"""Of one request, for errors of the network and of GitHub."""
HOPS: Final = 5
"""Redirects of one call."""
LONGEST_WAIT_SECONDS: Final = 60.0
"""If the time that is left is unknown."""
SECONDARY_WAIT_SECONDS: Final = 60.0
"""GitHub asks for at least a minute where it names no time."""
RESERVE_SECONDS: Final = 5.0
"""Of the time that is left, for the final event."""
ERROR_CHARACTERS: Final = 500
_MOVED: Final = frozenset({301, 302, 307, 308})
_SECONDARY: Final = ("secondary rate limit", "abuse detection")
T = TypeVar("T")
Body = Mapping[str, str | bool]
Send = Callable[[], httpx.Response]


class _Mistake(msgspec.Struct, frozen=True):
    resource: str = ""
    field: str = ""
    code: str = ""
    message: str = ""


class _Error(msgspec.Struct, frozen=True):
    message: str
    errors: tuple[_Mistake | str, ...] = ()


class GitHubApi:
    def __init__(
        self,
        *,
        url: str,
        token: GitHubToken,
        network: Network = PLAIN,
        sleep: Callable[[float], None] = time.sleep,
        seconds_left: Callable[[], float] = lambda: LONGEST_WAIT_SECONDS + RESERVE_SECONDS,
        clock: Callable[[], float] = time.time,
        whole: Callable[[Send], httpx.Response] = lambda send: send(),
    ) -> None:
        """`whole` waits for an answer; raises TimeoutError if it does not come to its end."""
        self.url: Final = url
        self.is_installation: Final = token.current().startswith("ghs_")
        """True for an app's token: the permissions of a user say nothing about it."""
        self._token = token
        self._sleep = sleep
        self._seconds_left = seconds_left
        self._clock = clock
        self._whole = whole
        headers = {
            "accept": "application/vnd.github+json",
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
        most: int = TRIES,
    ) -> httpx.Response:
        """Send it, at most so many times; a repeated POST may find its first one done.

        Raises `github_unreachable`, `github_rate_limited`.
        """
        tries = hops = 0
        may_renew = True
        while True:
            answer = self._sent(method, url, params, json)
            if isinstance(answer, httpx.Response):
                if answer.status_code == httpx.codes.UNAUTHORIZED and may_renew:
                    may_renew = False
                    if self._token.renew():
                        continue
                if answer.status_code in _MOVED:
                    hops += 1
                    url, params = self._next(answer, params, hops)
                    continue
                if (pause := self._asked_pause(answer)) is not None:
                    self._wait(pause, answer)
                    continue
                if answer.status_code < 500 or tries >= most - 1:
                    return answer
            elif tries >= most - 1:
                message = f"GitHub cannot be reached: {str(answer) or type(answer).__name__}"
                raise Failure("github_unreachable", message, retryable=True) from answer
            self._sleep(2.0**tries)
            tries += 1

    def _sent(
        self, method: str, url: str, params: Mapping[str, str] | None, json: Body | None
    ) -> httpx.Response | httpx.RequestError:
        headers = {"authorization": f"Bearer {self._token.current()}"}
        send = partial(self._client.request, method, url, params=params, json=json, headers=headers)
        try:
            return self._whole(send)
        except TimeoutError:
            return httpx.ReadTimeout("the answer did not come to its end")
        except httpx.RequestError as exc:
            return exc

    def _next(
        self, answer: httpx.Response, params: Mapping[str, str] | None, hops: int
    ) -> tuple[str, Mapping[str, str] | None]:
        """The new address of a moved repository; the token goes to no other host."""
        try:
            url = urljoin(str(answer.request.url), answer.headers.get("location", ""))
        except ValueError:
            url = ""
        if hops > HOPS or not is_same_host(url, self.url):
            message = "GitHub's API sends us to another host, or in a circle: it is not followed"
            raise Failure("github_unreachable", message)
        return url, None if urlsplit(url).query else params

    def _asked_pause(self, answer: httpx.Response) -> float | None:
        """The seconds that a rate limit asks for; None for any other answer."""
        headers = answer.headers
        if answer.status_code not in {403, 429}:
            return None
        if (after := headers.get("retry-after")) is not None:
            if after.strip().isdecimal():
                return float(after)
            moment = http_date(after)
            return SECONDARY_WAIT_SECONDS if moment is None else moment - self._now(answer)
        if headers.get("x-ratelimit-remaining") == "0":
            reset = headers.get("x-ratelimit-reset", "")
            known = reset.isdecimal()
            return float(reset) - self._now(answer) + 1 if known else SECONDARY_WAIT_SECONDS
        if answer.status_code == 429 or any(sign in answer.text.lower() for sign in _SECONDARY):
            return SECONDARY_WAIT_SECONDS
        return None

    def _now(self, answer: httpx.Response) -> float:
        """Unix seconds by GitHub's clock, as in its limits."""
        theirs = http_date(answer.headers.get("date", ""))
        return self._clock() if theirs is None else theirs

    def _wait(self, pause: float, answer: httpx.Response) -> None:
        pause = max(1.0, pause)
        if pause > self._seconds_left() - RESERVE_SECONDS:
            message = (
                f"GitHub's rate limit is used up for another {pause:.0f} s, longer than "
                f"this attempt has: {error_text(answer)}"
            )
            raise Failure("github_rate_limited", message, retryable=True)
        self._sleep(pause)


def error_text(answer: httpx.Response) -> str:
    """The status of an error answer, and GitHub's own words."""
    try:
        error = msgspec.json.decode(answer.content, type=_Error)
    except msgspec.MsgspecError:
        text = answer.text
    else:
        text = "; ".join([error.message, *filter(None, map(_sentence, error.errors))])
    return f"GitHub answered {answer.status_code}: {first_of(text, ERROR_CHARACTERS)}"


def decoded(answer: httpx.Response, shape: type[T]) -> T:
    """The document of a successful answer; raises `pull_request_failed`, in GitHub's words."""
    if not answer.is_success:
        is_passing = answer.status_code >= 500
        raise Failure("pull_request_failed", error_text(answer), retryable=is_passing)
    try:
        return msgspec.json.decode(answer.content, type=shape)
    except msgspec.MsgspecError as exc:
        message = f"GitHub's answer is not what its API promises: {exc}"
        raise Failure("pull_request_failed", message) from exc


def _sentence(mistake: _Mistake | str) -> str:
    if isinstance(mistake, str):
        return mistake
    parts = (mistake.resource, mistake.field, mistake.code)
    return mistake.message or " ".join(filter(None, parts))
