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
