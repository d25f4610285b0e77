-- The drop-in API: which task stands for a frontend's own TASK_ID. A retry keeps the task.
CREATE TABLE workspaces (
    project TEXT NOT NULL,
    external_id TEXT NOT NULL,
    task_id TEXT NOT NULL REFERENCES tasks (id),
    repo_url TEXT NOT NULL,            -- the same TASK_ID with another repository is a mistake
    branch TEXT NOT NULL,
    PRIMARY KEY (project, external_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX workspaces_of_task ON workspaces (task_id);
