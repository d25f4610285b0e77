"""The OpenAPI 3.1 document of a list of routes."""

from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from starlette.routing import Route

from gateway.web.http.handler import Handler
from gateway.web.http.headers import Parameter, Schema
from gateway.web.http.operation import Answer, Body, Content, Operation
from gateway.web.http.query import Query
from gateway.web.openapi.errors import problems
from gateway.web.openapi.examples import example_of
from gateway.web.openapi.paths import PATH_PARAMETERS, shown_path
from gateway.web.openapi.schemas import Schemas
from gateway.web.openapi.tags import TAGS
from gateway.web.openapi.webhooks import KINDS, callbacks, header_parameters, webhooks

ALWAYS: Final = ("X-Request-Id",)
"""Headers of every reply."""
_COMPONENTS: Final = Path(__file__).with_name("components.json")
"""Headers of replies, and ways to prove who calls."""
_ABOUT: Final = (
    "The gate between a serverless frontend and the sandboxes in which its coding tasks run. What "
    "it acknowledged is never lost, and a task is never silently running for ever. Errors are "
    "`application/problem+json` with a stable `code`; times are RFC 3339 in UTC, durations seconds."
    "\n\nAn API key has one scope: `tasks` for frontends, `read`, `launcher`, or `ops`, which may "
    "do everything. Each operation says which it needs. A key belongs to a project, and what it "
    "reads and makes is that of its project. POSTs with an `Idempotency-Key` may be sent again. "
    "Guides, and this document as a page, are at `/docs`."
)


def document(routes: Sequence[Route]) -> Schema:
    """The document of the routes with operations; the pages of the dashboard have none."""
    routes = [route for route in routes if isinstance(route.endpoint, Handler)]
    operations = [operation_of(route) for route in routes]
    schemas = Schemas(operations, KINDS)
    paths: dict[str, Schema] = {}
    for route, operation in zip(routes, operations, strict=True):
        path = paths.setdefault(shown_path(route.path), {})
        path[method_of(route).lower()] = _operation(route, operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "slipgate",
            "version": version("slipgate"),
            "description": _ABOUT,
            "contact": {"name": "The operators of this gateway"},
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/", "description": "This gateway."}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "paths": paths,
        "webhooks": webhooks(),
        "components": {
            "schemas": schemas.components,
            "parameters": header_parameters(),
            **msgspec.json.decode(_COMPONENTS.read_bytes()),
        },
    }


def operation_of(route: Route) -> Operation:
    return cast("Handler", route.endpoint).operation


def method_of(route: Route) -> str:
    """The method of a route: Starlette adds HEAD to GET, and OPTIONS serve browsers alone."""
    (method,) = (route.methods or set()) - {"HEAD", "OPTIONS"}
    return method


def _operation(route: Route, operation: Operation, schemas: Schemas) -> Schema:
    parameters: list[Query[Any] | Parameter] = [
        *(PATH_PARAMETERS[name] for name in route.param_convertors),
        *operation.query,
        *operation.headers,
    ]
    described: Schema = {
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": f"{operation.description}\n\n{operation.access.proof}",
        "security": list(operation.access.security),
        "parameters": [_parameter(parameter) for parameter in parameters],
        "responses": {
            **{str(one.status): _answer(one, schemas) for one in operation.answers},
            **problems(operation, _headers(ALWAYS)),
        },
    }
    if operation.body is not None:
        described["requestBody"] = _body(operation.body, schemas)
    if operation.callback is not None:
        described["callbacks"] = callbacks(operation.callback)
    return described


def _parameter(parameter: Query[Any] | Parameter) -> Schema:
    described: Schema = {
        "name": parameter.name.removesuffix(".*"),
        "in": parameter.where,
        "description": parameter.meaning,
        "schema": parameter.schema,
    }
    if parameter.where == "path":
        described["required"] = True
    if parameter.schema["type"] in {"array", "object"}:
        described |= {"style": "form", "explode": parameter.schema["type"] == "object"}
    return described


def _body(body: Body, schemas: Schemas) -> Schema:
    media_type = body.media_type or "application/json"
    content = {"schema": schemas.of(body.kind), "example": example_of(body.kind, body.example)}
    return {
        "required": body.is_required,
        "description": f"At most {body.limit} bytes.",
        "content": {media_type: content},
    }


def _answer(answer: Answer, schemas: Schemas) -> Schema:
    return {
        "description": answer.meaning,
        "headers": _headers((*ALWAYS, *answer.headers)),
        "content": {one.media_type: _content(one, schemas) for one in answer.content},
    }


def _content(content: Content, schemas: Schemas) -> Schema:
    is_text = content.kind is str
    example = content.example if is_text else example_of(content.kind, content.example)
    return {"schema": schemas.of(content.kind), "example": example}


def _headers(names: Iterable[str]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
