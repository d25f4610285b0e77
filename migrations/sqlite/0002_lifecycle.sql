-- What an attempt is asked about later: when it was taken, when it ran, which try was its newest.

ALTER TABLE attempts ADD COLUMN claimed_at INTEGER;
ALTER TABLE attempts ADD COLUMN started_at INTEGER;
ALTER TABLE attempts ADD COLUMN tried_as TEXT;

-- A provider in a realm, and when a launcher of it last called.
CREATE TABLE realms (
    provider TEXT NOT NULL,
    realm TEXT NOT NULL,
    called_at INTEGER NOT NULL,
    due_at INTEGER,                    -- when to look whether it still calls; NULL: it is missing
    PRIMARY KEY (provider, realm)
) STRICT, WITHOUT ROWID;

CREATE INDEX realms_due ON realms (due_at) WHERE due_at IS NOT NULL;

-- Sandboxes that may be alive: whom to tell when their realm goes missing, or is heard again.
CREATE INDEX attempts_placed ON attempts (provider, realm)
    WHERE realm IS NOT NULL AND gone_at IS NULL;

-- What only one provider can take, for which ops have to ask: no other task has an entry here.
CREATE INDEX tasks_for_provider ON tasks (provider)
    WHERE provider IS NOT NULL AND claimable_at IS NOT NULL;

-- When a concurrency key was taken: the queue clocks of those who waited for it stood still.
CREATE TABLE taken_keys (
    project TEXT NOT NULL,
    concurrency_key TEXT NOT NULL,
    taken_at INTEGER NOT NULL,
    freed_at INTEGER,                  -- NULL: it still is
    PRIMARY KEY (project, concurrency_key, taken_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX taken_keys_freed ON taken_keys (project, concurrency_key, freed_at);
CREATE INDEX taken_keys_over ON taken_keys (freed_at) WHERE freed_at IS NOT NULL;

-- A destroy job of a sweep is about a sandbox of which only the labels are known (JSON).
ALTER TABLE jobs ADD COLUMN stray TEXT;
