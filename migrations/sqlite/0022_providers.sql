-- Pauses of launching at one provider; the gateway makes some of them by itself.
CREATE TABLE pauses_now (
    switch TEXT NOT NULL CHECK (switch IN ('intake', 'launching', 'delivering')),
    project TEXT NOT NULL,
    provider TEXT NOT NULL DEFAULT ''  -- '': all; else `name` or `name@realm`
        CHECK (provider = '' OR switch = 'launching'),
    since INTEGER NOT NULL,
    until INTEGER,                     -- when it ends by itself
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,               -- who asked for it: key:<id>, or gateway
    ended_at INTEGER,                  -- when somebody ended it
    ended_by TEXT,
    end_reason TEXT,
    code TEXT,                         -- the error that made the gateway pause a provider
    probe_at INTEGER,                  -- when one launch is tried; NULL: none is
    probes INTEGER NOT NULL DEFAULT 0, -- launches tried since the beginning
    PRIMARY KEY (switch, project, provider, since),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL)),
    CHECK ((code IS NULL) = (probe_at IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO pauses_now
    (switch, project, since, until, reason, actor, ended_at, ended_by, end_reason)
SELECT switch, project, since, until, reason, actor, ended_at, ended_by, end_reason FROM pauses;
DROP TABLE pauses;
ALTER TABLE pauses_now RENAME TO pauses;

-- Launches in a row that failed with one error of the provider's own.
ALTER TABLE realms ADD COLUMN failing_code TEXT;
ALTER TABLE realms ADD COLUMN failing_since INTEGER;
ALTER TABLE realms ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
