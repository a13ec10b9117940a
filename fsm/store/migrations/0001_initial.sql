-- Times are nanoseconds since 1970 in UTC; 0 has not happened. Codes of statuses,
-- queues, priorities, holds and outcomes are those of codes.go.

CREATE TABLE meta (
    one           INTEGER PRIMARY KEY CHECK (one = 1),
    applied_index INTEGER NOT NULL,
    applied_term  INTEGER NOT NULL,
    time          INTEGER NOT NULL, -- of the newest command
    next_seq      INTEGER NOT NULL,
    -- cumulative: retention does not lower them
    submitted     INTEGER NOT NULL,
    completed     INTEGER NOT NULL,
    failed        INTEGER NOT NULL,
    canceled      INTEGER NOT NULL,
    retries       INTEGER NOT NULL,
    losses        INTEGER NOT NULL,
    lease_epoch   INTEGER NOT NULL  -- restores: no lease outlives one
) STRICT;
INSERT INTO meta VALUES (1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0);

-- What a job is: written once, but for its labels.
CREATE TABLE job_spec (
    seq            INTEGER PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE, -- time-ordered, so that the index grows at its end
    scenario       TEXT NOT NULL,
    confidence     TEXT NOT NULL,
    engine         TEXT NOT NULL,
    classification TEXT NOT NULL,
    parameters     TEXT,             -- JSON object
    requires       TEXT NOT NULL,    -- JSON object, or '' for nothing
    labels         TEXT,             -- JSON object
    timeout        INTEGER NOT NULL, -- nanoseconds an attempt may take; 0: no limit
    created_at     INTEGER NOT NULL,
    request_id     TEXT,             -- of the request that submitted it
    traceparent    TEXT              -- of the trace of that request
) STRICT;

-- How a job stands: narrow, because every transition writes it. It has no
-- secondary index: claim order and what lists select by are kept in memory.
CREATE TABLE job_state (
    seq              INTEGER PRIMARY KEY,
    status           INTEGER NOT NULL CHECK (status BETWEEN 0 AND 5),
    queue            INTEGER NOT NULL CHECK (queue BETWEEN 0 AND 2),
    priority         INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    max_retries      INTEGER NOT NULL,
    retry_count      INTEGER NOT NULL DEFAULT 0,
    losses           INTEGER NOT NULL DEFAULT 0,
    attempt          INTEGER NOT NULL DEFAULT 0, -- number of the newest attempt
    hold             INTEGER NOT NULL DEFAULT 0 CHECK (hold BETWEEN 0 AND 3), -- of the newest attempt
    node             INTEGER NOT NULL DEFAULT 0, -- key of the newest attempt's node
    lease            BLOB,                       -- of the newest attempt
    started_at       INTEGER NOT NULL DEFAULT 0,
    timeout_at       INTEGER NOT NULL DEFAULT 0, -- negative: what is left, while the job is paused
    last_activity_at INTEGER NOT NULL DEFAULT 0,
    completed_at     INTEGER NOT NULL DEFAULT 0,
    not_before       INTEGER NOT NULL DEFAULT 0,
    progress         INTEGER NOT NULL DEFAULT 0,
    progress_detail  TEXT,                       -- JSON object
    avoid            TEXT NOT NULL DEFAULT '',   -- keys of nodes, ascending, comma between
    retry_reason     TEXT,
    error            TEXT,
    failure_reason   TEXT
) STRICT;

-- Attempts that are over; the one that goes on stands in job_state.
CREATE TABLE job_attempt (
    seq             INTEGER NOT NULL,
    attempt         INTEGER NOT NULL,
    node            INTEGER NOT NULL,
    outcome         INTEGER NOT NULL CHECK (outcome BETWEEN 1 AND 5),
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER NOT NULL,
    error           TEXT,
    failure_reason  TEXT,
    output          TEXT, -- JSON object
    metrics         TEXT, -- JSON, as the agent sent it
    analyzer_output TEXT, -- JSON, as the agent sent it
    warnings        TEXT, -- JSON array
    PRIMARY KEY (seq, attempt)
) STRICT, WITHOUT ROWID;

-- The end of an attempt's log.
CREATE TABLE job_log (
    seq        INTEGER NOT NULL,
    attempt    INTEGER NOT NULL,
    log        TEXT NOT NULL,
    log_offset INTEGER NOT NULL, -- bytes of the attempt's log before this
    PRIMARY KEY (seq, attempt)
) STRICT, WITHOUT ROWID;

-- What an attempt read and wrote, and how fast it went.
CREATE TABLE job_media (
    seq     INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    media   TEXT NOT NULL, -- JSON object
    PRIMARY KEY (seq, attempt)
) STRICT, WITHOUT ROWID;

-- A removed node stays on record: jobs and attempts name it.
CREATE TABLE node (
    key                 INTEGER PRIMARY KEY,
    id                  TEXT NOT NULL UNIQUE,
    name                TEXT NOT NULL,
    address             TEXT NOT NULL,
    type                TEXT NOT NULL,
    cpu_threads         INTEGER NOT NULL,
    cpu_model           TEXT NOT NULL,
    has_gpu             INTEGER NOT NULL CHECK (has_gpu IN (0, 1)),
    gpu_type            TEXT NOT NULL,
    gpu_capabilities    TEXT, -- JSON array
    ram_total_bytes     INTEGER NOT NULL,
    labels              TEXT, -- JSON object
    max_concurrent_jobs INTEGER NOT NULL,
    encoders            TEXT, -- JSON array
    media_roots         TEXT, -- JSON array; NULL: not declared
    version             TEXT NOT NULL,
    legacy              INTEGER NOT NULL CHECK (legacy IN (0, 1)),
    eligibility         INTEGER NOT NULL CHECK (eligibility BETWEEN 0 AND 2),
    eligibility_until   INTEGER NOT NULL, -- 0: no such time
    eligibility_reason  TEXT NOT NULL,
    failures            INTEGER NOT NULL, -- attempts in a row that failed by the node's fault
    offline             INTEGER NOT NULL CHECK (offline IN (0, 1)),
    removed             INTEGER NOT NULL CHECK (removed IN (0, 1)),
    registered_at       INTEGER NOT NULL,
    last_heartbeat      INTEGER NOT NULL  -- the newest that was replicated
) STRICT;

-- What a request with an idempotency key has done: made or changed count jobs
-- from seq on, or (seq 0) something else. Of an action on the job, count is the
-- status that it led to, of a result the number of the retry. It goes when its
-- jobs go. Rows are in the order of the requests, without an index: keys are random, and
-- each would change another page. They are found through memory.
CREATE TABLE idempotency (
    n          INTEGER PRIMARY KEY,
    request    BLOB NOT NULL, -- digest of the key and its principal
    hash       BLOB NOT NULL, -- of what was requested
    seq        INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

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
    revoked_at INTEGER NOT NULL,
    kind       TEXT NOT NULL -- session, sign_in, or '' for a user's own key
) STRICT, WITHOUT ROWID;

-- Settings of the cluster of masters itself: autopilot's, and which members were removed or
-- demoted by an operator.
CREATE TABLE cluster_setting (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
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

-- Events, a row for each Raft entry: packed as fsm/event.go says, so
-- that an event costs its bytes and no row of its own.
CREATE TABLE event (
    idx   INTEGER PRIMARY KEY, -- of the entry
    time  INTEGER NOT NULL,    -- of the first event
    count INTEGER NOT NULL,
    data  BLOB NOT NULL
) STRICT;

-- The newest event that is no longer kept.
CREATE TABLE event_floor (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    idx INTEGER NOT NULL,
    n   INTEGER NOT NULL
) STRICT;
INSERT INTO event_floor VALUES (1, 0, 0);

-- Every job that was ever imported. It outlives the job, which retention removes, so
-- that a second import of the same jobs takes none of them again.
CREATE TABLE imported (
    id  TEXT PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The parts of a backup that is being restored; see fsm/restore.go.
CREATE TABLE restore_chunk (
    n       INTEGER PRIMARY KEY,
    restore BLOB NOT NULL,    -- id of the restore
    time    INTEGER NOT NULL,
    data    BLOB NOT NULL
) STRICT;

CREATE VIEW jobs AS
SELECT s.id, s.seq AS sequence_number, s.scenario, s.confidence, s.engine, s.classification,
    json_replace(s.parameters, '$.stream_key', 'REDACTED') AS parameters,
    CASE t.status WHEN 0 THEN 'pending' WHEN 1 THEN 'running' WHEN 2 THEN 'paused'
        WHEN 3 THEN 'completed' WHEN 4 THEN 'failed' ELSE 'canceled' END AS status,
    CASE t.queue WHEN 0 THEN 'live' WHEN 1 THEN 'default' ELSE 'batch' END AS queue,
    CASE t.priority WHEN 0 THEN 'high' WHEN 1 THEN 'medium' ELSE 'low' END AS priority,
    t.progress, n.id AS node_id, n.name AS node_name,
    strftime('%Y-%m-%dT%H:%M:%fZ', s.created_at / 1e9, 'unixepoch') AS created_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(t.started_at, 0) / 1e9, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(t.last_activity_at, 0) / 1e9, 'unixepoch') AS last_activity_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(t.completed_at, 0) / 1e9, 'unixepoch') AS completed_at,
    t.retry_count, t.max_retries, t.retry_reason, t.error, t.failure_reason, l.log AS logs,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(max(t.timeout_at, 0), 0) / 1e9, 'unixepoch') AS timeout_at,
    t.attempt,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(t.not_before, 0) / 1e9, 'unixepoch') AS not_before,
    s.labels, s.requires, t.progress_detail, a.output, a.warnings
FROM job_spec s JOIN job_state t ON t.seq = s.seq
LEFT JOIN node n ON n.key = t.node
LEFT JOIN job_attempt a ON a.seq = t.seq AND a.attempt = t.attempt
LEFT JOIN job_log l ON l.seq = t.seq AND l.attempt = t.attempt;

-- What a node holds is counted over all jobs: a column for it would be written at
-- every claim and result.
CREATE VIEW nodes AS
SELECT id, name, address, type, cpu_threads, cpu_model, has_gpu, gpu_type, gpu_capabilities,
    ram_total_bytes, labels,
    CASE WHEN offline THEN 'offline' WHEN h.held > 0 THEN 'busy' ELSE 'available' END AS status,
    strftime('%Y-%m-%dT%H:%M:%fZ', last_heartbeat / 1e9, 'unixepoch') AS last_heartbeat,
    strftime('%Y-%m-%dT%H:%M:%fZ', registered_at / 1e9, 'unixepoch') AS registered_at,
    max_concurrent_jobs, encoders, media_roots,
    CASE eligibility WHEN 0 THEN 'eligible' WHEN 1 THEN 'cordoned' ELSE 'draining' END AS eligibility,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(eligibility_until, 0) / 1e9, 'unixepoch') AS eligibility_until,
    nullif(eligibility_reason, '') AS eligibility_reason, failures AS consecutive_failures,
    version, coalesce(h.held, 0) AS running, legacy
FROM node n
LEFT JOIN (SELECT node, count(*) AS held FROM job_state WHERE hold IN (1, 2) GROUP BY node) h ON h.node = n.key
WHERE NOT removed;

CREATE VIEW attempts AS
SELECT s.id AS job_id, s.seq AS sequence_number, a.attempt, n.id AS node_id,
    CASE a.outcome WHEN 0 THEN 'running' WHEN 1 THEN 'completed' WHEN 2 THEN 'failed'
        WHEN 3 THEN 'lost' WHEN 4 THEN 'canceled' ELSE 'timed_out' END AS outcome,
    strftime('%Y-%m-%dT%H:%M:%fZ', a.started_at / 1e9, 'unixepoch') AS started_at,
    strftime('%Y-%m-%dT%H:%M:%fZ', nullif(a.ended_at, 0) / 1e9, 'unixepoch') AS ended_at,
    a.error, a.failure_reason, a.metrics
FROM (
    SELECT seq, attempt, node, outcome, started_at, ended_at, error, failure_reason, metrics FROM job_attempt
    UNION ALL
    SELECT seq, attempt, node, 0, started_at, 0, NULL, NULL, NULL FROM job_state WHERE hold IN (1, 2)
) a
JOIN job_spec s ON s.seq = a.seq
LEFT JOIN node n ON n.key = a.node;
