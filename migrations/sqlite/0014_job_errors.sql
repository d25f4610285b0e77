-- Why a job could not be done the last time: nobody else tells why a destroy is not confirmed.
ALTER TABLE jobs ADD COLUMN error TEXT;    -- JSON
