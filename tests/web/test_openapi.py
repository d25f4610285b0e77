"""`GET /openapi.json`: every route, whole, valid, and with examples that hold."""

import re
from types import NoneType
from typing import Any, Final, cast, get_args, get_type_hints

import msgspec
import pytest
import schemathesis

from gateway.domain.tasks.event import FACTS
from gateway.web.http.codes import CODES
from gateway.web.http.handler import Handler
from gateway.web.http.middleware import Application
from gateway.web.openapi import webhooks
from gateway.web.openapi.document import method_of
from gateway.web.openapi.tags import TAGS
from gateway.web.routes import ROUTES
from gateway.wire import flat_events
from gateway.wire.decode import WrongShape
from tests.web.callers import SCOPES, GatewayHarness
from tests.web.contract import DOCUMENT, validator

Json = dict[str, Any]

OPERATIONS: Final = [
    pytest.param(operation, id=f"{method.upper()} {path}")
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]


def _examples(operation: Json) -> list[tuple[Json, object]]:
    """Every schema with an example of it: of the request, the successes, and the errors."""
    holders = [operation.get("requestBody", {}), *operation["responses"].values()]
    contents = [content for one in holders for content in one.get("content", {}).values()]
    return [
        (content["schema"], example)
        for content in contents
        for example in (
            [one["value"] for one in content["examples"].values()]
            if "examples" in content
            else [content["example"]]
        )
    ]


async def test_it_is_open_and_tells_of_every_route_and_no_other(gateway: GatewayHarness) -> None:
    response = await gateway.http.get("/openapi.json")
    assert response.status_code == 200
    assert response.json() == DOCUMENT
    documented = {
        (method.upper(), re.sub(r"{\w+}", "{}", path))
        for path, methods in response.json()["paths"].items()
        for method in methods
    }
    assert isinstance(gateway.app, Application)
    routed = {
        (method_of(route), re.sub(r"{\w+}", "{}", route.path))
        for route in gateway.app.routes
        if isinstance(route.endpoint, Handler)
    }
    assert documented == routed


def test_it_is_openapi_3_1() -> None:
    schemathesis.openapi.from_dict(DOCUMENT).validate()
    assert DOCUMENT["openapi"].startswith("3.1")


def test_no_two_operations_share_a_name() -> None:
    names = [
        operation["operationId"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
    ]
    assert len(names) == len(set(names))


def test_every_code_has_a_status_and_a_meaning() -> None:
    assert all(400 <= status < 600 and meaning for status, meaning in CODES.values())


def test_a_handler_takes_the_body_of_its_operation() -> None:
    for handler in (cast("Handler", route.endpoint) for route in ROUTES):
        annotations = get_type_hints(handler.handle)
        del annotations["return"]
        (call,) = annotations.values()
        body = handler.operation.body
        taken = NoneType if body is None else bytes if body.is_raw else body.kind
        assert get_args(call) == (taken,), handler.label


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_example_holds(operation: Json) -> None:
    for schema, example in _examples(operation):
        validator(schema, is_strict=True).validate(example)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whoever_may_be_refused_is_told_how(operation: Json) -> None:
    responses = operation["responses"]
    assert {"500", "503"} <= responses.keys()
    assert ("403" in responses) == any("ops" in one for one in operation["security"])
    assert ("413" in responses) == ("requestBody" in operation)


FLAT_EVENTS: Final[Json] = {
    name: schema
    for name, schema in DOCUMENT["components"]["schemas"].items()
    if name.startswith("Flat") and "enum" in schema["properties"].get("type", {})
}
REQUIRED: Final[Json] = {
    "prUrl": "https://github.com/acme/widgets/pull/1",
    "chunk": "x",
    "offset": 0,
    "inputTokens": 1,
    "outputTokens": 1,
    "costUsd": 0.5,
    "turns": 1,
}


@pytest.mark.parametrize("schema", FLAT_EVENTS.values(), ids=FLAT_EVENTS)
@pytest.mark.parametrize("nothing", ["", None], ids=["empty", "null"])
def test_a_flat_event_may_be_empty_wherever_it_may_be_silent(schema: Json, nothing: object) -> None:
    (kind,) = schema["properties"]["type"]["enum"]
    required = {name: REQUIRED[name] for name in schema["required"] if name != "type"}
    silent = dict.fromkeys(schema["properties"].keys() - schema["required"], nothing)
    event = {"type": kind, **required, **silent}
    validator(schema).validate(event)
    assert flat_events.decode(msgspec.json.encode(event)).type.startswith("task.")
    for name, value in required.items():
        if isinstance(value, str):
            assert not validator(schema).is_valid({**event, name: ""})
            with pytest.raises(WrongShape):
                flat_events.decode(msgspec.json.encode({**event, name: ""}))


SENT: Final[Json] = {name: entry["post"] for name, entry in DOCUMENT["webhooks"].items()}


@pytest.mark.parametrize("name", SENT)
def test_a_webhook_has_a_body_that_is_one_of_its_type(name: str) -> None:
    content = SENT[name]["requestBody"]["content"]["application/json"]
    example = content["example"]
    assert example["type"] == name.removeprefix("flat.") or name == "own"
    reference, *_ = content["schema"].get("allOf", [content["schema"]])
    validator(reference, is_strict=True).validate(example)
    assert validator(content["schema"]).is_valid(example)
    assert validator(content["schema"]).is_valid({**example, "type": "task.x"}) == (
        "allOf" not in content["schema"]
    )


def test_there_is_a_webhook_for_each_type_and_each_flat_one() -> None:
    flat = {f"flat.{kind}" for kind in webhooks.FLAT}
    assert SENT.keys() == {*FACTS, *flat, "endpoint.test", "own"}
    names = [entry["operationId"] for entry in SENT.values()]
    names += [one["operationId"] for path in DOCUMENT["paths"].values() for one in path.values()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_is_described_with_its_tag_and_the_proof_it_asks_for(operation: Json) -> None:
    assert set(operation["tags"]) < TAGS.keys()
    described, _, proof = operation["description"].rpartition("\n\n")
    assert operation["summary"]
    assert described
    scopes = {scope for one in operation["security"] for scope in one if scope in SCOPES}
    assert {word for word in re.findall(r"`(\w+)`", proof) if word in SCOPES} == scopes
