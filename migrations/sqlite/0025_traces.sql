-- The trace that a task belongs to (W3C Trace Context): spans are made of its later events too.
ALTER TABLE tasks ADD COLUMN traceparent TEXT;
UPDATE tasks SET traceparent = created.traceparent
FROM (
    SELECT task_id, json_extract(data, '$.traceparent') AS traceparent FROM events
    WHERE task_seq = 1 AND type = 'task.created') AS created
WHERE created.task_id = tasks.id AND created.traceparent IS NOT NULL;
