"""What a gateway says of itself to whoever sets up launchers."""

from gateway.wire.message import Reply


class GatewayView(Reply, frozen=True, kw_only=True):
    """Who the gateway is, and what of its settings matters to launchers."""

    instance_id: str
    """The label of its sandboxes: those of another instance are never touched."""
    version: str
    public_url: str | None
    """What sandboxes call back; null: they only spool."""
    snapshot: str
    """What a task gets that names none."""
