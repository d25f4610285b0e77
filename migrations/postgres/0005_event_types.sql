-- The catalogue: what an application says of its own event types.
CREATE TABLE event_types (
    project text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    description text COLLATE "C" NOT NULL,
    schema text COLLATE "C",                       -- JSON Schema of its data, as JSON; NULL: any
    example text COLLATE "C",                      -- JSON
    deprecated bigint NOT NULL CHECK (deprecated IN (0, 1)),
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (project, name)
);
