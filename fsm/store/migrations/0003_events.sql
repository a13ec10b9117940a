-- What has happened, a row a Raft entry: its events packed as event.go says, so
-- that an event costs its bytes and no row of its own.
CREATE TABLE event (
    idx   INTEGER PRIMARY KEY, -- of the entry
    time  INTEGER NOT NULL,    -- of the first event
    count INTEGER NOT NULL,
    data  BLOB NOT NULL
) STRICT;

-- The newest event that is no longer kept. A database that is older than events
-- has none of what came before.
CREATE TABLE event_floor (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    idx INTEGER NOT NULL,
    n   INTEGER NOT NULL
) STRICT;
INSERT INTO event_floor SELECT 1, applied_index, 0 FROM meta;
