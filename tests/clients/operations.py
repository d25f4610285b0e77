"""Operations of the OpenAPI document as methods of the TypeScript client."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from tests.clients.names import METHODS, SAFE
from tests.clients.schemas import REFERENCE, Types, comment

Json = dict[str, Any]
JSON: Final = "application/json"
OF_FEEDS: Final = "after"
PAGED: Final = "Page<"
IDEMPOTENCY: Final = "Idempotency-Key"
SCOPES: Final = frozenset({"tasks", "read", "launcher", "ops"})
"""The security schemes of keys."""


def method_name(operation_id: str) -> str:
    """The method of an operation: `showTask` is `getTask`, `listTasks` is `tasks`."""
    if operation_id in METHODS:
        return METHODS[operation_id]
    noun = re.sub("^(list|read)(?=[A-Z])", "", operation_id)
    if noun != operation_id:
        return noun[0].lower() + noun[1:]
    return re.sub("^show(?=[A-Z])", "get", operation_id)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """An operation, and where it is."""

    path: str
    method: str
    spec: Json
    types: Types

    @property
    def name(self) -> str:
        """The name of its method."""
        return method_name(self.spec["operationId"])

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes of keys that it takes."""
        return frozenset(name for one in self.spec["security"] for name in one) & SCOPES

    @property
    def body(self) -> str:
        """The schema of its body; empty: it needs none."""
        content = self.spec.get("requestBody", {}).get("content", {})
        reference: str = content.get(JSON, {}).get("schema", {}).get("$ref", "")
        name = reference.removeprefix(REFERENCE)
        return name if name and self.types.schemas[name]["properties"] else ""

    @property
    def queries(self) -> list[Json]:
        """The parameters of its query."""
        return [one for one in self.spec["parameters"] if one["in"] == "query"]

    @property
    def query_type(self) -> str:
        """The name of their interface."""
        return f"{self.name[0].upper()}{self.name[1:]}Query"

    @property
    def answers(self) -> list[Json]:
        """The schemas of its successes in JSON, that of a dry run last."""
        successes = {code: one for code, one in self.spec["responses"].items() if code[0] == "2"}
        found: list[Json] = []
        for code in sorted(successes, reverse=True):
            schema = successes[code]["content"].get(JSON, {}).get("schema")
            if schema and schema not in found:
                found.append(schema)
        return found

    def query_interface(self) -> str:
        lines = [f"export interface {self.query_type} {{"]
        for one in self.queries:
            lines += [comment(one["description"], "  "), f"  {one['name']}?: {self._taken(one)};"]
        return "\n".join([*lines, "}"])

    def _taken(self, parameter: Json) -> str:
        schema = parameter["schema"]
        if parameter["name"] == OF_FEEDS:
            return "number | string | undefined"
        taken = self.types.of(schema, is_input=True)
        if schema["type"] == "array":
            taken = f"{self.types.of(schema['items'], is_input=True)} | {taken}"
        return f"{taken} | undefined"

    def method_text(self) -> str:
        """Its method."""
        arguments, given = self._arguments()
        results = [self.types.of(one) for one in self.answers] or ["string"]
        about = comment(f"{self.spec['summary']}: `{self.method} {self.path}`.", "  ")
        if results[0].startswith(PAGED):
            result = f"List<{results[0].removeprefix(PAGED)}"
            returned = f"this.{self._kind_of_list()}({self._path()}, query, options)"
        else:
            result = f"Promise<{' | '.join(results)}>"
            call = "call" if self.answers else "text"
            returned = f'this.{call}("{self.method}", {self._path()}, {{ {given} }}, options)'
        return "\n".join(
            [
                about,
                *self._signatures(arguments, results),
                f"  {self.name}({arguments}): {result} {{",
                f"    return {returned};".replace("{  }", "{}"),
                "  }",
            ]
        )

    def _kind_of_list(self) -> str:
        names = {one["name"] for one in self.queries}
        return "list" if "cursor" in names else "feed"

    def _signatures(self, arguments: str, results: list[str]) -> Iterator[str]:
        """One for the answer and one for that of a dry run, where these are different."""
        if len(results) == 1:
            return
        arguments = arguments.replace("options: CallOptions = {}", "options?: CallOptions")
        for dry, result in (
            ("dryRun: true", results[1]),
            ("dryRun?: false | undefined", results[0]),
        ):
            taken = re.sub(r"body: (\w+)", rf"body: \1 & {{ {dry} }}", arguments)
            yield f"  {self.name}({taken}): Promise<{result}>;"

    def _arguments(self) -> tuple[str, str]:
        """The arguments of its method, and their use in the call."""
        arguments = [f"{name}: {kind}" for name, kind in self._segments()]
        given: list[str] = []
        if self.body:
            is_needed = bool(self.types.schemas[self.body].get("required"))
            mark = "" if is_needed else " = {}"
            arguments.append(f"body: {self.types.name_of(self.body)}{mark}")
            given.append("body")
        if self.queries:
            arguments.append(f"query: {self.query_type} = {{}}")
            given.append("query")
        if any(one["name"] == IDEMPOTENCY for one in self.spec["parameters"]):
            given.append("hasKey: true")
        if self.spec["operationId"] in SAFE:
            given.append("isSafe: true")
        arguments.append("options: CallOptions = {}")
        return ", ".join(arguments), ", ".join(given)

    def _segments(self) -> Iterator[tuple[str, str]]:
        for one in self.spec["parameters"]:
            if one["in"] == "path":
                yield one["name"], self.types.of(one["schema"])

    def _path(self) -> str:
        path = re.sub(r"{(\w+)}", r"${segment(\1)}", self.path)
        return f"`{path}`" if path != self.path else f'"{path}"'


def operations(document: Json, types: Types) -> list[Operation]:
    """All that a key of scope `tasks`, `read` or `ops` opens, without the launchers' protocol."""
    found = [
        Operation(path=path, method=method.upper(), spec=spec, types=types)
        for path, methods in document["paths"].items()
        for method, spec in methods.items()
    ]
    return [one for one in found if one.scopes and "launcher" not in one.scopes]


def schemas_of(operation: Operation) -> Iterator[Json]:
    """Every schema that its callers meet, those of its callbacks included."""
    spec = operation.spec
    if operation.body:
        yield {"$ref": f"{REFERENCE}{operation.body}"}
    yield from operation.answers
    yield from spec.get("callbacks", {}).values()
