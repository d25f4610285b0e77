-- Where this database is: the server's system identifier and the database's number there. A copy of it
-- elsewhere knows by it that it is one.
ALTER TABLE ledger ADD COLUMN home text COLLATE "C";
