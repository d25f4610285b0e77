-- Oldest: 4, because older programs would tell an endpoint of a customer of tasks.
-- Own events: what the log does not say of an event of an application's own type. In the log its
-- `task_id` is the id of its lane (`own_…`), and `task_seq` the number among the events of that.
CREATE TABLE own_events (
    seq bigint PRIMARY KEY,            -- of the event
    project text COLLATE "C" NOT NULL,
    customer text COLLATE "C",
    event_id text COLLATE "C",         -- the application's own id; NULL: it gave none
    deliveries bigint NOT NULL         -- endpoints that it went to
);

CREATE UNIQUE INDEX own_events_posted ON own_events (project, event_id)
    WHERE event_id IS NOT NULL;

-- The only customer whose own events it gets, and nothing else; NULL: it is the project's.
ALTER TABLE endpoints ADD COLUMN customer text COLLATE "C";
CREATE INDEX endpoints_of_customer ON endpoints (customer, project)
    WHERE customer IS NOT NULL;
