-- What an attempt is asked about later: when it was taken, when it ran, which try was its newest.

ALTER TABLE attempts ADD COLUMN claimed_at INTEGER;
ALTER TABLE attempts ADD COLUMN started_at INTEGER;
ALTER TABLE attempts ADD COLUMN tried_as TEXT;
