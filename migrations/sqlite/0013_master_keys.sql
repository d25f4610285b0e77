-- What each master key was when it was first used: another one under the same id would read nothing
-- of what is sealed. A fingerprint is derived by HKDF, and tells nothing of the key.
CREATE TABLE master_keys (
    id TEXT PRIMARY KEY NOT NULL,
    fingerprint BLOB NOT NULL
) STRICT, WITHOUT ROWID;
