-- API keys. Of a secret there is the SHA-256 only.
CREATE TABLE api_key (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    scopes     TEXT NOT NULL, -- comma between
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    rate_limit INTEGER NOT NULL, -- requests a second; 0: the masters' default
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Administrative writes, each in the transaction that carried it out. n counts
-- within the Raft entry; time does not fall from one row to the next.
CREATE TABLE audit (
    log_index  INTEGER NOT NULL,
    n          INTEGER NOT NULL,
    time       INTEGER NOT NULL,
    principal  TEXT NOT NULL,
    key_name   TEXT NOT NULL,
    source     TEXT NOT NULL,
    request_id TEXT NOT NULL,
    action     TEXT NOT NULL,
    target     TEXT NOT NULL,
    detail     TEXT NOT NULL,
    outcome    TEXT NOT NULL,
    PRIMARY KEY (log_index, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_time ON audit (time);
