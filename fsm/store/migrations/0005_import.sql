-- Every job that was ever imported. It outlives the job, which retention removes, so
-- that a second import of the same jobs takes none of them again.
CREATE TABLE imported (
    id  TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
