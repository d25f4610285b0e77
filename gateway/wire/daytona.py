"""What Daytona's webhooks say: flat bodies, without a name, labels or a reason.

Source: Daytona's OpenAPI document, `WebhookEvent`; other people's fields are passed over.
"""

from typing import Annotated, Final

import msgspec

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
State = Annotated[str, msgspec.Meta(max_length=60)]

SANDBOXES: Final = "sandbox."
"""How the types of events about sandboxes begin; the others are about snapshots and volumes."""


class SandboxEvent(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An event about a sandbox."""

    event: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    id: Id | None = None
    """The sandbox's own, which no other event has to have."""
    state: State | None = None
    """Of one that was created."""
    new_state: State | None = None
    """Of one that has changed."""
