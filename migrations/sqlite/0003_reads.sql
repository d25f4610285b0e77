-- What the read side needs and an accepted task does not pay for: each index holds only the tasks
-- that it is about.
CREATE INDEX tasks_flagged ON tasks (project, id) WHERE flags <> '[]';
CREATE INDEX tasks_erred ON tasks (project, json_extract(error, '$.code'), id)
    WHERE error IS NOT NULL;

-- How far retention has cut into a project's feed: the number of the newest event it deleted. A
-- cursor before it has missed something; whoever deletes events raises it in the same transaction.
CREATE TABLE pruned (
    project TEXT PRIMARY KEY NOT NULL,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
