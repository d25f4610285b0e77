"""Typed calls of the Kubernetes API; every failure is a `ProviderError`.

Source: kubernetes.io, "Kubernetes API Concepts": resource versions, watches, chunked lists.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import KW_ONLY, dataclass
from functools import partial
from typing import Final, TypeVar

import httpx
import msgspec

from launcher.client import Sleep
from launcher.providers.kubernetes.connection import Connection
from launcher.providers.kubernetes.errors import (
    Expired,
    NotThere,
    Status,
    status_error,
    unavailable,
)
from launcher.providers.kubernetes.schema import Listed, WatchEvent
from launcher.providers.protocol import ProviderError
from launcher.providers.retry_after import repeated_once, seconds_to_wait

T = TypeVar("T")
Query = Mapping[str, str | list[str]]

CALL_SECONDS: Final = 20.0
LONGEST_WAIT: Final = 30.0
"""Of a throttled call (seconds); a create does not wait here: its window may close meanwhile."""
PAGE: Final = 500
LIST_ATTEMPTS: Final = 5
WATCH_SECONDS: Final = 300
"""The API server ends a watch after this time."""
SILENCE_SECONDS: Final = 120.0
"""Bookmarks come about every minute: a watch on which none comes is broken."""
MERGE: Final = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class KubernetesApi:
    """The API server of one cluster, and the one namespace that is used."""

    http: httpx.AsyncClient
    connection: Connection
    namespace: str
    _: KW_ONLY
    seconds: float = CALL_SECONDS
    sleep: Sleep = asyncio.sleep

    def path(self, kind: str, name: str = "", group: str = "") -> str:
        """Of a kind in the namespace, or of one object; `group` with its version."""
        root = f"/apis/{group}" if group else "/api/v1"
        return f"{root}/namespaces/{self.namespace}/{kind}{f'/{name}' if name else ''}"

    async def get(self, path: str, kind: type[T], query: Query | None = None) -> T:
        return _read(await self._request("GET", path, query=query), kind)

    async def find(self, path: str, kind: type[T]) -> T | None:
        """None for 404."""
        try:
            return await self.get(path, kind)
        except NotThere:
            return None

    async def text(self, path: str, query: Query) -> str:
        response = await self._request("GET", path, query=query)
        _check(response)
        return response.text

    async def create(self, path: str, body: object, kind: type[T]) -> T:
        """One call: a caller with a window for it waits for a throttled one itself."""
        return _read(await self._send("POST", path, body=body), kind)

    async def post(self, path: str, body: object, kind: type[T]) -> T:
        return _read(await self._request("POST", path, body=body), kind)

    async def put(self, path: str, body: object, kind: type[T]) -> T:
        return _read(await self._request("PUT", path, body=body), kind)

    async def patch(self, path: str, body: object, kind: type[T]) -> T:
        """A merge patch."""
        return _read(await self._request("PATCH", path, body=body, content_type=MERGE), kind)

    async def delete(self, path: str, *, uid: str | None = None, propagation: str = "") -> None:
        """Of the object with this uid alone: another of that name raises `Conflicting`. A missing
        one is no error."""
        options: dict[str, object] = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if propagation:
            options["propagationPolicy"] = propagation
        response = await self._request("DELETE", path, body=options)
        try:
            _check(response)
        except NotThere:
            return

    async def list_all(self, path: str, kind: type[T], selector: str) -> tuple[list[T], str]:
        """In chunks, all of one version, which is told; a place in the list that has expired begins
        it anew."""
        for _ in range(LIST_ATTEMPTS):
            try:
                return await self._list_once(path, kind, selector)
            except Expired:
                continue
        raise unavailable("its list expires faster than it can be read")

    async def _list_once(self, path: str, kind: type[T], selector: str) -> tuple[list[T], str]:
        found: list[T] = []
        query = {"labelSelector": selector, "limit": str(PAGE)}
        while True:
            response = await self._request("GET", path, query=query)
            # msgspec makes a decoder of it at run time; a checker takes no variable for a type.
            page = _read(response, Listed[kind])  # type: ignore[valid-type]
            found += page.items
            if not page.metadata.continue_:
                return found, page.metadata.resource_version
            query = {**query, "continue": page.metadata.continue_}

    async def watch(
        self, path: str, selector: str, version: str
    ) -> AsyncGenerator[WatchEvent, None]:
        """Changes after a version, and bookmarks, until the API server ends the watch. Raises
        `Expired` if that version is too old."""
        query = {
            "labelSelector": selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        timeout = httpx.Timeout(self.seconds, read=SILENCE_SECONDS)
        try:
            async with self.http.stream(
                "GET", path, params=query, timeout=timeout, extensions=self._extensions
            ) as response:
                async for event in _events(response):
                    yield event
        except httpx.HTTPError as error:
            raise unavailable(f"its watch broke off ({type(error).__name__})") from error

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> httpx.Response:
        send = partial(self._send, method, path, query=query, body=body, content_type=content_type)
        return await repeated_once(send, longest=LONGEST_WAIT, sleep=self.sleep)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        content_type: str = "application/json",
    ) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        try:
            return await self.http.request(
                method,
                path,
                params=query,
                content=content,
                headers={"content-type": content_type} if content else None,
                timeout=self.seconds,
                extensions=self._extensions,
            )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            message = f"no answer from {self.connection.server} ({type(error).__name__})"
            raise unavailable(message) from error

    @property
    def _extensions(self) -> dict[str, str]:
        name = self.connection.server_name
        return {"sni_hostname": name} if name else {}


async def _events(response: httpx.Response) -> AsyncIterator[WatchEvent]:
    if not response.is_success:
        await response.aread()
        _check(response)
    async for line in response.aiter_lines():
        try:
            event = msgspec.json.decode(line, type=WatchEvent)
            if event.type == "ERROR":
                raise status_error(msgspec.json.decode(event.object, type=Status))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise unavailable("a watch with an event that is none") from error
        yield event


def _read(response: httpx.Response, kind: type[T]) -> T:
    _check(response)
    try:
        return msgspec.json.decode(response.content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise unavailable(f"an answer that is none (HTTP {response.status_code})") from error


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    raise read_error(response.status_code, response.content, response.headers)


def read_error(status: int, content: bytes, headers: Mapping[str, str]) -> ProviderError:
    """The error of a failed call. A proxy before the API server may have answered: its 404 does
    not say that an object is gone."""
    wait = seconds_to_wait(headers)
    try:
        read = msgspec.json.decode(content, type=Status)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        read = Status()
    if read.kind != Status.__name__:
        return unavailable(f"HTTP {status} from something else than its API server", wait)
    return status_error(msgspec.structs.replace(read, code=status), retry_after=wait)
