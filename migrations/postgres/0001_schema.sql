-- The schema of the SQLite store, table by table and column by column, so that both stores run the
-- same statements. Moments are milliseconds since the Unix epoch, flags are 0 or 1, JSON is text as
-- it was written. Every text compares by its bytes, whatever the database's own collation: ids are
-- made to be ordered so. Entries of an index have at most 2.7 kB here: long text is indexed by its
-- beginning, or by its hash. SQLite ends each entry with the primary key; here an index names it
-- where pages are read in its order.

CREATE TABLE schema_version (
    one bigint PRIMARY KEY CHECK (one = 1),
    number bigint NOT NULL,            -- of the newest migration that was applied
    oldest bigint NOT NULL             -- the oldest schema whose programs still work with it
);


-- SQLite's functions, in the words of PostgreSQL: the planner puts their bodies into the statements.

-- NUL, which agents may send, is no character of PostgreSQL's text: U+FFFD stands for it.
CREATE FUNCTION json_without_nul(document text) RETURNS json
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN strpos(document, '\u0000') = 0 THEN document
    ELSE regexp_replace(document, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g')
END::json;

-- Paths are those of SQLite: $.name, $[0], $.name[0].name. Scalars are text, null is NULL.
CREATE FUNCTION json_extract(document text, path text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN json_without_nul(document) #>> string_to_array(translate(substr(path, 3), '[]', '.'), '.');

-- The elements of an array, in their order. The planner counts on 10 elements of an array, and on
-- 100 rows of a function: for so many it would read whole indexes.
CREATE FUNCTION json_each(list text) RETURNS TABLE (value text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT element.value
    FROM unnest(ARRAY(SELECT json_array_elements_text(json_without_nul(list)))) AS element (value);
END;

CREATE FUNCTION iif(condition boolean, one anycompatible, other anycompatible)
RETURNS anycompatible
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT CASE WHEN condition THEN one ELSE other END';

CREATE FUNCTION instr(document text, part text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN strpos(document, part)::bigint;

CREATE FUNCTION min(one bigint, other bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN one IS NULL OR other IS NULL THEN NULL WHEN one <= other THEN one ELSE other END;

CREATE FUNCTION max(one bigint, other bigint) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN one IS NULL OR other IS NULL THEN NULL WHEN one >= other THEN one ELSE other END;


-- The ledger.

CREATE TABLE ledger (
    one bigint PRIMARY KEY CHECK (one = 1),
    seq bigint NOT NULL,               -- number of the newest event
    instance_id text COLLATE "C" NOT NULL,  -- label of every sandbox of this database
    pulse_at bigint,                   -- when the reconciler last committed, to notice an outage
    key_ids text COLLATE "C",          -- JSON: the master keys of the newest start, the current first
    version bigint NOT NULL DEFAULT 0  -- of the rows that gateways cache
);

-- After a restore the numbers of events go on far behind those of the backup.
CREATE TABLE restores (
    seq_before bigint NOT NULL,        -- the last number in the backup
    seq_after bigint PRIMARY KEY       -- the one that numbers go on behind
);

-- What each master key was when it was first used: another one under the same id would read nothing
-- of what is sealed. A fingerprint is derived by HKDF, and tells nothing of the key.
CREATE TABLE master_keys (
    id text COLLATE "C" PRIMARY KEY,
    fingerprint bytea NOT NULL
);


-- Tasks: a task costs two rows, its hot state here, and `task.created`, which holds what was asked for.

CREATE TABLE tasks (
    id text COLLATE "C" PRIMARY KEY CHECK (id LIKE 'task\_%'),
    project text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN (
        'queued', 'launching', 'running', 'completed', 'needs_review', 'failed', 'timed_out',
        'cancelled', 'expired')),
    attempt bigint NOT NULL CHECK (attempt >= 1),
    max_attempts bigint NOT NULL CHECK (max_attempts >= 1),
    seq bigint NOT NULL,               -- task_seq of its newest event
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    timeouts text COLLATE "C" NOT NULL,  -- JSON, seconds
    on_stall text COLLATE "C" NOT NULL CHECK (on_stall IN ('flag', 'fail', 'retry')),
    priority bigint NOT NULL CHECK (priority BETWEEN 0 AND 9),
    snapshot text COLLATE "C" NOT NULL,
    provider text COLLATE "C",         -- only if ops named one
    concurrency_key text COLLATE "C",
    keep_sandbox bigint NOT NULL CHECK (keep_sandbox IN (0, 1)),
    endpoint_id text COLLATE "C",      -- implicit endpoint of its callbackUrl
    claimable_at bigint,               -- from when its create job may be claimed
    is_behind bigint NOT NULL DEFAULT 0 CHECK (is_behind IN (0, 1)),
                                       -- 1: others of its concurrency key come first
    started_at bigint,
    finished_at bigint,
    cancel_requested_at bigint,
    purged_at bigint,                  -- when its prompt, env, log, patch and bodies were purged
    stage text COLLATE "C",
    message text COLLATE "C",
    pr_url text COLLATE "C",
    commit_sha text COLLATE "C",
    error text COLLATE "C",            -- JSON
    usage text COLLATE "C" NOT NULL,   -- JSON
    sandbox text COLLATE "C",          -- JSON
    flags text COLLATE "C" NOT NULL,   -- JSON
    warnings text COLLATE "C" NOT NULL DEFAULT '[]',  -- JSON list of sentences
    clocks text COLLATE "C" NOT NULL,  -- JSON, absolute moments
    due_at bigint,                     -- the earliest clock
    follow_up_of text COLLATE "C",     -- pull request that it goes on with, if GitHub asked for it
    traceparent text COLLATE "C",      -- the trace that it belongs to (W3C Trace Context)
    CONSTRAINT task_is_due CHECK (
        due_at IS NOT NULL OR status NOT IN ('queued', 'launching', 'running')),
    CONSTRAINT terminal_is_not_claimable CHECK (
        claimable_at IS NULL OR status IN ('queued', 'launching', 'running'))
);

CREATE INDEX tasks_due ON tasks (due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX tasks_claimable ON tasks (project, provider, is_behind, priority, claimable_at, id)
    WHERE claimable_at IS NOT NULL;
-- Of the tasks that wait for one concurrency key, only the first ones are looked at by claims.
CREATE INDEX tasks_of_key
    ON tasks (project, concurrency_key, provider, priority, claimable_at, id)
    WHERE concurrency_key IS NOT NULL AND claimable_at IS NOT NULL;
CREATE INDEX tasks_keyed ON tasks (project, concurrency_key)
    WHERE concurrency_key IS NOT NULL AND status IN ('launching', 'running');
-- What only one provider can take, for which ops have to ask: no other task has an entry here.
CREATE INDEX tasks_for_provider ON tasks (provider)
    WHERE provider IS NOT NULL AND claimable_at IS NOT NULL;
CREATE INDEX tasks_listed ON tasks (project, status, id);
CREATE INDEX tasks_flagged ON tasks (project, id) WHERE flags <> '[]';
CREATE INDEX tasks_erred ON tasks (project, json_extract(error, '$.code'), id)
    WHERE error IS NOT NULL;
CREATE INDEX tasks_finished ON tasks (finished_at) WHERE finished_at IS NOT NULL;
-- GitHub names a pull request by its address, in any case of ASCII's letters.
CREATE INDEX tasks_with_pull_request ON tasks USING hash (lower(pr_url))
    WHERE pr_url IS NOT NULL;
CREATE INDEX tasks_following_up ON tasks USING hash (lower(follow_up_of))
    WHERE follow_up_of IS NOT NULL;

-- Order of numbers = order of commits. An event can be about an endpoint or an alert too: then
-- `task_id` is the id of that, and `task_seq` the number among its events.
CREATE TABLE events (
    seq bigint NOT NULL,               -- unique, for each batch takes its numbers from the ledger
    task_id text COLLATE "C" NOT NULL,
    task_seq bigint NOT NULL CHECK (task_seq >= 1),
    attempt bigint NOT NULL,
    type text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    applied bigint NOT NULL CHECK (applied IN (0, 1)),
    reason text COLLATE "C",
    source text COLLATE "C" NOT NULL,
    actor text COLLATE "C",            -- key:<id>, cli or launcher:<id>; NULL: its source says it
    data text COLLATE "C" NOT NULL,    -- JSON; of task.created, the whole request
    webhook_id text COLLATE "C",
    body_hash bytea,
    CONSTRAINT events_of_task PRIMARY KEY (task_id, task_seq),
    CONSTRAINT refused_has_reason CHECK (applied = 1 OR reason IS NOT NULL)
) PARTITION BY RANGE (task_id);        -- ids begin with the time: see event_months

CREATE TABLE events_rest PARTITION OF events DEFAULT;

-- The partitions for tasks of one month, where retention goes by months: a partition is dropped when
-- the last task of its month is gone. Ids from `first` up to, and without, `next`.
CREATE TABLE event_months (
    first text COLLATE "C" PRIMARY KEY,
    next text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL     -- of the table
);

CREATE INDEX events_in_order ON events (seq);

-- The log is the inbox too: an acknowledged webhook is in it exactly once.
CREATE UNIQUE INDEX events_heard ON events (task_id, attempt, webhook_id)
    WHERE webhook_id IS NOT NULL;
CREATE INDEX events_of_repository
    ON events (substr(json_extract(data, '$.repoUrl'), 1, 200), task_id) WHERE task_seq = 1;

-- How far retention has cut into a project's feed: the number of the newest event it deleted. A
-- cursor before it has missed something; whoever deletes events raises it in the same transaction.
CREATE TABLE pruned (
    project text COLLATE "C" PRIMARY KEY,
    seq bigint NOT NULL
);

CREATE TABLE attempts (                -- a row appears at the first claim
    task_id text COLLATE "C" NOT NULL REFERENCES tasks (id),
    number bigint NOT NULL,
    key_id text COLLATE "C" NOT NULL,  -- master key of its signing key, for life
    opened_at bigint NOT NULL,
    claimed_at bigint,
    started_at bigint,
    provider text COLLATE "C",
    realm text COLLATE "C",            -- only launchers of this realm may judge its sandbox
    sandbox text COLLATE "C",          -- JSON
    launcher_id text COLLATE "C",      -- the launcher that claimed it last
    launches bigint NOT NULL,
    queue_left bigint,
    tried_at bigint,                   -- NULL: no sandbox was ever made
    tried_as text COLLATE "C",         -- which try was its newest
    create_before bigint,
    spoke_at bigint,
    exited_at bigint,                  -- when a launcher told so, unasked
    gone_at bigint,
    missing_since bigint,
    spool_offset bigint NOT NULL,      -- bytes
    inspections bigint NOT NULL,
    refused bigint NOT NULL,
    ended_at bigint,
    outcome text COLLATE "C",
    error text COLLATE "C",            -- JSON
    usage text COLLATE "C" NOT NULL,   -- JSON
    patch text COLLATE "C",            -- JSON: how much is kept of it; NULL: nothing
    resumable bigint NOT NULL DEFAULT 0 CHECK (resumable IN (0, 1)),
    PRIMARY KEY (task_id, number)
);

-- Sandboxes that may be alive: whom to tell when their realm goes missing, or is heard again.
CREATE INDEX attempts_placed ON attempts (provider, realm, task_id, number)
    WHERE realm IS NOT NULL AND gone_at IS NULL;
-- Only living attempts need their master key.
CREATE INDEX attempts_open ON attempts (key_id) WHERE ended_at IS NULL;
-- Daytona names a sandbox by its id alone.
CREATE INDEX attempts_in_daytona ON attempts (json_extract(sandbox, '$.id'))
    WHERE provider LIKE 'daytona-%';

-- The text of each `task.patch`, apart from its event: feeds and deliveries never carry it.
CREATE TABLE patch_pieces (
    task_id text COLLATE "C" NOT NULL,
    task_seq bigint NOT NULL,          -- of its event
    attempt bigint NOT NULL,
    revision bigint NOT NULL CHECK (revision >= 1),
    start bigint NOT NULL CHECK (start >= 0),  -- bytes of the patch before it
    length bigint NOT NULL CHECK (length >= 0),  -- bytes of its text
    size bigint,                       -- bytes of the revision in all, if its agent said so
    chunk bytea NOT NULL               -- UTF-8, or one gzip member of it
);

-- The index alone tells which revision is whole.
CREATE UNIQUE INDEX patch_pieces_of_task
    ON patch_pieces (task_id, task_seq, attempt, revision, start, length, size);

CREATE TABLE task_secrets (            -- AES-GCM; associated data is table|column|task_id
    task_id text COLLATE "C" PRIMARY KEY REFERENCES tasks (id),
    key_id text COLLATE "C" NOT NULL,  -- master key of `env`
    env bytea,
    callback_url bytea,
    callback_key_id text COLLATE "C",
    env_erased_at bigint
);

-- Only what may still have to be erased.
CREATE INDEX task_secrets_kept ON task_secrets (task_id) WHERE env IS NOT NULL;

CREATE TABLE task_metadata (
    task_id text COLLATE "C" NOT NULL REFERENCES tasks (id),
    key text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    PRIMARY KEY (task_id, key)
);

CREATE INDEX task_metadata_found ON task_metadata (key, substr(value, 1, 200), task_id);

-- Counts of tasks that pages show, kept with the tasks: of ended ones by state, by the minute and the
-- hour of their end, of all by flag.
CREATE TABLE task_groups (
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('state', 'minute', 'hour', 'flag')),
    since bigint NOT NULL,             -- of `minute` and `hour` the beginning; of `flag` that of the
                                       -- minute in which it was set; 0 of `state`
    project text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,  -- '' of `flag`
    code text COLLATE "C" NOT NULL,    -- of the error or the flag; '' without one
    count bigint NOT NULL,
    first_at bigint NOT NULL,          -- the earliest end or flag
    example text COLLATE "C",          -- the newest task that came; NULL: it has left
    PRIMARY KEY (kind, since, project, status, code)
);

CREATE TABLE idempotency (
    project text COLLATE "C" NOT NULL,
    operation text COLLATE "C" NOT NULL,  -- method and path
    key text COLLATE "C" NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,             -- keyed hash of the decoded request
    answer text COLLATE "C" NOT NULL,  -- the task as it stood in the first answer, JSON
    at bigint NOT NULL,
    PRIMARY KEY (project, operation, key)
);

CREATE INDEX idempotency_age ON idempotency (at);

-- One action on all tasks that match a filter: a job, done a page at a time and taken up again after
-- a restart. A page and what it changes are one transaction, so no task is acted on twice.
CREATE TABLE bulk_actions (
    id text COLLATE "C" PRIMARY KEY,
    action text COLLATE "C" NOT NULL CHECK (action IN ('cancel', 'retry', 'destroy')),
    project text COLLATE "C",          -- NULL: of every project
    filter text COLLATE "C" NOT NULL,  -- JSON, as it was asked for
    reason text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,   -- the key that asked for it: key:<id>
    matched bigint NOT NULL,
    done bigint NOT NULL,
    failed bigint NOT NULL,
    failed_tasks text COLLATE "C" NOT NULL,
                                       -- JSON: the first tasks that it was refused for, with the code
    status text COLLATE "C" NOT NULL CHECK (status IN ('running', 'done', 'aborted')),
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    finished_at bigint,
    CONSTRAINT running_is_unfinished CHECK ((status = 'running') = (finished_at IS NULL)),
    CONSTRAINT no_more_than_matched CHECK (
        done >= 0 AND failed >= 0 AND done + failed <= matched
        AND (status <> 'done' OR done + failed = matched))
);

CREATE INDEX bulk_actions_running ON bulk_actions (id) WHERE status = 'running';
CREATE INDEX bulk_actions_finished ON bulk_actions (finished_at) WHERE finished_at IS NOT NULL;

-- Its tasks, fixed when it was asked for: a row for each step.
CREATE TABLE bulk_pages (
    bulk_id text COLLATE "C" NOT NULL REFERENCES bulk_actions (id),
    number bigint NOT NULL CHECK (number >= 0),
    task_ids text COLLATE "C" NOT NULL,  -- JSON
    PRIMARY KEY (bulk_id, number)
);


-- Launching.

CREATE TABLE jobs (
    id text COLLATE "C" PRIMARY KEY,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('create', 'inspect', 'destroy', 'sweep')),
    project text COLLATE "C" NOT NULL DEFAULT '',  -- '': launchers of all projects alone take it
    task_id text COLLATE "C" REFERENCES tasks (id),
    attempt bigint,
    provider text COLLATE "C",
    realm text COLLATE "C",
    stray text COLLATE "C",            -- JSON: of a sandbox of which only the labels are known
    not_before bigint NOT NULL,
    lease bigint NOT NULL,             -- counts the claims: the fencing token
    lease_secret text COLLATE "C" NOT NULL DEFAULT '',  -- 128 random bits, which prove the lease
    leased_by text COLLATE "C",
    lease_expires_at bigint,
    renewed bigint NOT NULL CHECK (renewed IN (0, 1)),
    is_delegated bigint NOT NULL CHECK (is_delegated IN (0, 1)),
    offers bigint NOT NULL,
    closed_at bigint,
    answered_lease bigint,
    error text COLLATE "C"             -- JSON: why it could not be done the last time
);

CREATE INDEX jobs_of_task ON jobs (task_id, attempt);
CREATE INDEX jobs_offered ON jobs (provider, realm, project, not_before, id)
    WHERE closed_at IS NULL AND leased_by IS NULL AND kind <> 'create';
CREATE INDEX jobs_leased ON jobs (lease_expires_at, id)
    WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL;
CREATE INDEX jobs_held ON jobs (leased_by)
    WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL;

CREATE TABLE launchers (
    id text COLLATE "C" PRIMARY KEY,
    providers text COLLATE "C" NOT NULL,  -- JSON, pairs of provider and realm
    capacity bigint NOT NULL,
    version text COLLATE "C" NOT NULL,
    called_at bigint NOT NULL,
    key_id text COLLATE "C" NOT NULL DEFAULT '',  -- the key that used its id first while it lives
    project text COLLATE "C" NOT NULL DEFAULT '',  -- '': every project
    mode text COLLATE "C" NOT NULL DEFAULT 'working'
        CHECK (mode IN ('working', 'drained', 'revoked')),
                                       -- what ops have decided; it stays when the launcher calls again
    mode_since bigint,
    mode_reason text COLLATE "C",
    mode_actor text COLLATE "C"
);

-- A provider in a realm, served by launchers of a project or of all (''), and when one last called.
CREATE TABLE realms (
    provider text COLLATE "C" NOT NULL,
    realm text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,
    called_at bigint NOT NULL,
    due_at bigint,                     -- when to look whether it still calls; NULL: it is missing
    failing_code text COLLATE "C",     -- launches in a row that failed with one error of the provider
    failing_since bigint,
    failures bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, realm, project)
);

CREATE INDEX realms_due ON realms (due_at) WHERE due_at IS NOT NULL;

-- What the newest sweep of a realm has found.
CREATE TABLE sweeps (
    provider text COLLATE "C" NOT NULL,
    realm text COLLATE "C" NOT NULL,
    project text COLLATE "C" NOT NULL,  -- whose sandboxes alone were judged; '': all
    at bigint NOT NULL,
    seen bigint NOT NULL CHECK (seen >= 0),
    unwanted bigint NOT NULL CHECK (unwanted >= 0 AND unwanted <= seen),
    told text COLLATE "C" NOT NULL,    -- the first of the unwanted, as JSON
    PRIMARY KEY (provider, realm, project)
);

-- Claims are fair between projects: the one that was served longest ago comes first.
CREATE TABLE turns (
    project text COLLATE "C" PRIMARY KEY,
    served bigint NOT NULL             -- counts the tasks that launchers were given, of all projects
);

CREATE INDEX turns_newest ON turns (served);

-- When a concurrency key was taken: the queue clocks of those who waited for it stood still.
CREATE TABLE taken_keys (
    project text COLLATE "C" NOT NULL,
    concurrency_key text COLLATE "C" NOT NULL,
    taken_at bigint NOT NULL,
    freed_at bigint,                   -- NULL: it still is
    PRIMARY KEY (project, concurrency_key, taken_at)
);

CREATE INDEX taken_keys_freed ON taken_keys (project, concurrency_key, freed_at);
CREATE INDEX taken_keys_over ON taken_keys (freed_at) WHERE freed_at IS NOT NULL;


-- Deliveries.

CREATE TABLE endpoints (
    id text COLLATE "C" PRIMARY KEY,
    project text COLLATE "C" NOT NULL,
    origin text COLLATE "C" NOT NULL,
    implicit bigint NOT NULL CHECK (implicit IN (0, 1)),
    enabled bigint NOT NULL CHECK (enabled IN (0, 1)),
    disabled_reason text COLLATE "C",
    failing_since bigint,
    told_at bigint,                    -- NULL: as far as people know, it works
    -- Explicit ones have an address of their own; that of an implicit one comes with each task.
    shown_url text COLLATE "C",        -- without its query, which may be secret
    url bytea,                         -- AES-GCM
    url_key_id text COLLATE "C",
    header_names text COLLATE "C" NOT NULL DEFAULT '[]',
    headers bytea,                     -- AES-GCM of a JSON object
    headers_key_id text COLLATE "C",
    description text COLLATE "C",
    event_types text COLLATE "C",      -- JSON, patterns; NULL: the usual ones
    rate_per_second double precision CHECK (rate_per_second > 0),
    metadata text COLLATE "C" NOT NULL DEFAULT '{}',
    format text COLLATE "C" NOT NULL DEFAULT 'standard' CHECK (format IN ('standard', 'slack')),
    -- What it missed is on its way: newer events are held too, and wait for their turn.
    is_draining bigint NOT NULL DEFAULT 0 CHECK (is_draining IN (0, 1)),
    seq bigint NOT NULL DEFAULT 0,     -- number of its newest event
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL DEFAULT 0,
    deleted_at bigint
);

-- What an endpoint wanted from which event on: an endpoint is owed the events behind `after_seq`,
-- up to the next row, and `verify` holds the outbox against that.
CREATE TABLE subscriptions (
    endpoint_id text COLLATE "C" NOT NULL REFERENCES endpoints (id),
    after_seq bigint NOT NULL,
    event_types text COLLATE "C",      -- JSON, patterns; NULL: the usual ones; []: nothing more
    PRIMARY KEY (endpoint_id, after_seq)
);

CREATE TABLE deliveries (
    endpoint_id text COLLATE "C" NOT NULL REFERENCES endpoints (id),
    seq bigint NOT NULL,
    task_id text COLLATE "C" NOT NULL,
    task_seq bigint NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN (
        'pending', 'delivered', 'dead', 'superseded', 'held')),
    attempts bigint NOT NULL,          -- all that were ever made
    failures bigint NOT NULL DEFAULT 0,  -- the place in the schedule, which a replay begins anew
    -- 1: sent once more after it has arrived; 2: it has arrived, and the repetition is due.
    repeats bigint NOT NULL DEFAULT 0 CHECK (repeats IN (0, 1, 2)),
    trigger text COLLATE "C" NOT NULL DEFAULT 'auto'
        CHECK (trigger IN ('auto', 'manual', 'replay')),
    next_attempt_at bigint,
    reason text COLLATE "C",           -- why it ended without an attempt
    body text COLLATE "C",             -- rendered at the first attempt, kept byte for byte
    PRIMARY KEY (endpoint_id, seq),
    CONSTRAINT pending_is_due CHECK ((status = 'pending') = (next_attempt_at IS NOT NULL))
);

CREATE INDEX deliveries_due ON deliveries (endpoint_id, next_attempt_at, seq)
    WHERE status = 'pending';
CREATE INDEX deliveries_lane ON deliveries (endpoint_id, task_id, task_seq)
    WHERE status = 'pending';
CREATE INDEX deliveries_of_task ON deliveries (task_id, endpoint_id, seq);
CREATE INDEX deliveries_of_event ON deliveries (seq, endpoint_id);
-- What did not arrive: few among very many.
CREATE INDEX deliveries_missed ON deliveries (status, seq, endpoint_id)
    WHERE status IN ('dead', 'held', 'superseded');

CREATE TABLE delivery_attempts (
    endpoint_id text COLLATE "C" NOT NULL,
    seq bigint NOT NULL,
    number bigint NOT NULL,
    at bigint NOT NULL,
    trigger text COLLATE "C" NOT NULL CHECK (trigger IN ('auto', 'manual', 'replay')),
    status bigint,                     -- HTTP, NULL if there was no answer
    reason text COLLATE "C",
    duration_ms bigint NOT NULL,
    key_id text COLLATE "C",
    response_body text COLLATE "C",
    PRIMARY KEY (endpoint_id, seq, number)
);

-- Work on many deliveries of an endpoint, done a few at a time and taken up again after a restart.
CREATE TABLE replays (
    id text COLLATE "C" PRIMARY KEY,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('replay', 'hold', 'release', 'drop')),
    endpoint_id text COLLATE "C" NOT NULL REFERENCES endpoints (id),
    project text COLLATE "C" NOT NULL,
    since bigint,
    until bigint,
    only_failed bigint NOT NULL CHECK (only_failed IN (0, 1)),
    dry_run bigint NOT NULL CHECK (dry_run IN (0, 1)),
    after_seq bigint NOT NULL,         -- how far it has come
    until_seq bigint NOT NULL,         -- the last event it is about
    matched bigint NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('running', 'done', 'cancelled')),
    reason text COLLATE "C",           -- why deliveries that it drops are dead
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    finished_at bigint,
    CONSTRAINT running_is_unfinished CHECK ((status = 'running') = (finished_at IS NULL))
);

CREATE INDEX replays_running ON replays (endpoint_id) WHERE status = 'running';

-- Secrets that deliveries are signed with, several at a time while one is rotated. The first one
-- of a project's callbacks stands in `projects`.
CREATE TABLE signing_secrets (
    id text COLLATE "C" PRIMARY KEY,
    project text COLLATE "C" NOT NULL,
    endpoint_id text COLLATE "C" REFERENCES endpoints (id),
                                       -- NULL: for the callbacks of the project
    key_id text COLLATE "C" NOT NULL,
    secret bytea NOT NULL,             -- AES-GCM
    created_at bigint NOT NULL,
    expires_at bigint                  -- NULL: it is the newest
);

CREATE INDEX signing_secrets_of ON signing_secrets (project, endpoint_id);

-- Alerts of the installation: a restart does not repeat the event of one that is already known.
CREATE TABLE alerts (
    id text COLLATE "C" PRIMARY KEY CHECK (id LIKE 'ops\_%'),
    seq bigint NOT NULL CHECK (seq >= 1),  -- number of its newest event
    since bigint                       -- NULL: resolved
);


-- Sources: webhooks of Daytona and GitHub, and the drop-in API.

CREATE TABLE source_messages (         -- what came in the last 7 days
    source text COLLATE "C" NOT NULL CHECK (source IN ('daytona', 'github')),
    id text COLLATE "C" NOT NULL,
    body_hash text COLLATE "C" NOT NULL,  -- SHA-256 in hex
    applied bigint NOT NULL CHECK (applied IN (0, 1)),
    at bigint NOT NULL,
    PRIMARY KEY (source, id)
);

-- GitHub does not sign the id: the same body under another one is no other message.
CREATE INDEX source_messages_said ON source_messages (source, body_hash) WHERE applied = 1;
CREATE INDEX source_messages_age ON source_messages (at);

-- Which task stands for a frontend's own TASK_ID. A retry keeps the task.
CREATE TABLE workspaces (
    project text COLLATE "C" NOT NULL,
    external_id text COLLATE "C" NOT NULL,
    task_id text COLLATE "C" NOT NULL REFERENCES tasks (id),
    repo_url text COLLATE "C" NOT NULL,  -- the same TASK_ID with another repository is a mistake
    branch text COLLATE "C" NOT NULL,
    PRIMARY KEY (project, external_id)
);

CREATE INDEX workspaces_of_task ON workspaces (task_id);


-- Operating.

CREATE TABLE projects (
    name text COLLATE "C" PRIMARY KEY,
    key_id text COLLATE "C" NOT NULL,
    callback_secret bytea NOT NULL,    -- AES-GCM
    secret_id text COLLATE "C" NOT NULL DEFAULT '',
    created_at bigint NOT NULL,
    expires_at bigint
);

CREATE TABLE api_keys (
    id text COLLATE "C" PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,        -- SHA-256; the key itself is never stored
    scope text COLLATE "C" NOT NULL CHECK (scope IN ('tasks', 'read', 'launcher', 'ops')),
    project text COLLATE "C" NOT NULL,
    -- A launcher's key serves its project alone, unless it serves all.
    all_projects bigint NOT NULL DEFAULT 0 CHECK (all_projects IN (0, 1)),
    name text COLLATE "C" NOT NULL,
    rate_limit text COLLATE "C",       -- JSON: requestsPerSecond, burst, concurrent
    created_at bigint NOT NULL,
    expires_at bigint,
    revoked_at bigint,
    last_used_at bigint                -- written at most once a minute
);

-- Periods in which ops had paused intake, launching or delivering, of all projects ('') or of one;
-- launching at one provider too, some of them made by the gateway itself.
CREATE TABLE pauses (
    switch text COLLATE "C" NOT NULL CHECK (switch IN ('intake', 'launching', 'delivering')),
    project text COLLATE "C" NOT NULL,
    provider text COLLATE "C" NOT NULL DEFAULT ''  -- '': all; else `name` or `name@realm`
        CHECK (provider = '' OR switch = 'launching'),
    since bigint NOT NULL,
    until bigint,                      -- when it ends by itself
    reason text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,   -- who asked for it: key:<id>, or gateway
    ended_at bigint,                   -- when somebody ended it
    ended_by text COLLATE "C",
    end_reason text COLLATE "C",
    code text COLLATE "C",             -- the error that made the gateway pause a provider
    probe_at bigint,                   -- when one launch is tried; NULL: none is
    probes bigint NOT NULL DEFAULT 0,  -- launches tried since the beginning
    PRIMARY KEY (switch, project, provider, since),
    CONSTRAINT ended_by_somebody CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CONSTRAINT of_an_error_is_probed CHECK ((code IS NULL) = (probe_at IS NULL))
);

-- Who changed what. A row is written in the transaction of its change, and never holds a secret.
CREATE TABLE audit (
    id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    actor text COLLATE "C" NOT NULL,   -- key:<id>, cli, agent, launcher:<id>, gateway
    action text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    project text COLLATE "C",          -- NULL: it concerns all of them
    detail text COLLATE "C" NOT NULL   -- a JSON object
);

CREATE INDEX audit_of_actor ON audit (actor);
