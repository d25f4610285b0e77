"""A message as people write it: without the fields that have their default anyway."""

import msgspec


def sparse(value: object) -> object:
    """As JSON values; an example of a request full of nulls would teach nothing."""
    if isinstance(value, msgspec.Struct):
        return _fields(value)
    if isinstance(value, dict):
        return {name: sparse(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [sparse(item) for item in value]
    return msgspec.to_builtins(value)


def _fields(value: msgspec.Struct) -> dict[str, object]:
    config = value.__struct_config__
    tag = {config.tag_field: config.tag} if config.tag_field is not None else {}
    return tag | {
        field.encode_name: sparse(item)
        for field in msgspec.structs.fields(type(value))
        if (item := getattr(value, field.name)) != field.default
    }
