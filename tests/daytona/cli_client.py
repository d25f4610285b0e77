"""The CLI's client of the API: without time limits, and with Go's error texts."""

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from tests.daytona import releases
from tests.daytona.releases import HINTS_SINCE, Version

REQUIRED = (
    *("id", "organizationId", "name", "user", "labels", "public", "target"),
    *("cpu", "gpu", "memory", "disk", "toolboxProxyUrl"),
)


class Fatal(Exception):
    """Ends the program with exit code 1."""


class CliClient:
    """Requests with the key of the profile; `warn` gets the version of the API."""

    def __init__(self, url: str, key: str, version: Version, warn: Callable[[str], None]) -> None:
        self._url = url.rstrip("/")
        self._key = key
        self._version = version
        self._warn = warn

    def sandbox(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """A response with a sandbox."""
        document: dict[str, Any] = self.ask(method, path, body)
        for key in (*REQUIRED, "env", "networkBlockAll"):
            if key not in document:
                raise self._unreadable(document, f"no value given for required property {key}")
        return self.known(document, document)

    def known(self, sandbox: dict[str, Any], answer: object) -> dict[str, Any]:
        """A sandbox of an answer, with its state as this release reads it."""
        state = sandbox.get("state")
        if state is None or releases.STATES.get(state, (9, 0, 0)) <= self._version:
            return sandbox
        if self._version < releases.READS_ANY_STATE_SINCE:
            raise self._unreadable(answer, f"{state} is not a valid SandboxState")
        return {**sandbox, "state": releases.UNKNOWN_STATE}

    def _unreadable(self, answer: object, reason: str) -> Fatal:
        if self._version < releases.PRINTS_UNREADABLE_ANSWERS_UNTIL:
            return Fatal(json.dumps(answer, separators=(",", ":")))
        return Fatal(reason)

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """A JSON response; `path` may be a whole address."""
        address = path if path.startswith("http") else f"{self._url}{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data, self._headers(data), method=method)  # noqa: S310 - the address of the stand-in
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request) as response:
                return self._read(response.read(), response.headers)
        except urllib.error.HTTPError as error:
            self._warn_of_version(dict(error.headers))
            read = self._toolbox_error if path.startswith("http") else self._api_error
            raise Fatal(read(error)) from error
        except (OSError, urllib.error.URLError) as error:
            reason = getattr(error, "reason", error)
            raise Fatal(f'{method.title()} "{address}": {reason}') from error
        except Exception as error:
            raise Fatal(f'{method.title()} "{address}": EOF') from error

    def _headers(self, data: bytes | None) -> dict[str, str]:
        headers = {
            "Authorization": f"Bearer {self._key}",
            "X-Daytona-Source": "cli",
            "User-Agent": f"api-client-go/{'.'.join(map(str, self._version))}",
            "Accept": "application/json",
        }
        return headers if data is None else {**headers, "Content-Type": "application/json"}

    def _read(self, content: bytes, headers: Mapping[str, str]) -> Any:
        self._warn_of_version(headers)
        if "json" not in headers.get("Content-Type", ""):
            raise Fatal("undefined response type")
        try:
            return json.loads(content)
        except ValueError as error:
            first = content[:1].decode(errors="replace")
            message = f"invalid character '{first}' looking for beginning of value"
            raise Fatal(message) from error

    def _warn_of_version(self, headers: Mapping[str, str]) -> None:
        lowered = {name.lower(): value for name, value in headers.items()}
        if version := lowered.get("x-daytona-api-version"):
            self._warn(version)

    def _toolbox_error(self, error: urllib.error.HTTPError) -> str:
        """An error of the toolbox, which the CLI does not parse."""
        return f"request failed with status {error.code}: {error.read().decode(errors='replace')}"

    def _api_error(self, error: urllib.error.HTTPError) -> str:
        content = error.read()
        try:
            document = json.loads(content)
        except ValueError:
            first = content[:1].decode(errors="replace")
            return f"invalid character '{first}' looking for beginning of value"
        message = _explained(document, content.decode())
        if error.code == 401:
            message += " - run 'daytona login' to reauthenticate"
        if error.code == 403 and self._version >= HINTS_SINCE:
            message += " - check that your API key has sufficient permissions for this action"
        return message


def _explained(document: Any, content: str) -> str:
    """The reason phrase and the message, lists as Go prints them; without a phrase the body."""
    if not isinstance(document, dict):
        kind = "array" if isinstance(document, list) else type(document).__name__
        text = f"json: cannot unmarshal {kind} into Go value of type apiclient.ApiErrorResponse"
        raise Fatal(text)
    phrase, message = document.get("error"), document.get("message")
    if not phrase:
        return content
    if isinstance(message, list):
        message = f"[{' '.join(map(str, message))}]" if message else None
    return f"{phrase}: {message}" if message is not None else str(phrase)


def quoted(name: str) -> str:
    """A name as a part of a path."""
    return urllib.parse.quote(name, safe="")


def environment() -> Mapping[str, str]:
    return os.environ
