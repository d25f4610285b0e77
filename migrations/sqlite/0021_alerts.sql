-- Alerts of the installation: a restart does not repeat the event of one that is already known. Their
-- events have its id as `task_id`, as those of endpoints have theirs.
CREATE TABLE alerts (
    id TEXT PRIMARY KEY NOT NULL CHECK (id GLOB 'ops_*'),
    seq INTEGER NOT NULL CHECK (seq >= 1),  -- number of its newest event
    since INTEGER                           -- NULL: resolved
) STRICT, WITHOUT ROWID;

-- The form of an endpoint's webhooks; fixed, because a delivery keeps its body.
ALTER TABLE endpoints ADD COLUMN format TEXT NOT NULL DEFAULT 'standard'
    CHECK (format = 'standard' OR format = 'slack');
