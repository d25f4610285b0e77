-- What the newest sweep of a realm has found.
CREATE TABLE sweeps (
    provider TEXT NOT NULL,
    realm TEXT NOT NULL,
    at INTEGER NOT NULL,
    seen INTEGER NOT NULL CHECK (seen >= 0),
    unwanted INTEGER NOT NULL CHECK (unwanted >= 0 AND unwanted <= seen),
    told TEXT NOT NULL,                -- the first of the unwanted, as JSON
    PRIMARY KEY (provider, realm)
) STRICT, WITHOUT ROWID;
