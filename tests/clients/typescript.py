"""The generated part of the TypeScript client: types, errors and methods."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.clients.names import FAMILIES
from tests.clients.operations import Operation, operations, schemas_of
from tests.clients.schemas import REFERENCE, Types, comment, wrapped

Json = dict[str, Any]

CLIENT: Final = Path(__file__).parents[2] / "gateway" / "clients" / "slipgate.ts"
BEGIN: Final = "// ---- made from the OpenAPI document by `make clients` ----\n"
END: Final = "// ---- end of the generated part ----\n"
EVENT: Final = """\
/** An event. Told apart by `type`, which says what `data` holds. */
export type Event<T extends EventType = EventType> = T extends EventType
  ? EventFields & { type: T; data: EventData[T] } & (T extends TaskEventType
        ? { taskId: string; taskSeq: number; attempt: number }
        : { taskId: null; taskSeq: null; attempt: null })
  : never;"""
WEBHOOK: Final = """\
/** {about} */
export type {name}<T extends {kinds} = {kinds}> = T extends {kinds}
  ? {{ type: T; timestamp: string; data: {data} }}
  : never;"""
WEBHOOKS: Final = {
    "Notice": ("TaskEventType", "{ event: Event<T>; task: Task }"),
    "EndpointNotice": ("EndpointEventType", "{ event: Event<T>; endpoint: EndpointState }"),
    "AlertNotice": ("OpsEventType", 'Omit<OpsWebhookData, "event"> & { event: Event<T> }'),
}


def generated(text: str, document: Json) -> str:
    """The text of the client with the generated part made anew."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    version = document["info"]["version"]
    before = re.sub(r"(?<=^// slipgate\.ts )\S+", version, before)
    return "\n\n".join([f"{before}{BEGIN}".removesuffix("\n"), *_parts(document), f"{END}{after}"])


def _parts(document: Json) -> Iterator[str]:
    types = Types(document)
    known = operations(document, types)
    met = [schema for one in known for schema in schemas_of(one)]
    bodies = [{"$ref": f"{REFERENCE}{one.body}"} for one in known if one.body]
    yield f'export const VERSION = "{document["info"]["version"]}";'
    yield from types.enums()
    yield from types.declarations(
        [*types.reached_from([*met, {"$ref": f"{REFERENCE}Problem"}])], types.reached_from(bodies)
    )
    yield from (types.fields_of_event(), types.event_data(), EVENT)
    for name, (kinds, data) in WEBHOOKS.items():
        about, title = types.schemas[name]["description"], types.name_of(f"{REFERENCE}{name}")
        yield WEBHOOK.format(about=about, name=title, kinds=kinds, data=data)
    yield from (one.query_interface() for one in known if one.queries)
    yield from _errors(_codes(known))
    yield _class(known)


def _class(known: Iterable[Operation]) -> str:
    methods = "\n\n".join(one.method_text() for one in known)
    about = comment("One method for each operation of the HTTP interface.")
    return f"{about}\nclass Operations extends Transport {{\n{methods}\n}}"


def _codes(known: Iterable[Operation]) -> dict[str, tuple[int, str]]:
    """The status and the meaning of each code that an operation answers."""
    return {
        code: (int(status), example["value"]["detail"])
        for one in known
        for status, answer in one.spec["responses"].items()
        for content in answer["content"].values()
        for code, example in content.get("examples", {}).items()
    }


def _errors(codes: dict[str, tuple[int, str]]) -> Iterator[str]:
    """A class for each code, below that of its status, and the table of all."""
    union = wrapped(f'"{code}"' for code in sorted(codes))
    yield f"export type ErrorCode =\n{union};"
    classes: dict[str, str] = {}
    for code, (status, meaning) in sorted(codes.items()):
        classes[code] = "".join(part.capitalize() for part in code.split("_")) + "Error"
        if classes[code] not in FAMILIES.values():
            about = comment(f"{status} `{code}`: {meaning}")
            yield f"{about}\nexport class {classes[code]} extends {family_of(status)} {{}}"
    entries = "\n".join(f"  {code}: {name}," for code, name in classes.items())
    yield f"const ERRORS: Record<ErrorCode, ErrorClass> = {{\n{entries}\n}};"


def family_of(status: int) -> str:
    """The class of a status."""
    return FAMILIES.get(status) or FAMILIES[500 if status >= 500 else 400]
