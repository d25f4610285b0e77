"""The API's documents, with every key that the real CLI needs."""

from datetime import UTC, datetime

from tests.daytona.organisation import ORGANISATION, Sandbox, Snapshot

Document = dict[str, object]
FAILED = ("error", "build_failed")


def sandbox_document(sandbox: Sandbox, state: str, toolbox: str) -> Document:
    """A whole sandbox; its `env` is in clear text, readable with the key."""
    return {
        **listed_document(sandbox, state, toolbox),
        "env": dict(sandbox.env),
        "desiredState": "destroyed" if state in ("destroying", "destroyed") else "started",
        "recoverable": False,
        "backupState": "None",
        **{
            key: value
            for key, value in sandbox.settings.items()
            if key.startswith("auto") or key == "ttlMinutes"
        },
    }


def listed_document(sandbox: Sandbox, state: str, toolbox: str) -> Document:
    """A sandbox in a list: without its `env`."""
    document: Document = {
        "id": sandbox.id,
        "organizationId": ORGANISATION,
        "name": sandbox.name,
        "user": sandbox.settings.get("user") or "daytona",
        "labels": dict(sandbox.labels),
        "public": bool(sandbox.settings.get("public")),
        "networkBlockAll": bool(sandbox.settings.get("networkBlockAll")),
        "target": sandbox.settings.get("target") or "us",
        "cpu": 2,
        "gpu": 0,
        "memory": 4,
        "disk": 8,
        "toolboxProxyUrl": toolbox,
        "snapshot": sandbox.snapshot,
        "state": state,
        "createdAt": moment(sandbox.created_at),
        "updatedAt": moment(sandbox.created_at),
    }
    if state == "error" and sandbox.error_reason:
        document["errorReason"] = sandbox.error_reason
    for key, at in (
        ("queueTimedOutAt", sandbox.queue_timed_out_at),
        ("spotEvictedAt", sandbox.spot_evicted_at),
    ):
        if at is not None:
            document[key] = moment(at)
    return document


def snapshot_document(snapshot: Snapshot) -> Document:
    return {
        "id": snapshot.id,
        "general": snapshot.general,
        **({} if snapshot.general else {"organizationId": ORGANISATION}),
        "name": snapshot.name,
        "imageName": snapshot.name,
        "state": snapshot.state,
        "size": 0.4,
        "entrypoint": None if snapshot.entrypoint is None else list(snapshot.entrypoint),
        "cpu": 2,
        "gpu": 0,
        "mem": 4,
        "disk": 8,
        "errorReason": snapshot.error_reason if snapshot.state in FAILED else None,
        **({} if snapshot.regions is None else {"regionIds": list(snapshot.regions)}),
        "createdAt": "2026-11-01T00:00:00.000Z",
        "updatedAt": "2026-11-01T00:00:00.000Z",
        "lastUsedAt": None,
        "sourceSandboxId": None,
    }


def error_document(status: int, reason: str, message: str, path: str) -> Document:
    """The form of every error."""
    return {
        "path": path,
        "timestamp": moment(0),
        "statusCode": status,
        "error": reason,
        "message": message,
    }


def moment(at: float) -> str:
    """A time (seconds) in the API's format."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
