-- Keys end by themselves, and tell when they were last used; the writes of that are few: at most
-- one a minute for each key.
ALTER TABLE api_keys ADD COLUMN expires_at INTEGER;
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;

-- Who changed what. A row is written in the transaction of its change, and never holds a secret.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY,            -- in the order of the commits
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,               -- key:<id>, cli, agent, launcher:<id>, gateway
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    project TEXT,                      -- NULL: it concerns all of them
    detail TEXT NOT NULL               -- a JSON object
) STRICT;

CREATE INDEX audit_of_actor ON audit (actor);

-- A key without limits of its own has the empty ones: NULL is no second way to say that.
UPDATE api_keys SET rate_limit = '{}' WHERE rate_limit IS NULL;
