-- What the field trials asked for: warnings of a task, what is kept of an attempt's patch.
ALTER TABLE tasks ADD COLUMN warnings TEXT NOT NULL DEFAULT '[]';  -- JSON list of sentences
ALTER TABLE attempts ADD COLUMN exited_at INTEGER;  -- when a launcher told so, unasked
ALTER TABLE attempts ADD COLUMN patch TEXT;      -- JSON: how much is kept of it; NULL: nothing
ALTER TABLE attempts ADD COLUMN resumable INTEGER NOT NULL DEFAULT 0 CHECK (resumable IN (0, 1));
ALTER TABLE api_keys ADD COLUMN rate_limit TEXT; -- JSON: requestsPerSecond, burst, concurrent; NULL: the defaults

-- The text of each `task.patch`, apart from its event: feeds and deliveries never carry it. Rows of
-- up to 64 KiB belong into a table with row ids; the index alone tells which revision is whole.
CREATE TABLE patch_pieces (
    task_id TEXT NOT NULL,
    task_seq INTEGER NOT NULL,         -- of its event
    attempt INTEGER NOT NULL,
    revision INTEGER NOT NULL CHECK (revision >= 1),
    start INTEGER NOT NULL CHECK (start >= 0),  -- bytes of the patch before it
    length INTEGER NOT NULL CHECK (length >= 0),  -- bytes of its text
    size INTEGER,                      -- bytes of the revision in all, if its agent said so
    chunk BLOB NOT NULL                -- UTF-8, or one gzip member of it
) STRICT;

CREATE UNIQUE INDEX patch_pieces_of_task
    ON patch_pieces (task_id, task_seq, attempt, revision, start, length, size);

INSERT INTO patch_pieces (task_id, task_seq, attempt, revision, start, length, chunk)
SELECT task_id, task_seq, attempt, 1, json_extract(data, '$.offset'),
    length(CAST(json_extract(data, '$.chunk') AS BLOB)),
    CAST(json_extract(data, '$.chunk') AS BLOB)
FROM events WHERE type = 'task.patch' AND json_extract(data, '$.chunk') IS NOT NULL;

UPDATE attempts SET patch = json_object('stored', (
    SELECT sum(length(piece.chunk)) FROM patch_pieces AS piece
    WHERE piece.task_id = attempts.task_id AND piece.attempt = attempts.number))
WHERE EXISTS (
    SELECT 1 FROM patch_pieces AS piece
    WHERE piece.task_id = attempts.task_id AND piece.attempt = attempts.number);

UPDATE attempts SET patch = json_set(coalesce(patch, '{}'), '$.in_final', json('true'))
WHERE EXISTS (
    SELECT 1 FROM events AS event
    WHERE event.task_id = attempts.task_id AND event.attempt = attempts.number AND event.applied = 1
      AND event.type IN ('task.completed', 'task.needs_review', 'task.failed', 'task.cancelled',
          'task.retried')
      AND coalesce(json_extract(event.data, '$.patch'), json_extract(event.data, '$.word.patch'))
          <> '');

UPDATE events SET data = json_remove(data, '$.chunk') WHERE type = 'task.patch';

-- 1: sent once more after it has arrived; 2: it has arrived, and the repetition is due.
ALTER TABLE deliveries ADD COLUMN repeats INTEGER NOT NULL DEFAULT 0 CHECK (repeats IN (0, 1, 2));

-- A launcher's key serves its project alone, unless it serves all; those made before served all.
ALTER TABLE api_keys ADD COLUMN all_projects INTEGER NOT NULL DEFAULT 0
    CHECK (all_projects IN (0, 1));
UPDATE api_keys SET all_projects = 1 WHERE scope = 'launcher';

-- A launcher's id belongs to the key that used it first while it lives; '' is every project.
ALTER TABLE launchers ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
ALTER TABLE launchers ADD COLUMN project TEXT NOT NULL DEFAULT '';

-- A lease is proved by 128 random bits, and given to launchers of the job's project ('': of all).
ALTER TABLE jobs ADD COLUMN lease_secret TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN project TEXT NOT NULL DEFAULT '';
UPDATE jobs SET project = coalesce((SELECT project FROM tasks WHERE id = jobs.task_id), '');
DROP INDEX jobs_offered;
CREATE INDEX jobs_offered ON jobs (provider, realm, project, not_before)
    WHERE closed_at IS NULL AND leased_by IS NULL AND kind <> 'create';

-- A realm is served by launchers of a project, or of all (''): each of these may fall silent alone.
CREATE TABLE served_realms (
    provider TEXT NOT NULL,
    realm TEXT NOT NULL,
    project TEXT NOT NULL,
    called_at INTEGER NOT NULL,
    due_at INTEGER,                    -- when to look whether it still calls; NULL: it is missing
    PRIMARY KEY (provider, realm, project)
) STRICT, WITHOUT ROWID;
INSERT INTO served_realms SELECT provider, realm, '', called_at, due_at FROM realms;
DROP TABLE realms;
ALTER TABLE served_realms RENAME TO realms;
CREATE INDEX realms_due ON realms (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE project_sweeps (
    provider TEXT NOT NULL,
    realm TEXT NOT NULL,
    project TEXT NOT NULL,             -- whose sandboxes alone were judged; '': all
    at INTEGER NOT NULL,
    seen INTEGER NOT NULL CHECK (seen >= 0),
    unwanted INTEGER NOT NULL CHECK (unwanted >= 0 AND unwanted <= seen),
    told TEXT NOT NULL,                -- the first of the unwanted, as JSON
    PRIMARY KEY (provider, realm, project)
) STRICT, WITHOUT ROWID;
INSERT INTO project_sweeps SELECT provider, realm, '', at, seen, unwanted, told FROM sweeps;
DROP TABLE sweeps;
ALTER TABLE project_sweeps RENAME TO sweeps;

-- Claims are fair between projects: the one that was served longest ago comes first.
CREATE TABLE turns (
    project TEXT PRIMARY KEY NOT NULL,
    served INTEGER NOT NULL            -- counts the tasks that launchers were given, of all projects
) STRICT, WITHOUT ROWID;
CREATE INDEX turns_newest ON turns (served);

-- Of the tasks that wait for one concurrency key, only the first ones are looked at by claims.
ALTER TABLE tasks ADD COLUMN is_behind INTEGER NOT NULL DEFAULT 0 CHECK (is_behind IN (0, 1));
DROP INDEX tasks_claimable;
CREATE INDEX tasks_claimable ON tasks (project, provider, is_behind, priority, claimable_at)
    WHERE claimable_at IS NOT NULL;
CREATE INDEX tasks_of_key ON tasks (project, concurrency_key, provider, priority, claimable_at)
    WHERE concurrency_key IS NOT NULL AND claimable_at IS NOT NULL;
