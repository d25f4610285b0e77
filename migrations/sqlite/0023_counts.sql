-- Counts of tasks that pages show, kept with the tasks: of ended ones by state, by the minute and the
-- hour of their end, of all by flag. To count a million tasks takes a second.
CREATE TABLE task_groups (
    kind TEXT NOT NULL CHECK (kind IN ('state', 'minute', 'hour', 'flag')),
    since INTEGER NOT NULL,            -- of `minute` and `hour` the beginning; of `flag` that of the
                                       -- minute in which it was set; 0 of `state`
    project TEXT NOT NULL,
    status TEXT NOT NULL,              -- '' of `flag`
    code TEXT NOT NULL,                -- of the error or the flag; '' without one
    count INTEGER NOT NULL,
    first_at INTEGER NOT NULL,         -- the earliest end or flag
    example TEXT,                      -- the newest task that came; NULL: it has left
    PRIMARY KEY (kind, since, project, status, code)
) STRICT, WITHOUT ROWID;

INSERT INTO task_groups
SELECT 'state', 0, project, status, '', count(*), 0, NULL FROM tasks
WHERE status NOT IN ('queued', 'launching', 'running') GROUP BY project, status;

INSERT INTO task_groups
SELECT span.kind, finished_at / span.size * span.size, project, status,
    coalesce(json_extract(error, '$.code'), ''), count(*), min(finished_at), max(id)
FROM (SELECT 'minute' AS kind, 60000 AS size UNION ALL SELECT 'hour', 3600000) AS span
CROSS JOIN tasks
WHERE finished_at >= (SELECT max(finished_at) FROM tasks) - 93600000
  AND (span.kind = 'hour' OR finished_at >= (SELECT max(finished_at) FROM tasks) - 7200000)
GROUP BY 1, 2, 3, 4, 5;

INSERT INTO task_groups
SELECT 'flag', json_extract(flag.value, '$.since') / 60000 * 60000, task.project, '',
    json_extract(flag.value, '$.code'), count(*), min(json_extract(flag.value, '$.since')), max(task.id)
FROM tasks AS task CROSS JOIN json_each(task.flags) AS flag
WHERE task.flags <> '[]' GROUP BY 1, 2, 3, 4, 5;

-- Lists by repository: without it, one of a million tasks is looked for among all of them. A new task
-- pays 4 µs for it.
CREATE INDEX events_of_repository ON events (json_extract(data, '$.repoUrl'), task_id)
    WHERE task_seq = 1;
