"""All SQL of the ledger, in whole static statements."""

# ruff: noqa: S608 - what is put into a statement here is a constant list of columns
from typing import Final


def _marks(count: int) -> str:
    return ", ".join("?" * count)


TASK_COLUMNS: Final = """
    id, project, status, attempt, max_attempts, seq, created_at, updated_at, timeouts, on_stall,
    priority, snapshot, provider, concurrency_key, keep_sandbox, endpoint_id, claimable_at,
    started_at, finished_at, cancel_requested_at, stage, message, pr_url, commit_sha, error,
    usage, sandbox, flags, clocks, warnings"""

ATTEMPT_COLUMNS: Final = """
    task_id, number, key_id, opened_at, provider, realm, sandbox, launches, queue_left, tried_at,
    create_before, spoke_at, gone_at, missing_since, spool_offset, inspections, refused, ended_at,
    outcome, error, usage, claimed_at, started_at, tried_as, exited_at,
    patch, resumable"""

JOB_COLUMNS: Final = """
    id, kind, task_id, attempt, provider, realm, not_before, lease, leased_by, lease_expires_at,
    renewed, is_delegated, offers, closed_at, answered_lease, stray, error, lease_secret, project"""

EVENT_COLUMNS: Final = """
    task_id, task_seq, attempt, type, at, source, data, applied, reason, webhook_id, body_hash,
    seq"""

LEDGER: Final = "SELECT seq, instance_id FROM ledger"

ADVANCE_LEDGER: Final = "UPDATE ledger SET seq = :seq"

PULSE: Final = "UPDATE ledger SET pulse_at = :at"

LAST_PULSE: Final = "SELECT pulse_at FROM ledger"

TASKS: Final = f"""
SELECT {TASK_COLUMNS} FROM tasks WHERE id IN (SELECT value FROM json_each(:ids))"""

ATTEMPTS: Final = f"""
SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE task_id IN (SELECT value FROM json_each(:ids))"""

JOBS: Final = f"""
SELECT {JOB_COLUMNS} FROM jobs WHERE id IN (SELECT value FROM json_each(:ids))"""

JOBS_OF_TASKS: Final = f"""
SELECT {JOB_COLUMNS} FROM jobs
WHERE task_id IN (SELECT value FROM json_each(:ids))
  AND (closed_at IS NULL OR kind IN ('create', 'destroy'))"""

JOBS_HELD: Final = f"""
SELECT {JOB_COLUMNS} FROM jobs
WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL
  AND leased_by IN (SELECT value FROM json_each(:ids))"""

JOBS_LEASED: Final = f"""
SELECT {JOB_COLUMNS} FROM jobs WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL"""

# Joined, not IN: only so SQLite seeks in `events_heard` instead of reading the task's whole log.
HEARD: Final = """
SELECT event.task_id, event.attempt, event.webhook_id, event.body_hash
FROM json_each(:keys) AS wanted CROSS JOIN events AS event
    ON event.task_id = json_extract(wanted.value, '$[0]')
    AND event.attempt = json_extract(wanted.value, '$[1]')
    AND event.webhook_id = json_extract(wanted.value, '$[2]')"""

REMEMBERED: Final = """
SELECT project, operation, key, key_id, digest, answer, at FROM idempotency
WHERE (project, operation, key) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]')
    FROM json_each(:keys))"""

ERASED: Final = """
SELECT task_id FROM task_secrets
WHERE env_erased_at IS NOT NULL AND task_id IN (SELECT value FROM json_each(:ids))"""

# A task with a concurrency key stands behind the others until `ADVANCE_KEYS` says otherwise, unless
# it has the key already, or may have a sandbox: that one waits for its realm, and nobody for it.
_IS_BEHIND: Final = "?14 IS NOT NULL AND ?3 = 'queued' AND ?27 IS NULL"

INSERT_TASKS: Final = f"""
INSERT INTO tasks ({TASK_COLUMNS}, due_at, is_behind) VALUES ({_marks(31)}, {_IS_BEHIND})"""

# The same values as the insert, by their places in it; what is fixed for life has no place here.
_CHANGING: Final = """
    attempt = ?4, seq = ?6, updated_at = ?8, started_at = ?18, finished_at = ?19,
    cancel_requested_at = ?20, stage = ?21, message = ?22, pr_url = ?23, commit_sha = ?24,
    error = ?25, usage = ?26, sandbox = ?27, flags = ?28, clocks = ?29, warnings = ?30,
    due_at = ?31"""

UPDATE_TASKS: Final = f"UPDATE tasks SET {_CHANGING} WHERE id = ?1"

UPDATE_MOVED_TASKS: Final = f"""
UPDATE tasks SET status = ?3, claimable_at = ?17, is_behind = {_IS_BEHIND}, {_CHANGING}
WHERE id = ?1"""

INSERT_EVENTS: Final = f"INSERT INTO events ({EVENT_COLUMNS}) VALUES ({_marks(12)})"

UPSERT_ATTEMPTS: Final = f"""
INSERT OR REPLACE INTO attempts ({ATTEMPT_COLUMNS}) VALUES ({_marks(27)})"""

# The lease only grows, also when a job that was closed is opened anew: no old token fits again.
UPSERT_JOBS: Final = f"""
INSERT INTO jobs ({JOB_COLUMNS}) VALUES ({_marks(19)})
ON CONFLICT (id) DO UPDATE SET
    provider = excluded.provider, realm = excluded.realm, not_before = excluded.not_before,
    lease = max(lease, excluded.lease), leased_by = excluded.leased_by,
    lease_expires_at = excluded.lease_expires_at, renewed = excluded.renewed,
    is_delegated = excluded.is_delegated, offers = excluded.offers,
    closed_at = excluded.closed_at, answered_lease = excluded.answered_lease,
    stray = excluded.stray, error = excluded.error, lease_secret = excluded.lease_secret,
    project = excluded.project"""

INSERT_SECRETS: Final = """
INSERT INTO task_secrets (task_id, key_id, env, callback_url, callback_key_id)
VALUES (:task_id, :key_id, :env, :callback_url, :callback_key_id)"""

INSERT_METADATA: Final = """
INSERT INTO task_metadata (task_id, key, value) VALUES (:task_id, :key, :value)"""

INSERT_PIECES: Final = """
INSERT INTO patch_pieces (task_id, task_seq, attempt, revision, start, length, size, chunk)
VALUES (:task_id, :task_seq, :attempt, :revision, :start, :length, :size, :chunk)"""

# The index alone, and the data of their events; the texts are read when they are sent on.
PIECES: Final = """
SELECT piece.task_seq, piece.attempt, piece.revision, piece.start, piece.length, piece.size,
    event.data
FROM patch_pieces AS piece CROSS JOIN events AS event
    ON event.task_id = piece.task_id AND event.task_seq = piece.task_seq
WHERE piece.task_id = :task_id AND (:attempt IS NULL OR piece.attempt = :attempt)
ORDER BY piece.task_seq"""

CHUNKS: Final = """
SELECT task_seq, chunk FROM patch_pieces
WHERE task_id = :task_id AND task_seq IN (SELECT value FROM json_each(:numbers))"""

# By the index of living sandboxes, in a realm one after the other: nobody asks often.
TASKS_OF_SANDBOXES: Final = """
SELECT attempt.task_id
FROM json_each(:keys) AS wanted CROSS JOIN attempts AS attempt
    ON attempt.provider = json_extract(wanted.value, '$[0]')
    AND attempt.realm = json_extract(wanted.value, '$[1]')
    AND attempt.realm IS NOT NULL AND attempt.gone_at IS NULL
WHERE json_extract(attempt.sandbox, '$.name') = json_extract(wanted.value, '$[2]')"""

INSERT_DELIVERIES: Final = """
INSERT INTO deliveries (
    endpoint_id, seq, task_id, task_seq, status, attempts, next_attempt_at, repeats)
VALUES (:endpoint_id, :seq, :task_id, :task_seq, :status, 0, :next_attempt_at, :repeats)"""

INSERT_REMEMBERED: Final = """
INSERT OR REPLACE INTO idempotency (project, operation, key, key_id, digest, answer, at)
VALUES (:project, :operation, :key, :key_id, :digest, :answer, :at)"""

UPSERT_LAUNCHERS: Final = """
INSERT OR REPLACE INTO launchers (id, providers, capacity, version, called_at, key_id, project)
VALUES (:id, :providers, :capacity, :version, :called_at, :key_id, :project)"""

DUE_TASKS: Final = "SELECT id FROM tasks WHERE due_at <= :now ORDER BY due_at LIMIT :limit"

DUE_JOBS: Final = """
SELECT id FROM jobs
WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL AND lease_expires_at <= :now
ORDER BY lease_expires_at LIMIT :limit"""

NEXT_DUE: Final = """
SELECT min(at) FROM (
    SELECT min(due_at) AS at FROM tasks WHERE due_at IS NOT NULL
    UNION ALL
    SELECT min(lease_expires_at) FROM jobs
    WHERE closed_at IS NULL AND lease_expires_at IS NOT NULL
    UNION ALL
    SELECT min(due_at) FROM realms WHERE due_at IS NOT NULL)"""

SPEC: Final = "SELECT data FROM events WHERE task_id = :id AND task_seq = 1"

SPECS: Final = """
SELECT task_id, data FROM events
WHERE task_seq = 1 AND task_id IN (SELECT value FROM json_each(:ids))"""

# Where a cursor stands within a task, in the order of its index. Almost always the cursor is an
# event of the task itself; for any other number the log is walked from its end.
_PLACE: Final = """coalesce(
    (SELECT task_seq FROM events WHERE seq = :after AND task_id = :task_id),
    (SELECT max(task_seq) FROM events WHERE :after > 0 AND task_id = :task_id AND seq < :after),
    0)"""

EVENTS_OF_TASK: Final = f"""
SELECT {EVENT_COLUMNS} FROM events
WHERE task_id = :task_id AND task_seq > {_PLACE} ORDER BY task_seq LIMIT :limit"""


PRUNED: Final = """
SELECT max(seq) FROM pruned WHERE :project IS NULL OR project = :project"""

WORDS: Final = f"""
SELECT {EVENT_COLUMNS} FROM events
WHERE task_id = :task_id AND (applied = 1 OR :is_late_too) AND task_seq > {_PLACE}
  AND type IN (SELECT value FROM json_each(:types))
ORDER BY task_seq LIMIT :limit"""

LAST_WORD: Final = f"""
SELECT {EVENT_COLUMNS} FROM events
WHERE task_id = :task_id AND applied = 1 AND type = :type AND task_seq <= {_PLACE}
ORDER BY task_seq DESC LIMIT 1"""

SECRETS: Final = """
SELECT key_id, env, callback_key_id, callback_url, env_erased_at FROM task_secrets
WHERE task_id = :task_id"""

API_KEY: Final = """
SELECT id, scope, project, name, all_projects, rate_limit FROM api_keys
WHERE hash = :hash AND revoked_at IS NULL"""

API_KEYS: Final = """
SELECT id, scope, project, name, created_at, revoked_at, all_projects, rate_limit FROM api_keys
ORDER BY created_at"""

INSERT_API_KEY: Final = """
INSERT INTO api_keys (id, hash, scope, project, name, created_at, all_projects, rate_limit)
VALUES (:id, :hash, :scope, :project, :name, :created_at, :all_projects, :rate_limit)"""

REVOKE_API_KEY: Final = """
UPDATE api_keys SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL"""

PROJECT: Final = "SELECT key_id, callback_secret FROM projects WHERE name = :name"

# Not one that is being replaced: what is signed with it is soon refused.
CALLBACK_SECRET_OF_KEY: Final = """
SELECT project.name, project.key_id, project.callback_secret
FROM api_keys AS api_key JOIN projects AS project ON project.name = api_key.project
WHERE api_key.hash = :hash AND api_key.revoked_at IS NULL AND project.expires_at IS NULL
  AND project.callback_secret IS NOT NULL"""  # noqa: S105 - a statement

INSERT_PROJECT: Final = """
INSERT INTO projects (name, secret_id, key_id, callback_secret, created_at)
VALUES (:name, :secret_id, :key_id, :callback_secret, :created_at)"""

# What arrived has arrived, also if the delivery was held or ended while it was under way.
SETTLE_DELIVERIES: Final = """
UPDATE deliveries SET
    status = iif(status = 'pending' OR :status = 'delivered', :status, status),
    next_attempt_at = iif(status = 'pending', :next_attempt_at, NULL),
    attempts = :attempts, failures = :failures, trigger = 'auto', repeats = :repeats,
    body = coalesce(:body, body)
WHERE endpoint_id = :endpoint_id AND seq = :seq"""

INSERT_DELIVERY_ATTEMPTS: Final = """
INSERT INTO delivery_attempts (
    endpoint_id, seq, number, at, trigger, status, reason, duration_ms, key_id, response_body)
VALUES (
    :endpoint_id, :seq, :number, :at, :trigger, :status, :reason, :duration_ms, :key_id,
    :response_body)"""

KEPT_ENV: Final = """
SELECT secret.task_id, task.finished_at
FROM task_secrets AS secret CROSS JOIN tasks AS task ON task.id = secret.task_id
WHERE secret.env IS NOT NULL AND secret.task_id > :after ORDER BY secret.task_id LIMIT :limit"""

OLD_ANSWER: Final = "SELECT 1 FROM idempotency WHERE at <= :before LIMIT 1"

# A task's id says when it was made; one that was made too late has not ended too early.
OLD_TASKS: Final = """
SELECT id, seq, finished_at FROM tasks WHERE id > :after AND id < :until ORDER BY id LIMIT :limit"""

OWING: Final = """
SELECT DISTINCT task_id FROM deliveries
WHERE task_id IN (SELECT value FROM json_each(:ids)) AND status IN ('pending', 'held')"""

MASTER_KEYS: Final = "SELECT id FROM master_keys"

# What lives and can be read with this master key alone.
KEYS_NEEDED: Final = """
SELECT key_id, what, count(*) FROM (
    SELECT key_id, 'living attempts' AS what FROM attempts WHERE ended_at IS NULL
    UNION ALL
    SELECT key_id, 'env' FROM task_secrets WHERE env IS NOT NULL
    UNION ALL
    SELECT callback_key_id, 'callback addresses' FROM task_secrets WHERE callback_url IS NOT NULL
    UNION ALL
    SELECT key_id, 'callback secrets' FROM projects WHERE callback_secret <> x''
    UNION ALL
    SELECT key_id, 'signing secrets' FROM signing_secrets
    UNION ALL
    SELECT url_key_id, 'endpoint addresses' FROM endpoints WHERE url IS NOT NULL
    UNION ALL
    SELECT headers_key_id, 'endpoint headers' FROM endpoints WHERE headers IS NOT NULL)
GROUP BY key_id, what"""

LAUNCHERS: Final = """
SELECT id, providers, capacity, version, called_at, key_id, project FROM launchers
WHERE called_at >= :since ORDER BY called_at DESC"""

RECENT_LAUNCHERS: Final = """
SELECT id, providers, capacity, version, called_at, key_id, project FROM launchers
WHERE project IN ('', :project) ORDER BY called_at DESC LIMIT :limit"""

LAUNCHERS_BEFORE: Final = """
SELECT id, providers, capacity, version, called_at, key_id, project FROM launchers
WHERE (called_at, id) < (:at, :id) ORDER BY called_at DESC, id DESC LIMIT :limit"""

KEY_HOLDERS: Final = """
SELECT id FROM tasks
WHERE project = :project AND concurrency_key = :key AND status IN ('launching', 'running')
LIMIT :limit"""

NEWEST_EVENTS: Final = f"""
SELECT {EVENT_COLUMNS} FROM events
WHERE task_id = :task_id ORDER BY task_seq DESC LIMIT :limit"""

# The index of a task's deliveries backwards: what one with many thousands owes is looked for
# among the newest, not among all.
OWED: Final = """
SELECT endpoint_id, task_seq, status, attempts, failures, next_attempt_at, (
    SELECT iif(reason = 'status', 'HTTP ' || attempt.status, reason)
    FROM delivery_attempts AS attempt
    WHERE attempt.endpoint_id = newest.endpoint_id AND attempt.seq = newest.seq
    ORDER BY number DESC LIMIT 1)
FROM (
    SELECT endpoint_id, seq, task_seq, status, attempts, failures, next_attempt_at
    FROM deliveries
    WHERE task_id = :task_id ORDER BY endpoint_id DESC, seq DESC LIMIT :limit) AS newest
WHERE status IN ('pending', 'dead', 'held')
ORDER BY seq"""

LAUNCHERS_NAMED: Final = """
SELECT id, providers, capacity, version, called_at, key_id, project FROM launchers
WHERE id IN (SELECT value FROM json_each(:ids))"""
