"""The audit log: each change that somebody asked for, with its actor."""

from typing import Final

from gateway.domain.kernel.part import Added
from gateway.domain.tasks.task import Frozen

GATEWAY: Final = "gateway"
CLI: Final = "cli"
"""An operator's command that opens the database itself."""

Detail = str | int | bool | tuple[str, ...] | None


class AuditEntry(Frozen, frozen=True, kw_only=True):
    """One change; `at` in milliseconds."""

    at: int
    actor: str
    """`key:<id>`, `cli`, `agent`, `launcher:<id>` or `gateway`."""
    action: str
    """`task.cancelled`, `key.created`: a noun and a past participle."""
    target: str
    """The id of the changed object."""
    project: str | None
    """None: it concerns all projects."""
    detail: dict[str, Detail]
    """By names as in the API; never a secret."""
    id: int = 0
    """Given by the store, in the order of the commits."""


class AuditLog(Added[AuditEntry]):
    """The entries of a unit of work; `decide` names the actor before each command."""

    def __init__(self) -> None:
        super().__init__()
        self.actor, self._at = GATEWAY, 0
        """The one who asks for the current command."""
        self.launcher: str | None = None
        """`launcher:<id>` of the one that the current command comes from."""
        self._reason: str | None = None

    def begin(self, actor: str, at: int, reason: str | None = None) -> None:
        """A command of this actor is decided next; `at` in milliseconds."""
        self.actor, self._at, self._reason = actor, at, reason
        self.launcher = None

    def emit(
        self,
        action: str,
        target: str,
        project: str | None,
        *,
        by: str | None = None,
        **detail: Detail,
    ) -> None:
        """Records a change that the current command makes, or that `by` makes because of it;
        details of None are left out. The reason that the actor has stated takes the place of the
        rule's own."""
        if self._reason is not None and by is None:
            detail["reason"] = self._reason
        entry = AuditEntry(
            at=self._at,
            actor=by or self.actor,
            action=action,
            target=target,
            project=project,
            detail={_camel(name): it for name, it in detail.items() if it is not None},
        )
        self.append(entry)


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(map(str.capitalize, others))
