-- Continuations that GitHub asked for: the pull request that they go on with, in any case.
ALTER TABLE tasks ADD COLUMN follow_up_of TEXT;
CREATE INDEX tasks_following_up ON tasks (follow_up_of COLLATE NOCASE)
    WHERE follow_up_of IS NOT NULL;
