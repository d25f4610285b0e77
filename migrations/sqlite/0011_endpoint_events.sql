-- An event can be about an endpoint too: then `task_id` of it and of its deliveries is the id of the
-- endpoint, and `task_seq` its number among the events of that endpoint. They are few, stand in the
-- same log under the same numbers, and go the same ways; an accepted task does not pay for them.
ALTER TABLE endpoints ADD COLUMN told_at INTEGER;        -- NULL: as far as people know, it works
ALTER TABLE endpoints ADD COLUMN seq INTEGER NOT NULL DEFAULT 0;  -- number of its newest event
