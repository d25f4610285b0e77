"""Switches: the request that changes them, and their view."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from gateway.wire.endpoints import Project
from gateway.wire.message import Change, Reason, Reply
from gateway.wire.times import Moment

SwitchName = Literal["intake", "launching", "delivering"]
SwitchState = Literal["on", "paused"]


class SwitchChange(Change, frozen=True, kw_only=True):
    """`PUT /v1/switches`: switches that are left out stay as they are."""

    intake: SwitchState | None = None
    launching: SwitchState | None = None
    delivering: SwitchState | None = None
    project: Project | None = None
    """Default: all projects."""
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
    """`key:<id>`."""


class SwitchesView(Reply, frozen=True, kw_only=True):
    """The three switches of all projects, and what is paused for single ones."""

    data: tuple[SwitchView, ...]
