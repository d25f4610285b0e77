-- An installation after weeks of work: `filling.tasks` tasks of which one in twenty still lives, with
-- the rows that belong to them, of 50 projects and 200 endpoints. The clock stands at 10^12.

INSERT INTO ledger (one, seq, instance_id, pulse_at)
VALUES (1, 2 * current_setting('filling.tasks')::bigint, 'inst_1', 1000000000000);

INSERT INTO projects (name, key_id, callback_secret, secret_id, created_at)
SELECT 'p' || n, 'k1', '\x01', 'whsec_' || n, 0 FROM generate_series(1, 50) AS n;

INSERT INTO api_keys (id, hash, scope, project, name, created_at)
SELECT 'key_' || n, convert_to('hash' || n, 'UTF8'), 'tasks', 'p' || 1 + n % 50, 'name', n
FROM generate_series(1, 100) AS n;

INSERT INTO endpoints (id, project, origin, implicit, enabled, failing_since, created_at)
SELECT 'ep_' || lpad(n::text, 4, '0'), 'p' || 1 + n % 50, 'https://example.com', n % 2, 1,
    CASE WHEN n % 40 = 0 THEN 999999000000 END, n
FROM generate_series(1, 200) AS n;

INSERT INTO endpoints (id, project, origin, implicit, enabled, created_at)
VALUES ('ep_long', 'p1', 'https://example.com', 0, 1, 0);

INSERT INTO subscriptions (endpoint_id, after_seq) SELECT id, 0 FROM endpoints;

INSERT INTO signing_secrets (id, project, endpoint_id, key_id, secret, created_at)
SELECT 'whsec_of_' || id, project, id, 'k1', '\x01', 0 FROM endpoints WHERE implicit = 0;

INSERT INTO launchers (id, providers, capacity, version, called_at)
SELECT 'launcher-' || n, '[["docker","r' || 1 + n % 10 || '"]]', 10, '1', 1000000000000 - n
FROM generate_series(1, 40) AS n;

INSERT INTO realms (provider, realm, project, called_at, due_at)
SELECT 'docker', 'r' || n, '', 999999999000, 1000000030000 + n FROM generate_series(1, 10) AS n;

INSERT INTO sweeps (provider, realm, project, at, seen, unwanted, told)
SELECT provider, realm, project, 999999999000, 3, 0, '[]' FROM realms;

INSERT INTO turns (project, served) SELECT 'p' || n, n FROM generate_series(1, 50) AS n;

INSERT INTO pauses (switch, project, provider, since, reason, actor, ended_at, ended_by)
SELECT 'launching', '', 'docker', n, 'reason', 'key:1', n + 1, 'key:1'
FROM generate_series(1, 50) AS n;

-- Of 100 tasks in a row, 95 have ended, 2 run, 1 launches and 2 wait.
INSERT INTO tasks (
    id, project, status, attempt, max_attempts, seq, created_at, updated_at, timeouts, on_stall,
    priority, snapshot, provider, concurrency_key, keep_sandbox, claimable_at, is_behind,
    started_at, finished_at, error, usage, sandbox, flags, clocks, due_at, pr_url, follow_up_of)
SELECT
    'task_' || lpad(n::text, 9, '0'), 'p' || 1 + n / 100 % 50, status, 1, 3, 2,
    999000000000 + n, 999000000000 + n, '{}', 'flag', n % 10, 'default',
    CASE WHEN n % 7 = 0 THEN 'docker' END,
    CASE WHEN n % 3 = 0 THEN 'acme/' || n / 300 % 40 END, 0,
    CASE WHEN status = 'queued' THEN 999500000000 + n END,
    CASE WHEN status = 'queued' AND n % 3 = 0 THEN 1 ELSE 0 END,
    CASE WHEN status <> 'queued' THEN 999100000000 + n END,
    CASE WHEN place < 95 THEN 999200000000 + n END,
    CASE WHEN status = 'failed' THEN '{"code":"agent_failed","message":"It failed."}' END,
    '{}',
    CASE WHEN status <> 'queued' THEN '{"id":"s' || n || '","name":"task-' || n || '"}' END,
    CASE WHEN n % 200 = 3 THEN '[{"code":"stalled","since":1}]' ELSE '[]' END, '{}',
    CASE WHEN place >= 95 THEN 999999990000 + n END,
    CASE WHEN n % 5 = 0 THEN 'https://github.com/Acme/widgets/pull/' || n END,
    CASE WHEN n % 50 = 1 THEN 'https://github.com/Acme/widgets/pull/' || n - 1 END
FROM (
    SELECT n, n % 100 AS place, CASE
        WHEN n % 100 < 90 THEN 'completed' WHEN n % 100 < 95 THEN 'failed'
        WHEN n % 100 < 97 THEN 'running' WHEN n % 100 = 97 THEN 'launching' ELSE 'queued'
    END AS status
    FROM generate_series(1, current_setting('filling.tasks')::bigint) AS n) AS made;

INSERT INTO events (seq, task_id, task_seq, attempt, type, at, applied, source, data, webhook_id)
SELECT 2 * row_number() OVER (ORDER BY id) - 1, id, 1, 1, 'task.created', created_at, 1, 'api',
    '{"prompt":"Do it.","repoUrl":"https://github.com/acme/' || substr(id, 12) || '"}', NULL
FROM tasks
UNION ALL
SELECT 2 * row_number() OVER (ORDER BY id), id, 2, 1, 'task.' || status, updated_at, 1, 'agent',
    '{}', 'msg_' || id
FROM tasks;

INSERT INTO attempts (
    task_id, number, key_id, opened_at, claimed_at, provider, realm, sandbox, launches, gone_at,
    spool_offset, inspections, refused, ended_at, usage)
SELECT id, 1, 'k1', created_at, started_at,
    CASE WHEN right(id, 1) = '7' THEN 'daytona-a' ELSE 'docker' END, 'r' || 1 + substr(id, 6)::bigint % 10, sandbox, 1,
    finished_at, 0, 0, 0, finished_at, '{}'
FROM tasks WHERE status <> 'queued';

INSERT INTO task_secrets (task_id, key_id, env)
SELECT id, 'k1', CASE WHEN finished_at IS NULL THEN '\x01'::bytea END FROM tasks;

INSERT INTO task_metadata (task_id, key, value)
SELECT id, 'team', 'team-' || substr(id, 12) FROM tasks;

INSERT INTO idempotency (project, operation, key, key_id, digest, answer, at)
SELECT project, 'POST /v1/tasks', id, 'k1', '\x01', '{}', created_at FROM tasks;

INSERT INTO source_messages (source, id, body_hash, applied, at)
SELECT 'github', 'msg_' || id, 'hash_' || id, 1, created_at FROM tasks;

INSERT INTO workspaces (project, external_id, task_id, repo_url, branch)
SELECT project, id, id, 'https://github.com/acme/widgets', 'main' FROM tasks;

INSERT INTO taken_keys (project, concurrency_key, taken_at, freed_at)
SELECT project, concurrency_key, started_at, finished_at
FROM tasks WHERE concurrency_key IS NOT NULL AND started_at IS NOT NULL;

INSERT INTO task_groups (kind, since, project, status, code, count, first_at, example)
SELECT 'minute', finished_at / 60000 * 60000, project, status, '', count(*), min(finished_at), max(id)
FROM tasks WHERE finished_at IS NOT NULL GROUP BY 2, 3, 4;

INSERT INTO task_groups (kind, since, project, status, code, count, first_at, example)
SELECT 'hour', since, project, status, code, count, first_at, example FROM task_groups
UNION ALL
SELECT 'state', 0, project, status, code, count, 0, NULL FROM task_groups
UNION ALL
SELECT 'flag', 0, project, '', 'stalled', count(*), 1, max(id)
FROM tasks WHERE flags <> '[]' GROUP BY project
UNION ALL
SELECT 'flag', 60000, name, '', 'stalled', 0, 1, NULL FROM projects;

INSERT INTO bulk_actions (
    id, action, project, filter, reason, actor, matched, done, failed, failed_tasks, status,
    created_at, updated_at, finished_at)
SELECT 'bulk_' || lpad(n::text, 4, '0'), 'cancel', 'p' || 1 + n % 50, '{}', 'reason', 'key:1', 1,
    CASE WHEN n % 100 = 0 THEN 0 ELSE 1 END, 0, '[]', CASE WHEN n % 100 = 0 THEN 'running' ELSE 'done' END,
    n, n, CASE WHEN n % 100 > 0 THEN n END
FROM generate_series(1, 2000) AS n;

INSERT INTO bulk_pages (bulk_id, number, task_ids) SELECT id, 0, '["task_000000001"]' FROM bulk_actions;

INSERT INTO audit (at, actor, action, target, project, detail)
SELECT created_at, 'key:key_' || seq, 'task.create', id, project, '{}' FROM tasks;

-- A create job for each attempt; the realm's inspections are offered, the destroys are held.
INSERT INTO jobs (
    id, kind, project, task_id, attempt, provider, realm, not_before, lease, leased_by,
    lease_expires_at, renewed, is_delegated, offers, closed_at)
SELECT 'job_' || task_id || '-1-create', 'create', '', task_id, 1, provider, realm, opened_at, 1,
    NULL, NULL, 0, 0, 1, claimed_at
FROM attempts
UNION ALL
SELECT 'job_' || task_id || '-1-destroy', 'destroy', '', task_id, 1, provider, realm, opened_at, 1,
    CASE WHEN gone_at IS NULL THEN 'launcher-' || 1 + substr(task_id, 6)::bigint % 40 END,
    CASE WHEN gone_at IS NULL THEN 1000000000000 + substr(task_id, 6)::bigint END, 0, 0, 1, gone_at
FROM attempts
UNION ALL
SELECT 'job_' || task_id || '-1-inspect', 'inspect', 'p1', task_id, 1, provider, realm,
    opened_at, 1, NULL, NULL, 0, 0, 1, NULL
FROM attempts WHERE gone_at IS NULL;

-- Both events of each task go to one endpoint. The last in twenty tasks' have not arrived: of a
-- hundred 4 are pending, 3 dead, 2 held and 1 superseded.
INSERT INTO deliveries (
    endpoint_id, seq, task_id, task_seq, status, attempts, failures, next_attempt_at)
SELECT
    'ep_' || lpad((1 + seq / 200 % 200)::text, 4, '0'), seq, task_id, task_seq, status,
    CASE WHEN status = 'held' THEN 0 ELSE 1 END, CASE WHEN status = 'dead' THEN 9 ELSE 0 END,
    CASE WHEN status = 'pending' THEN 999999000000 + seq % 2000000 END
FROM (
    SELECT seq, task_id, task_seq, CASE
        WHEN seq % 200 < 180 THEN 'delivered' WHEN seq % 200 < 188 THEN 'pending'
        WHEN seq % 200 < 194 THEN 'dead' WHEN seq % 200 < 198 THEN 'held' ELSE 'superseded'
    END AS status
    FROM events) AS made;

-- One endpoint is owed thousands, of one task.
INSERT INTO deliveries (endpoint_id, seq, task_id, task_seq, status, attempts, next_attempt_at)
SELECT 'ep_long', seq, 'task_000000001', seq, 'pending', 0, 999999000000
FROM events WHERE seq <= 5000;

INSERT INTO delivery_attempts (endpoint_id, seq, number, at, trigger, status, reason, duration_ms)
SELECT endpoint_id, seq, 1, 999999500000, 'auto', 200, CASE WHEN status = 'pending' THEN 'status' END,
    5
FROM deliveries WHERE attempts > 0;

INSERT INTO replays (
    id, kind, endpoint_id, project, only_failed, dry_run, after_seq, until_seq, matched, status,
    created_at, updated_at, finished_at)
SELECT 'rpl_0' || n, 'replay', 'ep_' || lpad(n::text, 4, '0'), 'p1', 0, 0, 0, 10, 5,
    CASE WHEN n % 10 = 0 THEN 'running' ELSE 'done' END, n, n, CASE WHEN n % 10 > 0 THEN n END
FROM generate_series(1, 100) AS n;

INSERT INTO patch_pieces (task_id, task_seq, attempt, revision, start, length, chunk)
SELECT id, 2, 1, 1, 0, 1, '\x01' FROM tasks WHERE id LIKE '%00';

INSERT INTO pruned (project, seq) SELECT name, 0 FROM projects;

INSERT INTO master_keys (id, fingerprint) VALUES ('k1', '\x01');

-- Events of endpoints, behind those of all tasks.
INSERT INTO events (seq, task_id, task_seq, attempt, type, at, applied, source, data)
SELECT 2 * current_setting('filling.tasks')::bigint + row_number() OVER (), id, number, 0,
    'endpoint.failing', 999000000000, 1, 'gateway', '{}'
FROM endpoints CROSS JOIN generate_series(1, 10) AS number;

-- Own events behind all others, each in a lane of its own; the endpoint looked at is a customer's.
INSERT INTO events (seq, task_id, task_seq, attempt, type, at, applied, source, data, body_hash)
SELECT newest.seq + n, 'own_' || lpad(n::text, 9, '0'), 1, 0, 'invoice.paid', 999000000000 + n, 1,
    'api', '{}', '\x01'
FROM (SELECT max(seq) AS seq FROM events) AS newest, generate_series(1, 5000) AS n;

INSERT INTO own_events (seq, project, customer, event_id, deliveries)
SELECT seq, 'p28', NULL, task_id, 0 FROM events WHERE task_id LIKE 'own\_%';

INSERT INTO event_types (project, name, description, deprecated, created_at, updated_at)
SELECT project, 'order.' || seq, '', 0, 1, 1 FROM own_events;

INSERT INTO portals (project, customer, generation)
SELECT project, 'acme-' || seq, 1 FROM own_events;

INSERT INTO deliveries (endpoint_id, seq, task_id, task_seq, status, attempts)
SELECT 'ep_0026', seq, task_id, task_seq, 'delivered', 1 FROM events WHERE task_id LIKE 'own\_0000000%';

INSERT INTO delivery_attempts (endpoint_id, seq, number, at, trigger, status, duration_ms)
SELECT endpoint_id, seq, 1, 999999500000, 'auto', 200, 5 FROM deliveries WHERE task_id LIKE 'own\_%';

UPDATE endpoints SET customer = 'acme' WHERE id = 'ep_0026';
