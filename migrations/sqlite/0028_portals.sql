-- Portals whose links were ended: a link is of the generation in which it was made.
CREATE TABLE portals (
    project TEXT NOT NULL,
    customer TEXT NOT NULL,
    generation INTEGER NOT NULL,       -- of the links that open it; without a row: 0
    PRIMARY KEY (project, customer)
) STRICT, WITHOUT ROWID;
