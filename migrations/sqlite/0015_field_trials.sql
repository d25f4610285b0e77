-- What the field trials asked for: warnings of a task, what is kept of an attempt's patch.
ALTER TABLE tasks ADD COLUMN warnings TEXT;      -- JSON list of sentences; NULL: none
ALTER TABLE attempts ADD COLUMN patch TEXT;      -- JSON: what is kept of its patch; NULL: nothing
ALTER TABLE attempts ADD COLUMN resumable INTEGER NOT NULL DEFAULT 0 CHECK (resumable IN (0, 1));
ALTER TABLE api_keys ADD COLUMN rate_limit TEXT; -- JSON: requestsPerSecond, burst, concurrent; NULL: the defaults
