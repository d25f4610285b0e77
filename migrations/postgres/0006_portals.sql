-- Portals whose links were ended: a link is of the generation in which it was made.
CREATE TABLE portals (
    project text COLLATE "C" NOT NULL,
    customer text COLLATE "C" NOT NULL,
    generation bigint NOT NULL,        -- of the links that open it; without a row: 0
    PRIMARY KEY (project, customer)
);
