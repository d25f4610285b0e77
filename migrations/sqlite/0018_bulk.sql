-- One action on all tasks that match a filter: a job, done a page at a time and taken up again after
-- a restart. A page and what it changes are one transaction, so no task is acted on twice.
CREATE TABLE bulk_actions (
    id TEXT PRIMARY KEY NOT NULL,
    action TEXT NOT NULL CHECK (action = 'cancel' OR action = 'retry' OR action = 'destroy'),
    project TEXT,                      -- NULL: of every project
    filter TEXT NOT NULL,              -- JSON, as it was asked for
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,               -- the key that asked for it: key:<id>
    matched INTEGER NOT NULL,
    done INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    failed_tasks TEXT NOT NULL,        -- JSON: the first tasks that it was refused for, with the code
    status TEXT NOT NULL CHECK (status = 'running' OR status = 'done' OR status = 'aborted'),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    finished_at INTEGER,
    CONSTRAINT running_is_unfinished CHECK ((status = 'running') = (finished_at IS NULL)),
    CONSTRAINT no_more_than_matched CHECK (
        done >= 0 AND failed >= 0 AND done + failed <= matched
        AND (status <> 'done' OR done + failed = matched))
) STRICT, WITHOUT ROWID;

CREATE INDEX bulk_actions_running ON bulk_actions (id) WHERE status = 'running';
CREATE INDEX bulk_actions_finished ON bulk_actions (finished_at) WHERE finished_at IS NOT NULL;

-- Its tasks, fixed when it was asked for: a row for each step.
CREATE TABLE bulk_pages (
    bulk_id TEXT NOT NULL REFERENCES bulk_actions (id),
    number INTEGER NOT NULL CHECK (number >= 0),
    task_ids TEXT NOT NULL,            -- JSON
    PRIMARY KEY (bulk_id, number)
) STRICT, WITHOUT ROWID;

-- The launcher that claimed it last; NULL for attempts from before.
ALTER TABLE attempts ADD COLUMN launcher_id TEXT;

-- When its prompt, env, log, patch and bodies were purged; the record of its states stays.
ALTER TABLE tasks ADD COLUMN purged_at INTEGER;
