"""The settings of an installation that rules depend on."""

from gateway.domain.tasks.task import Frozen


class Policy(Frozen, frozen=True, kw_only=True):
    """Limits and identity of an installation; durations in milliseconds."""

    key_id: str
    """The current master key, for new attempts."""
    instance_id: str = ""
    """The label of this instance's sandboxes; sandboxes of other instances are never touched."""
    started_at: int = 0
    """Start of this gateway: in its first 60 s no launcher counts as missing."""
    lease: int = 60_000
    launch: int = 300_000
    progress: int = 900_000
    cancel: int = 60_000
    drain: int = 60_000
    """Time for reading the sandbox's spool before the attempt is ended."""
    create_window: int = 30_000
    create_limit: int = 120_000
    gone_margin: int = 15_000
    concurrency_per_key: int = 1
    spool_only: bool = False
    """True without a public URL: launchers read the spools of sandboxes every `drain_every`."""
    drain_every: int = 5_000
