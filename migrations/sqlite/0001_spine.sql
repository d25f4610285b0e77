-- The whole product's shape. Moments are milliseconds since the Unix epoch.
-- A task costs two rows: its hot state here, and `task.created`, which holds what was asked for.

CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    seq INTEGER NOT NULL,              -- number of the newest event
    instance_id TEXT NOT NULL,         -- label of every sandbox of this database
    pulse_at INTEGER                   -- when the reconciler last committed, to notice an outage
) STRICT;

-- Its checks are written with OR: for a list in IN, SQLite builds a temporary index per row, which
-- was a quarter of the cost of an insert.
CREATE TABLE tasks (
    id TEXT PRIMARY KEY NOT NULL CHECK (id GLOB 'task_*'),
    project TEXT NOT NULL,
    status TEXT NOT NULL CHECK (
        status = 'queued' OR status = 'launching' OR status = 'running' OR status = 'completed'
        OR status = 'needs_review' OR status = 'failed' OR status = 'timed_out'
        OR status = 'cancelled' OR status = 'expired'),
    attempt INTEGER NOT NULL CHECK (attempt >= 1),
    max_attempts INTEGER NOT NULL CHECK (max_attempts >= 1),
    seq INTEGER NOT NULL,              -- task_seq of its newest event
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    timeouts TEXT NOT NULL,            -- JSON, seconds
    on_stall TEXT NOT NULL CHECK (
        on_stall = 'flag' OR on_stall = 'fail' OR on_stall = 'retry'),
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 9),
    snapshot TEXT NOT NULL,
    provider TEXT,                     -- only if ops named one
    concurrency_key TEXT,
    keep_sandbox INTEGER NOT NULL CHECK (keep_sandbox IN (0, 1)),
    endpoint_id TEXT,                  -- implicit endpoint of its callbackUrl
    claimable_at INTEGER,              -- from when its create job may be claimed
    started_at INTEGER,
    finished_at INTEGER,
    cancel_requested_at INTEGER,
    stage TEXT,
    message TEXT,
    pr_url TEXT,
    commit_sha TEXT,
    error TEXT,                        -- JSON
    usage TEXT NOT NULL,               -- JSON
    sandbox TEXT,                      -- JSON
    flags TEXT NOT NULL,               -- JSON
    clocks TEXT NOT NULL,              -- JSON, absolute moments
    due_at INTEGER,                    -- the earliest clock
    CONSTRAINT task_is_due CHECK (
        due_at IS NOT NULL OR status NOT IN ('queued', 'launching', 'running')),
    CONSTRAINT terminal_is_not_claimable CHECK (
        claimable_at IS NULL OR status = 'queued' OR status = 'launching' OR status = 'running')
) STRICT, WITHOUT ROWID;

CREATE INDEX tasks_due ON tasks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX tasks_claimable ON tasks (priority, claimable_at) WHERE claimable_at IS NOT NULL;
CREATE INDEX tasks_listed ON tasks (project, status, id);
CREATE INDEX tasks_keyed ON tasks (project, concurrency_key)
    WHERE concurrency_key IS NOT NULL AND status IN ('launching', 'running');

CREATE TABLE events (
    seq INTEGER PRIMARY KEY,           -- order of numbers = order of commits
    task_id TEXT NOT NULL,
    task_seq INTEGER NOT NULL CHECK (task_seq >= 1),
    attempt INTEGER NOT NULL,
    type TEXT NOT NULL,
    at INTEGER NOT NULL,
    applied INTEGER NOT NULL CHECK (applied IN (0, 1)),
    reason TEXT,
    source TEXT NOT NULL,
    data TEXT NOT NULL,                -- JSON; of task.created, the whole request
    webhook_id TEXT,
    body_hash BLOB,
    CONSTRAINT refused_has_reason CHECK (applied = 1 OR reason IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX events_of_task ON events (task_id, task_seq);
-- The log is the inbox too: an acknowledged webhook is in it exactly once.
CREATE UNIQUE INDEX events_heard ON events (task_id, attempt, webhook_id)
    WHERE webhook_id IS NOT NULL;

CREATE TABLE attempts (                -- a row appears at the first claim
    task_id TEXT NOT NULL REFERENCES tasks (id),
    number INTEGER NOT NULL,
    key_id TEXT NOT NULL,              -- master key of its signing key, for life
    opened_at INTEGER NOT NULL,
    provider TEXT,
    realm TEXT,                        -- only launchers of this realm may judge its sandbox
    sandbox TEXT,                      -- JSON
    launches INTEGER NOT NULL,
    queue_left INTEGER,
    tried_at INTEGER,                  -- NULL: no sandbox was ever made
    create_before INTEGER,
    spoke_at INTEGER,
    gone_at INTEGER,
    missing_since INTEGER,
    spool_offset INTEGER NOT NULL,     -- bytes
    inspections INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    ended_at INTEGER,
    outcome TEXT,
    error TEXT,                        -- JSON
    usage TEXT NOT NULL,               -- JSON
    PRIMARY KEY (task_id, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id TEXT PRIMARY KEY NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('create', 'inspect', 'destroy', 'sweep')),
    task_id TEXT REFERENCES tasks (id),
    attempt INTEGER,
    provider TEXT,
    realm TEXT,
    not_before INTEGER NOT NULL,
    lease INTEGER NOT NULL,            -- counts the claims: the fencing token
    leased_by TEXT,
    lease_expires_at INTEGER,
    renewed INTEGER NOT NULL CHECK (renewed IN (0, 1)),
    is_delegated INTEGER NOT NULL CHECK (is_delegated IN (0, 1)),
    offers INTEGER NOT NULL,
    closed_at INTEGER,
    answered_lease INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX jobs_of_task ON jobs (task_id, attempt);
CREATE INDEX jobs_offered ON jobs (provider, realm, not_before)
    WHERE closed_at IS NULL AND leased_by IS NULL AND kind <> 'create';
CREATE INDEX jobs_leased ON jobs (lease_expires_at)
    WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL;

CREATE TABLE task_secrets (            -- AES-GCM; associated data is table|column|task_id
    task_id TEXT PRIMARY KEY NOT NULL REFERENCES tasks (id),
    key_id TEXT NOT NULL,
    env BLOB,
    callback_url BLOB,
    env_erased_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE task_metadata (
    task_id TEXT NOT NULL REFERENCES tasks (id),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (task_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX task_metadata_found ON task_metadata (key, value, task_id);

CREATE TABLE endpoints (
    id TEXT PRIMARY KEY NOT NULL,
    project TEXT NOT NULL,
    origin TEXT NOT NULL,
    implicit INTEGER NOT NULL CHECK (implicit IN (0, 1)),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    disabled_reason TEXT,
    failing_since INTEGER,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE deliveries (
    endpoint_id TEXT NOT NULL REFERENCES endpoints (id),
    seq INTEGER NOT NULL REFERENCES events (seq),
    task_id TEXT NOT NULL,
    task_seq INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN (
        'pending', 'delivered', 'dead', 'superseded', 'held')),
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER,
    body TEXT,                         -- rendered at the first attempt, kept byte for byte
    PRIMARY KEY (endpoint_id, seq),
    CONSTRAINT pending_is_due CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_due ON deliveries (next_attempt_at) WHERE status = 'pending';
CREATE INDEX deliveries_lane ON deliveries (endpoint_id, task_id, task_seq)
    WHERE status = 'pending';
CREATE INDEX deliveries_of_task ON deliveries (task_id);

CREATE TABLE delivery_attempts (
    endpoint_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    number INTEGER NOT NULL,
    at INTEGER NOT NULL,
    trigger TEXT NOT NULL CHECK (trigger IN ('auto', 'manual', 'replay')),
    status INTEGER,                    -- HTTP, NULL if there was no answer
    reason TEXT,
    duration_ms INTEGER NOT NULL,
    key_id TEXT,
    response_body TEXT,
    PRIMARY KEY (endpoint_id, seq, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
    project TEXT NOT NULL,
    operation TEXT NOT NULL,           -- method and path
    key TEXT NOT NULL,
    key_id TEXT NOT NULL,
    digest BLOB NOT NULL,              -- keyed hash of the decoded request
    answer TEXT NOT NULL,              -- the task as it stood in the first answer, JSON
    at INTEGER NOT NULL,
    PRIMARY KEY (project, operation, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_age ON idempotency (at);

CREATE TABLE launchers (
    id TEXT PRIMARY KEY NOT NULL,
    providers TEXT NOT NULL,           -- JSON, pairs of provider and realm
    capacity INTEGER NOT NULL,
    version TEXT NOT NULL,
    called_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY NOT NULL,
    hash BLOB NOT NULL UNIQUE,         -- SHA-256; the key itself is never stored
    scope TEXT NOT NULL CHECK (scope IN ('tasks', 'read', 'launcher', 'ops')),
    project TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
    name TEXT PRIMARY KEY NOT NULL,
    key_id TEXT NOT NULL,
    callback_secret BLOB NOT NULL,     -- AES-GCM
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
