-- What operating it for years needs.

-- The two secrets of a task may be sealed with different master keys: `key_id` is that of `env`.
ALTER TABLE task_secrets ADD COLUMN callback_key_id TEXT;
UPDATE task_secrets SET callback_key_id = key_id WHERE callback_url IS NOT NULL;

-- The master keys the gateway was last started with (JSON, the current one first): nothing may be
-- sealed anew with a key that the running gateway does not have.
ALTER TABLE ledger ADD COLUMN key_ids TEXT;

-- Without it, every event that is pruned would read all deliveries to see that none refers to it.
CREATE INDEX deliveries_of_event ON deliveries (seq);
