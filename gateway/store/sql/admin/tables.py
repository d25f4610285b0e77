"""The tables that a copy to another kind of database is made of."""

from typing import Final, NamedTuple


class Table(NamedTuple):
    """A table, and the columns that its rows are read along."""

    name: str
    key: tuple[str, ...]
    long: str | None = None
    """The column with most of the bytes of a row."""


TABLES: Final = (
    Table("ledger", ("one",)),
    Table("restores", ("seq_after",)),
    Table("master_keys", ("id",)),
    Table("projects", ("name",)),
    Table("api_keys", ("id",)),
    Table("endpoints", ("id",)),
    Table("tasks", ("id",)),
    Table("events", ("seq",), "data"),
    Table("own_events", ("seq",)),
    Table("event_types", ("project", "name"), "schema"),
    Table("portals", ("project", "customer")),
    Table("pruned", ("project",)),
    Table("attempts", ("task_id", "number")),
    Table(
        "patch_pieces",
        ("task_id", "task_seq", "attempt", "revision", "start", "length"),
        "chunk",
    ),
    Table("task_secrets", ("task_id",), "env"),
    Table("task_metadata", ("task_id", "key")),
    Table("task_groups", ("kind", "since", "project", "status", "code")),
    Table("idempotency", ("project", "operation", "key"), "answer"),
    Table("bulk_actions", ("id",)),
    Table("bulk_pages", ("bulk_id", "number")),
    Table("jobs", ("id",)),
    Table("launchers", ("id",)),
    Table("realms", ("provider", "realm", "project")),
    Table("sweeps", ("provider", "realm", "project")),
    Table("turns", ("project",)),
    Table("taken_keys", ("project", "concurrency_key", "taken_at")),
    Table("subscriptions", ("endpoint_id", "after_seq")),
    Table("deliveries", ("endpoint_id", "seq"), "body"),
    Table("delivery_attempts", ("endpoint_id", "seq", "number"), "response_body"),
    Table("replays", ("id",)),
    Table("signing_secrets", ("id",)),
    Table("alerts", ("id",)),
    Table("source_messages", ("source", "id")),
    Table("workspaces", ("project", "external_id")),
    Table("pauses", ("switch", "project", "provider", "since")),
    Table("audit", ("id",)),
)
"""In this order: rows refer to rows of an earlier one."""
