-- Webhooks of Daytona and GitHub: what came in the last 7 days, and where its task is found. None of
-- these is touched when a task is accepted.
CREATE TABLE source_messages (
    source TEXT NOT NULL CHECK (source IN ('daytona', 'github')),
    id TEXT NOT NULL,
    body_hash TEXT NOT NULL,           -- SHA-256 in hex
    applied INTEGER NOT NULL CHECK (applied IN (0, 1)),
    at INTEGER NOT NULL,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;

-- GitHub does not sign the id: the same body under another one is no other message.
CREATE INDEX source_messages_said ON source_messages (source, body_hash) WHERE applied = 1;
CREATE INDEX source_messages_age ON source_messages (at);

-- Daytona names a sandbox by its id alone; GitHub a pull request by its address, in any case.
CREATE INDEX attempts_in_daytona ON attempts (json_extract(sandbox, '$.id'))
    WHERE provider GLOB 'daytona-*';
CREATE INDEX tasks_with_pull_request ON tasks (pr_url COLLATE NOCASE) WHERE pr_url IS NOT NULL;
