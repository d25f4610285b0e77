-- The catalogue: what an application says of its own event types.
CREATE TABLE event_types (
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    schema TEXT,                       -- JSON Schema of its data, as JSON; NULL: any
    example TEXT,                      -- JSON
    deprecated INTEGER NOT NULL CHECK (deprecated IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (project, name)
) STRICT, WITHOUT ROWID;
