"""A launcher: its last call, and what ops have decided about it."""

from typing import Literal

from msgspec.structs import replace

from gateway.domain.kernel.errors import ApiError
from gateway.domain.launching.realm import ProviderRealm
from gateway.domain.tasks.task import Frozen

LauncherMode = Literal["working", "drained", "revoked"]
"""`drained`: it gets no new create jobs; `revoked`: nothing, and its calls are refused."""


class LauncherCall(Frozen, frozen=True, kw_only=True):
    """The last call of a launcher: it is live."""

    launcher_id: str
    providers: tuple[ProviderRealm, ...]
    capacity: int
    version: str
    at: int
    key_id: str = ""
    """The key it called with: its id belongs to that key while it lives."""
    project: str = ""
    """The one it serves; empty: all."""
    mode: LauncherMode = "working"
    mode_since: int | None = None
    """None: ops have never decided about it."""
    mode_reason: str | None = None
    mode_actor: str | None = None

    def decided(self, mode: LauncherMode, reason: str, actor: str, now: int) -> "LauncherCall":
        """The launcher after a decision of ops."""
        return replace(
            self,
            mode=mode,
            mode_since=self.mode_since if mode == self.mode else now,
            mode_reason=reason,
            mode_actor=actor,
        )

    def check_mode(self) -> None:
        """Refuses every call of a revoked launcher.

        Raises:
            ApiError: `launcher_revoked`.
        """
        if self.mode == "revoked":
            raise ApiError(
                "launcher_revoked",
                f"Ops have revoked the launcher {self.launcher_id}: {self.mode_reason}",
                hint="Stop it. `slipgate launchers resume` lets it work again.",
            )
