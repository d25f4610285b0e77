"""The few calls of Daytona's API, typed; every failure is a `ProviderError`."""

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from launcher.outgoing import DIRECT, Outgoing
from launcher.providers.daytona.documents import Complaint
from launcher.providers.daytona.refusals import refusal, unavailable
from launcher.providers.protocol import ProviderError

T = TypeVar("T")
Witness = Callable[[httpx.Response], Awaitable[None]]

CREATE_SECONDS: Final = 90.0
"""The API holds a create for up to 30 s."""
CALL_SECONDS: Final = 20.0
NOT_FOUND: Final = 404


class Unanswered(ProviderError):
    """Nobody knows whether it was done: the connection broke, or a proxy answered."""


class Conflict(ProviderError):
    """409: the name is taken, or the state is changing."""


class DaytonaHttp:
    """One organisation's API."""

    def __init__(self, http: httpx.AsyncClient, *, seconds: float = CALL_SECONDS) -> None:
        self._http = http
        self._seconds = seconds

    async def get(self, path: str, kind: type[T], *, query: dict[str, str] | None = None) -> T:
        """A document.

        Raises:
            ProviderError: there is none, or it cannot be had.
        """
        return _read(await self._send("GET", path, query=query), kind)

    async def find(self, path: str, kind: type[T]) -> T | None:
        """A document, or None for 404."""
        response = await self._send("GET", path)
        return None if response.status_code == NOT_FOUND else _read(response, kind)

    async def post(self, path: str, body: object, kind: type[T], *, seconds: float = 0) -> T:
        """What was made or done."""
        return _read(await self._send("POST", path, body=body, seconds=seconds), kind)

    async def delete(self, path: str) -> None:
        """Accepted, or not there."""
        response = await self._send("DELETE", path)
        if response.status_code != NOT_FOUND:
            _check(response)

    async def text(self, path: str) -> str:
        """A plain text; empty for 404."""
        response = await self._send("GET", path)
        if response.status_code == NOT_FOUND:
            return ""
        _check(response)
        return response.text

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: object = None,
        seconds: float = 0,
    ) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        try:
            return await self._http.request(
                method, path, params=query, content=content, timeout=seconds or self._seconds
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unanswered(f"no answer to {method} ({type(error).__name__})") from error


def open_daytona(
    url: str, api_key: str, witness: Witness | None = None, *, outgoing: Outgoing = DIRECT
) -> httpx.AsyncClient:
    """The connection; no proxy of the environment sees the key. `witness` sees every answer."""
    headers = {
        "authorization": f"Bearer {api_key}",
        "content-type": "application/json",
        "x-daytona-source": "slipgate",
    }
    return outgoing.client(base_url=url, headers=headers, witness=witness)


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def _read(response: httpx.Response, kind: type[T]) -> T:
    _check(response)
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unanswered(f"an answer that is none (HTTP {response.status_code})") from error


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        message = msgspec.json.decode(response.content, type=Complaint).message
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unanswered(f"HTTP {response.status_code} from a proxy") from error
    refused = refusal(response.status_code, message)
    if response.status_code == 409:
        raise Conflict(refused.code, refused.message, retryable=True)
    if response.status_code >= 500:
        raise _unanswered(message)
    raise refused


def _unanswered(message: str) -> Unanswered:
    error = unavailable(message)
    return Unanswered(error.code, error.message, retryable=True)
