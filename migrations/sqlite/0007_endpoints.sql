-- Endpoints that people manage, beside the implicit ones of callbacks: what they want to hear, how
-- it is signed, and what is done with the events they have missed.

-- Explicit ones have an address of their own; that of an implicit one comes with each task.
ALTER TABLE endpoints ADD COLUMN shown_url TEXT;         -- without its query, which may be secret
ALTER TABLE endpoints ADD COLUMN url BLOB;               -- AES-GCM
ALTER TABLE endpoints ADD COLUMN url_key_id TEXT;
ALTER TABLE endpoints ADD COLUMN header_names TEXT NOT NULL DEFAULT '[]';
ALTER TABLE endpoints ADD COLUMN headers BLOB;           -- AES-GCM of a JSON object
ALTER TABLE endpoints ADD COLUMN headers_key_id TEXT;
ALTER TABLE endpoints ADD COLUMN description TEXT;
ALTER TABLE endpoints ADD COLUMN event_types TEXT;       -- JSON, patterns; NULL: the usual ones
ALTER TABLE endpoints ADD COLUMN rate_per_second REAL CHECK (rate_per_second > 0);
ALTER TABLE endpoints ADD COLUMN metadata TEXT NOT NULL DEFAULT '{}';
-- What it missed is on its way: newer events are held too, and wait for their turn.
ALTER TABLE endpoints ADD COLUMN is_draining INTEGER NOT NULL DEFAULT 0
    CHECK (is_draining = 0 OR is_draining = 1);
ALTER TABLE endpoints ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE endpoints ADD COLUMN deleted_at INTEGER;
UPDATE endpoints SET updated_at = created_at;

-- What an endpoint wanted from which event on: an endpoint is owed the events behind `after_seq`,
-- up to the next row, and `verify` holds the outbox against that.
CREATE TABLE subscriptions (
    endpoint_id TEXT NOT NULL REFERENCES endpoints (id),
    after_seq INTEGER NOT NULL,
    event_types TEXT,                  -- JSON, patterns; NULL: the usual ones; []: nothing more
    PRIMARY KEY (endpoint_id, after_seq)
) STRICT, WITHOUT ROWID;

INSERT INTO subscriptions (endpoint_id, after_seq) SELECT id, 0 FROM endpoints;

-- Secrets that deliveries are signed with, several at a time while one is rotated. The first one
-- of a project's callbacks stands in `projects`.
CREATE TABLE signing_secrets (
    id TEXT PRIMARY KEY NOT NULL,
    project TEXT NOT NULL,
    endpoint_id TEXT REFERENCES endpoints (id),  -- NULL: for the callbacks of the project
    key_id TEXT NOT NULL,
    secret BLOB NOT NULL,              -- AES-GCM
    created_at INTEGER NOT NULL,
    expires_at INTEGER                 -- NULL: it is the newest
) STRICT, WITHOUT ROWID;

CREATE INDEX signing_secrets_of ON signing_secrets (project, endpoint_id);

ALTER TABLE projects ADD COLUMN secret_id TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN expires_at INTEGER;
UPDATE projects SET secret_id = 'sec_' || lower(hex(randomblob(13)));

-- `attempts` numbers all that were ever made; `failures` is the place in the schedule, which a
-- replay begins anew.
ALTER TABLE deliveries ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
ALTER TABLE deliveries ADD COLUMN trigger TEXT NOT NULL DEFAULT 'auto'
    CHECK (trigger = 'auto' OR trigger = 'manual' OR trigger = 'replay');
ALTER TABLE deliveries ADD COLUMN reason TEXT;           -- why it ended without an attempt
UPDATE deliveries SET failures = attempts WHERE status = 'pending';

-- What did not arrive: few among very many, whose bodies make every row a wide one.
CREATE INDEX deliveries_missed ON deliveries (status, seq)
    WHERE status = 'dead' OR status = 'held' OR status = 'superseded';

-- Work on many deliveries of an endpoint, done a few at a time and taken up again after a restart.
CREATE TABLE replays (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL CHECK (
        kind = 'replay' OR kind = 'hold' OR kind = 'release' OR kind = 'drop'),
    endpoint_id TEXT NOT NULL REFERENCES endpoints (id),
    project TEXT NOT NULL,
    since INTEGER,
    until INTEGER,
    only_failed INTEGER NOT NULL CHECK (only_failed = 0 OR only_failed = 1),
    dry_run INTEGER NOT NULL CHECK (dry_run = 0 OR dry_run = 1),
    after_seq INTEGER NOT NULL,        -- how far it has come
    until_seq INTEGER NOT NULL,        -- the last event it is about
    matched INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status = 'running' OR status = 'done' OR status = 'cancelled'),
    reason TEXT,                       -- why deliveries that it drops are dead
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER,
    CONSTRAINT running_is_unfinished CHECK ((status = 'running') = (finished_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX replays_running ON replays (endpoint_id) WHERE status = 'running';
