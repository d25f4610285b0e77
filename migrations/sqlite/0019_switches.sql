-- Each period in which ops had paused intake, launching or delivering, of all projects ('') or of one.
CREATE TABLE pauses (
    switch TEXT NOT NULL CHECK (switch IN ('intake', 'launching', 'delivering')),
    project TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,                     -- when it ends by itself
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,               -- who asked for it: key:<id>
    ended_at INTEGER,                  -- when somebody ended it
    ended_by TEXT,
    end_reason TEXT,
    PRIMARY KEY (switch, project, since),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
) STRICT, WITHOUT ROWID;

-- What ops have decided about a launcher, and why. It stays when the launcher calls again.
ALTER TABLE launchers ADD COLUMN mode TEXT NOT NULL DEFAULT 'working'
    CHECK (mode IN ('working', 'drained', 'revoked'));
ALTER TABLE launchers ADD COLUMN mode_since INTEGER;
ALTER TABLE launchers ADD COLUMN mode_reason TEXT;
ALTER TABLE launchers ADD COLUMN mode_actor TEXT;
