-- After a restore the numbers of events go on far behind those of the backup: numbers that were told
-- and are lost are never given to other events, and whoever reads on behind one of them misses nothing.
CREATE TABLE restores (
    seq_before INTEGER NOT NULL, -- the last number in the backup
    seq_after INTEGER PRIMARY KEY -- the one that numbers go on behind
) STRICT;
