"""The bases of JSON messages: strict requests and tolerant replies."""

from typing import Annotated, Final

import msgspec

BLANK: Final = r"\s\u0000-\u001f\u0085\ufeff"
"""White space and control characters, for the brackets of a pattern: `\\s` alone differs between
Python and JavaScript."""
WithoutNul = Annotated[
    str, msgspec.Meta(pattern=r"^[^\u0000]*$", description="text without the character U+0000")
]
Reason = Annotated[WithoutNul, msgspec.Meta(min_length=1, max_length=2_000)]
JSONObject = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "object"})]
"""An object that is passed on byte for byte."""


class Request(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True
):
    """A message that we receive: an unknown field is an error, so that a typo is not ignored."""


class Change(Request, frozen=True, kw_only=True):
    """A change that can be tried dry; an empty body changes without a reason."""

    reason: Reason | None = None
    """Kept in the audit log."""
    dry_run: bool = False
    """True: the answer or the refusal of the change, and nothing else."""


class Reply(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A message that we send: its readers ignore unknown fields."""
