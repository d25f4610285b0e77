"""Typed calls of Daytona's API; every failure is a `ProviderError`."""

import asyncio
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Final, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from launcher.client import Sleep
from launcher.egress import DIRECT, Egress, ResponseHook
from launcher.providers.daytona.errors import (
    NotThere,
    api_error,
    no_document,
    redirected,
    unanswered,
)
from launcher.providers.daytona.schema import ErrorBody
from launcher.providers.protocol import ProviderError
from launcher.providers.retry_after import LIMITED, repeated_once, seconds_to_wait

T = TypeVar("T")

CREATE_SECONDS: Final = 90.0
"""The API holds a create for up to 30 s."""
CALL_SECONDS: Final = 20.0
LONGEST_WAIT: Final = 60.0
"""A rate limit's minute (seconds); a create does not wait here: its window may close meanwhile."""


@dataclass(frozen=True, slots=True)
class DaytonaApiClient:
    """The API of one organisation."""

    http: httpx.AsyncClient
    _: KW_ONLY
    seconds: float = CALL_SECONDS
    sleep: Sleep = asyncio.sleep

    async def get(self, path: str, kind: type[T], *, query: dict[str, str] | None = None) -> T:
        return _read(await self._request("GET", path, query=query), kind)

    async def find(self, path: str, kind: type[T]) -> T | None:
        """None if the API says that there is no such resource."""
        try:
            return await self.get(path, kind)
        except NotThere:
            return None

    async def create(self, path: str, body: object, kind: type[T]) -> T:
        """One call: a caller with a window for it waits for a rate limit itself."""
        return _read(await self._send("POST", path, body=body, seconds=CREATE_SECONDS), kind)

    async def post(self, path: str, body: object, kind: type[T], *, seconds: float = 0) -> T:
        return _read(await self._request("POST", path, body=body, seconds=seconds), kind)

    async def delete(self, path: str) -> None:
        """A missing resource is no error."""
        with suppress(NotThere):
            _check(await self._request("DELETE", path))

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: object = None,
        seconds: float = 0,
    ) -> httpx.Response:
        send = partial(self._send, method, path, query=query, body=body, seconds=seconds)
        return await repeated_once(send, longest=LONGEST_WAIT, sleep=self.sleep)

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
            return await self.http.request(
                method, path, params=query, content=content, timeout=seconds or self.seconds
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unanswered(f"no answer to {method} ({type(error).__name__})") from error


def open_daytona(
    url: str, api_key: str, on_response: ResponseHook | None = None, *, egress: Egress = DIRECT
) -> httpx.AsyncClient:
    headers = {
        "authorization": f"Bearer {api_key}",
        "content-type": "application/json",
        "x-daytona-source": "slipgate",
    }
    return egress.client(base_url=url, headers=headers, on_response=on_response)


def segment(name: str) -> str:
    """A name as one segment of a path."""
    return quote(name, safe="")


def _read(response: httpx.Response, kind: type[T]) -> T:
    _check(response)
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _no_document(response) from error


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    if response.has_redirect_location:
        raise redirected(response.status_code, response.headers["location"])
    try:
        message = msgspec.json.decode(response.content, type=ErrorBody).text
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if response.status_code != LIMITED:
            raise _no_document(response) from error
        message = ""
    raise api_error(
        response.status_code,
        message,
        area="snapshot" if "/snapshots" in response.url.path else "sandbox",
        retry_after=seconds_to_wait(response.headers),
    )


def _no_document(response: httpx.Response) -> ProviderError:
    wait = seconds_to_wait(response.headers) if response.is_server_error else 0.0
    return no_document(response.status_code, response.headers.get("content-type", ""), wait)
