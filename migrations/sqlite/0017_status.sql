-- What ended lately, and how: the status groups it by its cause.
CREATE INDEX tasks_finished ON tasks (finished_at) WHERE finished_at IS NOT NULL;
