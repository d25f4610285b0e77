"""Operations: bulk actions, launchers, switches, keys, the audit log, and the state of it all."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from gateway.wire.keys import Scope
from gateway.wire.switches import SwitchState
from slipgate.declaration import listing, operation
from slipgate.types import (
    AuditEntry,
    Bulk,
    BulkFilter,
    BulkPreview,
    Key,
    Launcher,
    ListedBulk,
    NewKey,
    Page,
    RateLimit,
    Reconciliation,
    Status,
    Sweeps,
    Switches,
)


class Operators:
    """Calls of operators; most need a key of scope `ops`."""

    @operation("POST", "/v1/bulk")
    def bulk(
        self,
        action: Literal["cancel", "retry", "destroy"],
        *,
        filter: BulkFilter | Mapping[str, Any],
        reason: str,
        dry_run: bool = False,
        idempotency_key: str | None = None,
    ) -> Bulk | BulkPreview:
        """Acts on all tasks that match now; it goes on across a restart, and `get_bulk` tells how
        far it is. With `dry_run` it answers how many would match."""

    @listing("/v1/bulk")
    def bulk_actions(
        self, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[ListedBulk]:
        """Bulk actions, newest first."""

    @operation("GET", "/v1/bulk/{bulk_id}")
    def get_bulk(self, bulk_id: str) -> Bulk:
        """A bulk action, its progress and its failures."""

    @operation("POST", "/v1/bulk/{bulk_id}/abort")
    def abort_bulk(self, bulk_id: str, *, reason: str | None = None, dry_run: bool = False) -> Bulk:
        """Stops a bulk action; what is done stays done."""

    @listing("/v1/launchers")
    def launchers(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Launcher]:
        """Launchers of the last day."""

    @operation("POST", "/v1/launchers/{launcher_id}/drain")
    def drain_launcher(self, launcher_id: str, *, reason: str, dry_run: bool = False) -> Launcher:
        """Gives a launcher no new sandboxes to create."""

    @operation("POST", "/v1/launchers/{launcher_id}/resume")
    def resume_launcher(self, launcher_id: str, *, reason: str, dry_run: bool = False) -> Launcher:
        """Gives a launcher work again."""

    @operation("POST", "/v1/launchers/{launcher_id}/revoke")
    def revoke_launcher(self, launcher_id: str, *, reason: str, dry_run: bool = False) -> Launcher:
        """Refuses a launcher, and gives its jobs to others."""

    @operation("GET", "/v1/switches")
    def get_switches(self, *, project: str | None = None) -> Switches:
        """The switches, and what is paused for single projects."""

    @operation("PUT", "/v1/switches")
    def set_switches(
        self,
        *,
        reason: str,
        intake: SwitchState | None = None,
        launching: SwitchState | None = None,
        delivering: SwitchState | None = None,
        project: str | None = None,
        provider: str | None = None,
        until: datetime | str | None = None,
        dry_run: bool = False,
    ) -> Switches:
        """Pauses or resumes; switches that are left out stay as they are."""

    @operation("GET", "/v1/sweeps")
    def sweeps(self) -> Sweeps:
        """The realms that are served, and what the last sweep of each has found."""

    @operation("POST", "/v1/sweeps")
    def sweep_now(self) -> Sweeps:
        """Looks for sandboxes that nobody wants, now."""

    @operation("POST", "/v1/keys")
    def create_key(
        self,
        *,
        scope: Scope,
        name: str,
        project: str | None = None,
        expires_at: datetime | str | None = None,
        all_projects: bool = False,
        rate_limit: RateLimit | Mapping[str, Any] | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> NewKey:
        """A new key, which is shown this once."""

    @listing("/v1/keys")
    def keys(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Key]:
        """Keys, newest first, without the keys themselves."""

    @operation("POST", "/v1/keys/{key_id}/revoke")
    def revoke_key(
        self,
        key_id: str,
        *,
        force: bool = False,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> Key:
        """Ends a key."""

    @listing("/v1/audit")
    def audit(
        self,
        *,
        actor: str | None = None,
        after: datetime | str | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[AuditEntry]:
        """Changes and who asked for them, newest first."""

    @operation("GET", "/v1/status")
    def status(self) -> Status:
        """The causes of what is wrong, grouped, and the counts of this moment."""

    @operation("GET", "/v1/reconcile")
    def reconcile(self, *, limit: int | None = None, within: int | None = None) -> Reconciliation:
        """All that is due, and what would be done about it."""

    @operation("GET", "/healthz")
    def check_health(self) -> str:
        """`ok` while the process and its loops move."""

    @operation("GET", "/readyz")
    def check_readiness(self) -> str:
        """`ok` while the store commits."""

    @operation("GET", "/metrics")
    def metrics(self) -> str:
        """Metrics in Prometheus' text form."""

    @operation("GET", "/openapi.json")
    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document of the gateway."""

    @operation("GET", "/client.ts")
    def client(self) -> str:
        """The TypeScript client of this version, one file."""

    @operation("GET", "/docs")
    def docs(self) -> str:
        """The list of pages of the documentation, as HTML."""

    @operation("GET", "/docs/{page}")
    def docs_page(self, page: str) -> str:
        """A page of the documentation, as HTML."""
