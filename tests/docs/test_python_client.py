"""The Python client against the routes: each operation is one method, whole. After a change of the
API, change `gateway/clients/slipgate/operations`, and for a new code its `errors.py`."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Final, get_args, get_origin

import msgspec
import pytest
from starlette.routing import Route

from gateway.web.http.codes import CODES
from gateway.web.http.operation import Body
from gateway.web.openapi.document import method_of, operation_of
from gateway.web.openapi.paths import PATH_PARAMETERS
from gateway.web.routes import ROUTES
from gateway.wire.message import Request
from gateway.wire.tasks import EventFields, EventView
from slipgate import errors
from slipgate.client import AsyncSlipgate, Slipgate
from slipgate.declaration import Declaration
from tests.clients.operations import method_name

ELSEWHERE: Final = frozenset({"lasteventid", "xgithubdelivery", "xgithubevent"})
"""Headers that `stream` sends, or that come with a delivery that is passed on."""
OUR_OWN: Final = frozenset({"signingsecret", "sentheaders", "payload"})
"""Parameters that sign a request, are the headers of a delivery, and the whole body."""


def plain(name: str) -> str:
    """A name without its case and its separators."""
    return name.removesuffix(".*").replace("_", "").replace("-", "").lower()


def declared(client: type) -> Iterator[tuple[str, Declaration[..., Any]]]:
    """Every method that is an operation, by name."""
    for name in dir(client):
        found = getattr(client, name)
        if isinstance(found, Declaration):
            yield name, found


METHODS: Final = dict(declared(Slipgate))


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: operation_of(route).id)
def test_an_operation_is_one_method_with_its_parameters_and_its_answer(route: Route) -> None:
    operation, called = operation_of(route), (method_of(route), route.path)
    (name,) = [name for name, one in METHODS.items() if (one.verb, one.path) == called]
    assert plain(name) == plain(method_name(operation.id))  # as in TypeScript
    method = METHODS[name]
    given = method.parameters.parameters
    wanted = {plain(PATH_PARAMETERS[one].name) for one in route.param_convertors}
    wanted |= {plain(one.name) for one in operation.query}
    wanted |= {plain(one.name) for one in operation.headers} - ELSEWHERE
    if "payload" in given:
        assert given["payload"].annotation in _payloads(operation.body)
    elif operation.body is not None:
        wanted |= _fields(operation.body.kind)
    assert {plain(one) for one in given} - OUR_OWN == wanted
    for kind in _answers(operation):
        assert any(_reads(one, kind) for one in _members(method.kind)), kind


def test_there_is_no_other_method_and_both_clients_have_the_same() -> None:
    called = {(method_of(route), route.path) for route in ROUTES}
    assert {(one.verb, one.path) for one in METHODS.values()} == called
    assert len(METHODS) == len(called)
    assert dict(declared(AsyncSlipgate)) == METHODS


def test_there_is_a_class_for_every_code_and_no_other() -> None:
    assert errors.ApiError.classes.keys() == CODES.keys()


def test_it_is_imported_without_the_server() -> None:
    code = "import sys, slipgate.client; print(*sys.modules)"
    imported = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    ours = {name for name in imported if name.startswith(("gateway.", "launcher", "snapshot"))}
    assert all(name.startswith("gateway.wire") for name in ours), ours
    assert {"starlette", "structlog", "typer", "rich", "aiosqlite"}.isdisjoint(imported)


def _payloads(body: Body | None) -> tuple[object, ...]:
    assert body is not None
    is_message = isinstance(body.kind, type) and issubclass(body.kind, Request)
    return (body.kind,) if is_message else (bytes, Mapping[str, Any])


def _fields(kind: Any) -> set[str]:
    """The fields of a body; of several messages, those that all have."""
    every = [
        {plain(field.encode_name) for field in msgspec.structs.fields(member)}
        | ({"type"} if member.__struct_config__.tag else set())
        for member in _members(kind)
    ]
    return set.intersection(*every)


def _answers(operation: Any) -> Iterator[Any]:
    """The types of its answers; a text counts if there is nothing else."""
    contents = [content for answer in operation.answers for content in answer.content]
    messages = [content.kind for content in contents if content.kind is not str]
    yield from messages or [str]


def _members(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) is UnionType or _is_union(kind) else (kind,)


def _is_union(kind: Any) -> bool:
    return isinstance(kind, UnionType) or str(get_origin(kind)) == "typing.Union"


def _reads(kind: Any, sent: Any) -> bool:
    """True if a message of type `sent` is one of type `kind`."""
    if get_args(sent) and get_origin(sent) is get_origin(kind):
        return _reads(get_args(kind)[0], get_args(sent)[0])
    if sent is EventView:
        return issubclass(kind, EventFields)
    if isinstance(sent, type) and isinstance(kind, type):
        return issubclass(kind, sent)
    return get_origin(kind) is dict  # an object that is passed on byte for byte
