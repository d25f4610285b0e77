-- What keeps its price when the file has a million tasks. None of these is touched when a task is
-- accepted without an env.

-- A claim asks which jobs its launcher holds: among all that are held it would read every lease.
CREATE INDEX jobs_held ON jobs (leased_by)
    WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL;

-- Only what may still have to be erased; without it every pruning read every task.
CREATE INDEX task_secrets_kept ON task_secrets (task_id) WHERE env IS NOT NULL;

-- Only living attempts need their master key; without it a start read all that ever were.
CREATE INDEX attempts_open ON attempts (key_id) WHERE ended_at IS NULL;
