-- The view had every field of a job but its log, that of the newest attempt.
DROP VIEW jobs;
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
    s.labels, s.requires, t.progress_detail, a.output
FROM job_spec s JOIN job_state t ON t.seq = s.seq
LEFT JOIN node n ON n.key = t.node
LEFT JOIN job_attempt a ON a.seq = t.seq AND a.attempt = t.attempt
LEFT JOIN job_log l ON l.seq = t.seq AND l.attempt = t.attempt;
