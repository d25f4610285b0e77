"""The two kinds of JSON message: strict ones that we read, plain ones that we write."""

from typing import Annotated, Final

import msgspec

BLANK: Final = r"\s\u0000-\u001f\u0085\ufeff"
"""Inside the brackets of a pattern: white space, which is not the same in Python and in JavaScript,
and control characters."""
WithoutNul = Annotated[
    str, msgspec.Meta(pattern=r"^[^\u0000]*$", description="text without the character U+0000")
]
JSONObject = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]
"""An object that is passed on byte for byte."""


class Request(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename="camel",
    forbid_unknown_fields=True,
):
    """A message somebody sends us: an unknown field is an error, so that a typo is not ignored."""


class Reply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message we send: whoever reads it must bear fields it does not know."""
