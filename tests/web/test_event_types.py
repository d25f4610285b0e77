"""The catalogue of event types: descriptions of an application's own, and what schemas refuse."""

from itertools import pairwise
from typing import Any, Final

import msgspec
import pytest

from gateway.domain.kernel.errors import ApiError
from gateway.domain.tasks.event import FACTS
from gateway.web.deliveries.event_schemas import MAX_PARTS, check_data, check_schema
from gateway.web.deliveries.schema_samples import sample_of
from tests.stores import NewDatabase
from tests.web.callers import Json, open_gateway

SCHEMA: Final[Json] = {
    "type": "object",
    "properties": {
        "amount": {"type": "string", "pattern": r"^\d+\.\d{2}$"},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
    },
    "required": ["amount"],
    "additionalProperties": False,
    "$defs": {"line": {"type": "object", "required": ["sku"]}},
}
PAID: Final[Json] = {
    "description": "An invoice was paid.",
    "schema": SCHEMA,
    "example": {"amount": "42.00"},
}
PATH: Final = "/v1/event-types/invoice.paid"


async def test_a_type_is_described_listed_and_forgotten(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        tried = await gateway.send("PUT", PATH, PAID | {"dryRun": True})
        made = await gateway.send("PUT", PATH, PAID)
        await gateway.send("PUT", "/v1/event-types/order.made", {"description": "x"})
        changed = await gateway.send("PUT", PATH, {"description": "Paid.", "deprecated": True})
        first = (await gateway.get("/v1/event-types?limit=1", "read")).json()
        rest = (
            await gateway.get(f"/v1/event-types?limit=1&cursor={first['nextCursor']}", "read")
        ).json()
        elsewhere = (await gateway.get("/v1/event-types", "other")).json()["data"]
        shown = await gateway.get(PATH, "read")
        dry = await gateway.send("DELETE", f"{PATH}?dryRun=true")
        gone = await gateway.send("DELETE", PATH)
        after = await gateway.get(PATH)
        audit = (await gateway.get("/v1/audit", "ops")).json()["data"]
    assert (tried.status_code, made.status_code, changed.status_code) == (200, 201, 200)
    assert {name: made.json()[name] for name in PAID} == PAID
    assert (made.json()["builtIn"], made.json()["deprecated"]) == (False, False)
    assert changed.json()["createdAt"] == made.json()["createdAt"]
    assert (shown.json()["schema"], shown.json()["deprecated"]) == (None, True)
    names = [each["data"][0]["name"] for each in (first, rest)]
    assert (names, rest["nextCursor"], elsewhere) == (["invoice.paid", "order.made"], None, [])
    assert (dry.json(), gone.json()) == (
        {"name": "invoice.paid", "deleted": False},
        {"name": "invoice.paid", "deleted": True},
    )
    assert after.status_code == 404
    assert [entry["action"] for entry in audit if entry["target"] == "invoice.paid"] == [
        *("event_type.deleted", "event_type.updated", "event_type.created")
    ]


@pytest.mark.alike
async def test_our_own_types_are_built_in_with_their_schemas(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        listed = (await gateway.get("/v1/event-types?builtIn=true")).json()["data"]
        one = (await gateway.get("/v1/event-types/task.completed")).json()
        put = await gateway.send("PUT", "/v1/event-types/task.completed", {"description": "x"})
        gone = await gateway.send("DELETE", "/v1/event-types/task.completed")
    assert [each["name"] for each in listed] == sorted(FACTS)
    assert all(each["builtIn"] and each["schema"] for each in listed)
    assert len({each["description"] for each in listed}) == len(listed)
    assert one in listed
    assert (put.status_code, put.json()["code"]) == (422, "reserved_event_type")
    assert gone.status_code == 404


async def test_data_that_does_not_match_its_schema_is_refused(database: NewDatabase) -> None:
    wrong = {"amount": "a lot", "lines": [{"sku": 1}, {}], "extra": 1}
    async with open_gateway(database) as gateway:
        await gateway.send("PUT", PATH, PAID)
        event = {"type": "invoice.paid", "data": wrong}
        refused = await gateway.post("/v1/events", event)
        large = await gateway.post("/v1/events", event | {"data": wrong | {"a": "x" * 40_000}})
        taken = await gateway.post("/v1/events", event | {"data": PAID["example"]})
        elsewhere = await gateway.post("/v1/events", event, "other")
        free = await gateway.post("/v1/events", event | {"type": "invoice.sent"})
    assert (refused.status_code, refused.json()["code"]) == (422, "schema_mismatch")
    assert {error["path"] for error in refused.json()["errors"]} == {
        *("$.data", "$.data.amount", "$.data.lines[1]")
    }
    assert large.status_code == 422
    assert [each.status_code for each in (taken, elsewhere, free)] == [202, 202, 202]


@pytest.mark.alike
async def test_an_example_has_to_match(database: NewDatabase) -> None:
    async with open_gateway(database) as gateway:
        refused = await gateway.send("PUT", PATH, PAID | {"example": {"amount": 1}})
        unnamed = await gateway.send("PUT", "/v1/event-types/invoice", {"description": "x"})
    assert (refused.status_code, refused.json()["code"]) == (422, "schema_mismatch")
    assert refused.json()["errors"][0]["path"] == "$.example.amount"
    assert unnamed.status_code == 422


def doubling(levels: int) -> Json:
    """Few definitions, each of which is behind the one before it twice."""
    names = [f"d{number}" for number in range(levels)]
    chain = {
        name: {"allOf": [{"$ref": f"#/$defs/{below}"}, {"$ref": f"#/$defs/{below}"}]}
        for name, below in pairwise(names)
    }
    return {"$ref": "#/$defs/d0", "$defs": chain | {names[-1]: {"minProperties": 1}}}


def nested(levels: int) -> Json:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "objekt"}, "objekt"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "2020-12"),
        ({"$ref": "https://example.com/schema.json"}, "such as"),
        ({"$ref": "file:///etc/passwd"}, "such as"),
        ({"$ref": "#"}, "such as"),
        ({"$ref": "#/$defs/none"}, "Nothing"),
        ({"$ref": "#/$defs/%61", "$defs": {"a": doubling(30), "%61": {}}}, "such as"),
        ({"$id": "https://a.example/b", "$ref": "#/$defs/a", "$defs": {"a": {}}}, "$id"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/a"}}}}, "itself"),
        (doubling(10), "unfolds"),
        ({"properties": {"$ref": doubling(10)}, **doubling(10)}, "unfolds"),
        (nested(40), "deeper"),
        ({"enum": ["x" * 70_000]}, "bytes"),
        ({"oneOf": [{"minLength": n} for n in range(MAX_PARTS)]}, "unfolds"),
        ({"pattern": "(?=a)b"}, "regex"),
        ({"pattern": "((a{100}){100}){100}"}, "regex"),
        ({"allOf": [{"pattern": "[ab]{800}c"}] * 70}, "patterns"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_schema_that_could_do_harm_is_refused(schema: Json, reason: str) -> None:
    with pytest.raises(ApiError) as refused:
        check_schema(schema)
    assert (refused.value.code, reason in str(refused.value)) == ("invalid_schema", True)


def each(schema: Json) -> Json:
    """A schema of lists."""
    return {"properties": {"a": {"items": schema}}}


NUMBERS: Final = b'{"a":[' + b",".join([b"1"] * 15_000) + b"]}"
TEXT: Final = b'{"a":"' + b"ab" * 100_000 + b'"}'


@pytest.mark.parametrize(
    ("schema", "data", "code"),
    [
        ({"properties": {"a": {"pattern": "^(a+)+$"}}}, TEXT, "schema_mismatch"),
        ({"properties": {"a": {"pattern": "[ab]*a[ab]{500}c"}}}, TEXT, "too_large"),
        (each({"allOf": [{"minimum": 5}] * 900}), NUMBERS, "too_large"),
        (each({"enum": [*range(100_000, 100_900)]}), NUMBERS, "schema_mismatch"),
        (each({"enum": ["x", *range(9_000)]}), NUMBERS, "too_large"),
        (each({"required": [f"k{n}" for n in range(7_000)]}), NUMBERS, ""),
    ],
    ids=["repeated", "counted", "many", "long", "mixed", "other"],
)
def test_no_data_and_schema_take_seconds_or_gigabytes(schema: Json, data: bytes, code: str) -> None:
    text, refused = check_schema(schema), ""
    try:
        check_data(text, data)
    except ApiError as exc:
        refused = exc.code
    assert refused == code


@pytest.mark.parametrize(
    ("schema", "sample"),
    [
        (SCHEMA, None),
        ({}, {}),
        (
            {
                "$ref": "#/$defs/paid",
                "required": ["id"],
                "$defs": {
                    "paid": {
                        "allOf": [{"properties": {"at": {"format": "date-time"}}}],
                        "required": ["at", "lines"],
                        "properties": {
                            "id": {"type": ["string", "null"], "minLength": 9},
                            "lines": {"minItems": 2, "items": {"anyOf": [{"const": 4}, {}]}},
                            "kind": {"enum": ["card", "cash"]},
                            "share": {"exclusiveMinimum": 0, "maximum": 1},
                            "open": {"type": "boolean"},
                        },
                    }
                },
            },
            {
                "at": "2026-01-05T09:33:10Z",
                "id": "samplexxx",
                "lines": [4, 4],
                "kind": "card",
                "share": 1,
                "open": True,
            },
        ),
    ],
    ids=["a pattern", "anything", "many keywords"],
)
def test_a_sample_matches_its_schema(schema: Json, sample: Json | None) -> None:
    made = sample_of(schema)
    data = msgspec.json.encode(made)
    if sample is None:
        with pytest.raises(ApiError, match="amount"):
            check_data(check_schema(schema), data)
    else:
        check_data(check_schema(schema), data)
        assert made == sample
