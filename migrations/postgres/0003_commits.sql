-- The newest batch of each gateway. A gateway whose COMMIT was not answered finds out here: after a
-- crash or a failover the number of its transaction may be another's.
CREATE TABLE commits (
    gateway text COLLATE "C" PRIMARY KEY,
    batch bigint NOT NULL,
    at bigint NOT NULL DEFAULT CAST(extract(epoch FROM now()) * 1000 AS bigint)
) WITH (fillfactor = 50);
