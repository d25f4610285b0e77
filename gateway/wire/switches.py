"""Switches: the request that changes them, and their view."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from gateway.wire.endpoints import Project
from gateway.wire.message import Change, Reason, Reply
from gateway.wire.times import Moment

Provider = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=400, pattern=r"^[^\s\u0000-\u001f\u007f]+$(?!\n)"),
    msgspec.Meta(description="`name` or `name@realm`, as launchers claim"),
]
SwitchName = Literal["intake", "launching", "delivering"]
SwitchState = Literal["on", "paused"]


class SwitchChange(Change, frozen=True, kw_only=True):
    """`PUT /v1/switches`: switches that are left out stay as they are."""

    intake: SwitchState | None = None
    launching: SwitchState | None = None
    delivering: SwitchState | None = None
    project: Project | None = None
    """Default: all projects."""
    provider: Provider | None = None
    """For `launching` alone: at this provider, `name` or `name@realm`; default: all."""
    reason: Reason
    until: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """The end of the pause; default: none, somebody has to resume."""


class SwitchView(Reply, frozen=True, kw_only=True):
    """A switch for all projects, or a project's own pause."""

    name: SwitchName
    state: SwitchState
    project: str | None
    """Null: all projects."""
    since: Moment | None
    """Null, as the fields below, of a switch that is on."""
    until: Moment | None
    """Null: until somebody resumes it."""
    reason: str | None
    actor: str | None
    """`key:<id>`, or `gateway` for a provider that fails."""
    provider: str | None
    """`name` or `name@realm`; null: all."""
    probe_at: Moment | None
    """The time from which one launch is tried at the provider; null: none is."""


class SwitchesView(Reply, frozen=True, kw_only=True):
    """The three switches of all projects, and what is paused for single ones."""

    data: tuple[SwitchView, ...]
