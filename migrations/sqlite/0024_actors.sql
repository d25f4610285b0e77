-- Who caused an event that somebody asked for: key:<id>, cli or launcher:<id>. NULL: the kind of its
-- source says it.
ALTER TABLE events ADD COLUMN actor TEXT;
