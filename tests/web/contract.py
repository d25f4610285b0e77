"""Holds every answer against the OpenAPI document: all that is promised, nothing besides."""

import re
from copy import deepcopy
from functools import cache
from typing import Any, Final

import httpx
import jsonschema_rs
import msgspec

from gateway.web.openapi.document import document
from gateway.web.routes import ROUTES

Json = dict[str, Any]

DOCUMENT: Final[Json] = msgspec.json.decode(msgspec.json.encode(document(ROUTES)))
OF_EVERY_SERVER: Final = {"content-type", "content-length", "allow", "cache-control"}
OF_STREAMS: Final = {"connection", "x-accel-buffering"}
OF_SHARED_READS: Final = {
    "access-control-allow-origin",
    "access-control-expose-headers",
    "referrer-policy",
}
"""Headers for a browser that reads with a token; nobody else gets them."""
Seen = tuple[str, int, str]
"""(operation, status, code of the problem or media type of the success)."""


class Contract:
    """Checks responses against the OpenAPI document and records which were seen."""

    def __init__(self) -> None:
        self.seen: set[Seen] = set()

    async def hold(self, response: httpx.Response) -> None:
        """For the hook of a client.

        Raises:
            AssertionError: the answer is not a documented one.
        """
        await response.aread()
        if response.request.method in {"HEAD", "OPTIONS"} and response.is_success:
            return  # no operations of their own
        if response.request.url.path.startswith(("/dashboard", "/portal", "/docs/images/")):
            return  # pages for people
        operation = _operation(response.request)
        if operation is None:
            assert response.json()["code"] in {"not_found", "method_not_allowed"}
            validator(_PROBLEM, is_strict=True).validate(response.json())
            return
        where = f"{operation['operationId']} {response.status_code}"
        promised = _promised(operation, response)
        if response.status_code == 304:
            _hold_headers(promised, response, where)
            return
        content = _content(promised, response)
        assert content is not None, f"{where}: {response.headers['content-type']}"
        _hold_headers(promised, response, where)
        mark = _media_type(response)
        if mark.endswith("json"):
            validator(content["schema"], is_strict=True).validate(response.json())
        if "examples" in content:
            mark = response.json()["code"]
            assert mark in content["examples"], f"{where} {mark} is not documented"
        self.seen.add((operation["operationId"], response.status_code, mark))
        is_whole = mark.endswith("json") and "warnings" not in response.json()
        if response.is_success and response.request.content and is_whole:
            taken = operation["requestBody"]["content"]["application/json"]["schema"]
            validator(taken).validate(msgspec.json.decode(response.request.content))


def validator(schema: Json, *, is_strict: bool = False) -> jsonschema_rs.Draft202012Validator:
    """Of a schema of the document; a strict one bears no field that is not documented."""
    return _validator(msgspec.json.encode(schema), is_strict=is_strict)


@cache
def _validator(schema: bytes, *, is_strict: bool) -> jsonschema_rs.Draft202012Validator:
    schemas = (_STRICT if is_strict else DOCUMENT["components"])["schemas"]
    used = {name: schemas[name] for name in _used(schema, schemas)}
    whole = {**msgspec.json.decode(schema), "components": {"schemas": used}}
    return jsonschema_rs.Draft202012Validator(whole, validate_formats=True)


def _used(schema: bytes, schemas: Json) -> set[str]:
    """The names of the schemas that it refers to, and those refer to: with all of the document,
    each validator would take ten times as long to make."""
    used: set[str] = set()
    texts = [schema]
    while texts:
        for name in {text.decode() for text in _REFERENCE.findall(texts.pop())} - used:
            used.add(name)
            texts.append(msgspec.json.encode(schemas[name]))
    return used


def documented() -> set[Seen]:
    """Every answer that any route promises."""
    return {
        (operation["operationId"], int(status), mark)
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        for media_type, content in response["content"].items()
        for mark in content.get("examples", [media_type.partition(";")[0]])
    }


def _operation(request: httpx.Request) -> Json | None:
    for pattern, methods in _PATHS:
        if pattern.fullmatch(request.url.path) and request.method.lower() in methods:
            found: Json = methods[request.method.lower()]
            return found
    return None


def _promised(operation: Json, response: httpx.Response) -> Json:
    responses: Json = operation["responses"]
    where = f"{operation['operationId']} {response.status_code}"
    assert str(response.status_code) in responses, f"{where} is not documented: {response.text}"
    promised: Json = responses[str(response.status_code)]
    return promised


def _content(promised: Json, response: httpx.Response) -> Json | None:
    contents = {name.partition(";")[0]: one for name, one in promised["content"].items()}
    return contents.get(_media_type(response))


def _media_type(response: httpx.Response) -> str:
    named: str = response.headers.get("content-type", "")
    return named.partition(";")[0]


def _hold_headers(promised: Json, response: httpx.Response, where: str) -> None:
    known = {name.lower() for name in promised["headers"]}
    extra = OF_EVERY_SERVER | (OF_STREAMS if "event-stream" in _media_type(response) else set())
    if "token" in response.request.url.params:
        extra = extra | OF_SHARED_READS
    assert set(response.headers) <= known | extra, where
    for name in promised["headers"]:
        header = DOCUMENT["components"]["headers"][name]
        assert not header.get("required") or name in response.headers, f"{where}: no {name}"


def _strict(components: Json) -> Json:
    """Forbids additional properties in every schema that lists its fields."""
    strict = deepcopy(components)
    for schema in strict["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return strict


_REFERENCE: Final = re.compile(rb'"#/components/schemas/(\w+)"')
_STRICT: Final = _strict(DOCUMENT["components"])
_PROBLEM: Final[Json] = {"$ref": "#/components/schemas/Problem"}
_PATHS: Final = [
    (re.compile(re.sub(r"{\w+}", "[^/]+", path)), methods)
    for path, methods in sorted(DOCUMENT["paths"].items(), key=lambda item: item[0].count("{"))
]
