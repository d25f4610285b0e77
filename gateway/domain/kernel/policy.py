"""What the rules need to know of this installation; durations in milliseconds."""

from gateway.domain.tasks.task import Frozen


class Policy(Frozen, frozen=True, kw_only=True):
    """Its limits, and who it is."""

    key_id: str
    """The current master key: new attempts are opened with it."""
    instance_id: str = ""
    """The label of our sandboxes: those of another instance are never touched."""
    started_at: int = 0
    """When this gateway came up: until it has listened for 60 s it calls nobody missing."""
    lease: int = 60_000
    launch: int = 300_000
    progress: int = 900_000
    cancel: int = 60_000
    drain: int = 60_000
    """How long a judgement waits for the sandbox's spool to be read."""
    create_window: int = 30_000
    create_limit: int = 120_000
    gone_margin: int = 15_000
    concurrency_per_key: int = 1
    spool_only: bool = False
    """No public URL: sandboxes only spool, and launchers drain them every `drain_every`."""
    drain_every: int = 5_000
