-- Own events: what the log does not say of an event of an application's own type. In the log its
-- `task_id` is the id of its lane (`own_…`), and `task_seq` the number among the events of that.
CREATE TABLE own_events (
    seq INTEGER PRIMARY KEY NOT NULL,  -- of the event
    project TEXT NOT NULL,
    customer TEXT,
    event_id TEXT,                     -- the application's own id; NULL: it gave none
    deliveries INTEGER NOT NULL        -- endpoints that it went to
) STRICT;

CREATE UNIQUE INDEX own_events_posted ON own_events (project, event_id)
    WHERE event_id IS NOT NULL;

-- The only customer whose own events it gets, and nothing else; NULL: it is the project's.
ALTER TABLE endpoints ADD COLUMN customer TEXT;
CREATE INDEX endpoints_of_customer ON endpoints (customer, project)
    WHERE customer IS NOT NULL;
