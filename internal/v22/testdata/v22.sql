-- A database as v2.2's master makes it, with a job in every state that it knows, and
-- some that cannot be taken.
CREATE TABLE nodes (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL UNIQUE, type TEXT NOT NULL, cpu_threads INTEGER NOT NULL, cpu_model TEXT NOT NULL,
    cpu_load_percent REAL DEFAULT 0, has_gpu BOOLEAN NOT NULL, gpu_type TEXT, gpu_capabilities TEXT, ram_total_bytes INTEGER NOT NULL, ram_free_bytes INTEGER DEFAULT 0,
    labels TEXT, status TEXT NOT NULL, last_heartbeat DATETIME NOT NULL, registered_at DATETIME NOT NULL, current_job_id TEXT
);
CREATE TABLE jobs (
    id TEXT PRIMARY KEY, sequence_number INTEGER NOT NULL, scenario TEXT NOT NULL, confidence TEXT, engine TEXT NOT NULL DEFAULT 'auto', parameters TEXT,
    status TEXT NOT NULL, queue TEXT DEFAULT 'default', priority TEXT DEFAULT 'medium', progress INTEGER DEFAULT 0, node_id TEXT, created_at DATETIME NOT NULL,
    started_at DATETIME, last_activity_at DATETIME, completed_at DATETIME, retry_count INTEGER NOT NULL DEFAULT 0, max_retries INTEGER DEFAULT 3, retry_reason TEXT,
    error TEXT, failure_reason TEXT, logs TEXT, state_transitions TEXT
);
CREATE UNIQUE INDEX idx_jobs_sequence ON jobs(sequence_number);

INSERT INTO nodes VALUES
    ('c0000000-0000-4000-8000-000000000001', 'enc-01', 'enc-01', 'server', 32, 'EPYC 7302', 0.0, 1, 'NVIDIA T4', '["h264_nvenc"]', 68719476736, 0,
     '{"arch":"amd64","os":"linux"}', 'busy', '2026-11-22 07:03:34.912626962+00:00', '2026-11-22 07:03:34.912627012+00:00', 'a0000000-0000-4000-8000-000000000006'),
    ('c0000000-0000-4000-8000-000000000002', '', 'enc-02', 'laptop', 8, 'Core i7', 12.5, 0, NULL, 'null', 17179869184, 1024,
     'null', 'offline', '2026-11-22T08:03:34+01:00', '2026-11-22 07:03:35', NULL),
    ('enc-03', 'enc-03', 'enc-03', 'desktop', 8, 'Core i7', 0, 0, '', '', 0, 0, '', 'available', '2026-11-22 07:03:36+00:00', '2026-11-22 07:03:36+00:00', '');

INSERT INTO jobs (sequence_number, id, scenario, confidence, parameters, status, queue, priority, progress, node_id, created_at, started_at, last_activity_at, completed_at, retry_count, max_retries, retry_reason, error, failure_reason, logs) VALUES
    (1, 'a0000000-0000-4000-8000-000000000001', '1080p30-h265', 'auto', '{"bitrate":"2M","duration":10,"output_mode":"file"}', 'pending', 'default', 'medium', 0, NULL, '2026-11-22 07:03:34.943161063+00:00', NULL, NULL, NULL, 0, 3, NULL, NULL, NULL, NULL),
    (2, 'a0000000-0000-4000-8000-000000000002', '720p60-h264', 'high', 'null', 'queued', 'batch', 'low', 0, '', '2026-11-22 07:03:35+00:00', NULL, NULL, NULL, 0, NULL, '', '', '', ''),
    (3, 'a0000000-0000-4000-8000-000000000003', '480p30-vp9', NULL, NULL, 'assigned', NULL, NULL, 0, 'c0000000-0000-4000-8000-000000000001', '2026-11-22T07:03:35Z', NULL, NULL, NULL, 0, 3, NULL, NULL, NULL, NULL),
    (4, 'a0000000-0000-4000-8000-000000000004', '4K60-h264', 'auto', '{"duration":40}', 'running', 'live', 'high', 47, 'c0000000-0000-4000-8000-000000000001', '2026-11-22 07:03:35+00:00', '2026-11-22 07:03:36+00:00', '2026-11-22 07:03:37+00:00', NULL, 1, 3, 'exit status 1', NULL, NULL, NULL),
    (6, 'a0000000-0000-4000-8000-000000000006', '4K60-h264', 'auto', '{"duration":120}', 'processing', 'live', 'high', 0, 'c0000000-0000-4000-8000-000000000001', '2026-11-22 07:03:35.097512276+00:00', '2026-11-22 07:03:35.328626631+00:00', '2026-11-22 07:03:35.328626631+00:00', NULL, 0, 3, NULL, NULL, NULL, NULL),
    (7, 'a0000000-0000-4000-8000-000000000007', '720p', 'auto', NULL, 'paused', 'default', 'medium', 20, 'c0000000-0000-4000-8000-000000000001', '2026-11-22 07:03:35+00:00', '2026-11-22 07:03:36+00:00', NULL, NULL, 0, 3, NULL, NULL, NULL, NULL),
    (8, 'a0000000-0000-4000-8000-000000000008', '720p', 'auto', NULL, 'retrying', 'default', 'medium', 0, NULL, '2026-11-22 07:03:35+00:00', NULL, '2026-11-22 07:04:35+00:00', NULL, 2, 3, 'exit status 1', 'exit status 1', 'runtime_error', 'Conversion failed!'),
    (9, 'a0000000-0000-4000-8000-000000000009', '480p30-vp9', 'auto', '{"bitrate":"4M"}', 'completed', 'live', 'high', 0, 'c0000000-0000-4000-8000-000000000001', '2026-11-22 07:03:34.969877811+00:00', '2026-11-22 07:03:35.148609828+00:00', '2026-11-22 07:03:35.148609828+00:00', '2026-11-22 07:03:35.174735223+00:00', 1, 3, NULL, NULL, NULL, 'frame=  300 fps=142'),
    (10, 'a0000000-0000-4000-8000-000000000010', '720p', 'auto', NULL, 'failed', 'default', 'medium', 30, 'c0000000-0000-4000-8000-000000000002', '2026-11-22 07:03:35+00:00', '2026-11-22 07:03:36+00:00', '2026-11-22 07:03:37+00:00', '2026-11-22 07:03:38+00:00', 3, 3, NULL, 'exit status 1', 'user_error', 'No such file'),
    (11, 'a0000000-0000-4000-8000-000000000011', '720p', 'auto', NULL, 'timed_out', 'default', 'medium', 99, 'c0000000-0000-4000-8000-000000000001', '2026-11-22 07:03:35+00:00', '2026-11-22 07:03:36+00:00', NULL, NULL, 3, 3, NULL, NULL, NULL, NULL),
    (12, 'a0000000-0000-4000-8000-000000000012', '720p', 'auto', NULL, 'rejected', 'default', 'medium', 0, NULL, '2026-11-22 07:03:35+00:00', NULL, NULL, '2026-11-22 07:03:38+00:00', 0, 3, NULL, NULL, NULL, NULL),
    (13, 'a0000000-0000-4000-8000-000000000013', '720p', 'auto', NULL, 'canceled', 'default', 'medium', 55, 'c0000000-0000-4000-8000-000000000001', '2026-11-22 07:03:35+00:00', '2026-11-22 07:03:36+00:00', '2026-11-22 07:03:37+00:00', '2026-11-22 07:03:38+00:00', 0, 3, NULL, 'Job canceled by user', NULL, NULL),
    (20, 'a0000000-0000-4000-8000-000000000020', 'my-own-scenario', 'auto', NULL, 'completed', 'default', 'medium', 100, NULL, '2026-11-22 07:03:35+00:00', NULL, NULL, '2026-11-22 07:03:38+00:00', 0, 3, NULL, NULL, NULL, NULL),
    (21, 'a0000000-0000-4000-8000-000000000021', '720p', 'auto', '{"vf":"scale=1:1"}', 'pending', 'default', 'medium', 0, NULL, '2026-11-22 07:03:35+00:00', NULL, NULL, NULL, 0, 3, NULL, NULL, NULL, NULL),
    (22, 'a0000000-0000-4000-8000-000000000022', '720p', 'auto', '{"bitrate"', 'pending', 'default', 'medium', 0, NULL, '2026-11-22 07:03:35+00:00', NULL, NULL, NULL, 0, 3, NULL, NULL, NULL, NULL),
    (23, 'a0000000-0000-4000-8000-000000000023', '720p', 'auto', NULL, 'banana', 'default', 'medium', 0, NULL, '2026-11-22 07:03:35+00:00', NULL, NULL, NULL, 0, 3, NULL, NULL, NULL, NULL),
    (24, 'a0000000-0000-4000-8000-000000000024', '720p', 'auto', NULL, 'pending', 'default', 'medium', 0, NULL, 'yesterday', NULL, NULL, NULL, 0, 3, NULL, NULL, NULL, NULL),
    (25, 'job-25', '720p', 'auto', NULL, 'pending', 'default', 'medium', 0, NULL, '2026-11-22 07:03:35+00:00', NULL, NULL, NULL, 0, 3, NULL, NULL, NULL, NULL);
INSERT INTO jobs (sequence_number, id, scenario, engine, status, created_at) VALUES (26, 'a0000000-0000-4000-8000-000000000026', '720p', 'gstreamer', 'pending', '2026-11-22 07:03:35+00:00');

-- Four runs, all of them in the transitions; then three of four, then none.
INSERT INTO jobs (sequence_number, id, scenario, status, node_id, created_at, started_at, completed_at, retry_count, max_retries, error, failure_reason, state_transitions) VALUES
    (30, 'a0000000-0000-4000-8000-000000000030', '720p', 'completed', 'c0000000-0000-4000-8000-000000000001', '2026-11-22 07:03:35+00:00', '2026-11-22 07:07:00+00:00', '2026-11-22 07:08:00+00:00', 3, 3, NULL, NULL,
     '[{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:04:00Z","reason":"Assigned to node c0000000-0000-4000-8000-000000000001"},{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:05:00Z","reason":"Assigned to node c0000000-0000-4000-8000-000000000002"},{"from":"assigned","to":"running","timestamp":"2026-11-22T07:05:01Z","reason":""},{"from":"running","to":"timed_out","timestamp":"2026-11-22T07:05:30Z","reason":"no activity"},{"from":"timed_out","to":"retrying","timestamp":"2026-11-22T07:05:31Z","reason":"retry"},{"from":"retrying","to":"queued","timestamp":"2026-11-22T07:05:32Z","reason":""},{"from":"queued","to":"assigned","timestamp":"2026-11-22T08:06:00+01:00","reason":"Assigned to node c0000000-0000-4000-8000-000000000001"},{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:07:00Z","reason":"Assigned to node c0000000-0000-4000-8000-000000000001"}]'),
    (31, 'a0000000-0000-4000-8000-000000000031', '720p', 'failed', 'c0000000-0000-4000-8000-000000000001', '2026-11-22 07:03:35+00:00', '2026-11-22 07:07:00+00:00', '2026-11-22 07:08:00+00:00', 3, 3, 'exit status 1', 'runtime_error',
     '[{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:05:00Z","reason":""},{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:06:00Z","reason":""},{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:07:00Z","reason":""},{"from":"running","to":"failed","timestamp":"2026-11-22T07:08:00Z","reason":"x"}]'),
    (32, 'a0000000-0000-4000-8000-000000000032', '720p', 'retrying', NULL, '2026-11-22 07:03:35+00:00', NULL, NULL, 2, 3, 'exit status 1', NULL,
     '[{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:05:00Z","reason":""},{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:06:00Z","reason":""}]'),
    (33, 'a0000000-0000-4000-8000-000000000033', '720p', 'pending', NULL, '2026-11-22 07:03:35+00:00', NULL, NULL, 0, 3, NULL, NULL,
     '[{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:05:00Z","reason":"Assigned to node c0000000-0000-4000-8000-000000000001"}]'),
    (34, 'a0000000-0000-4000-8000-000000000034', '720p', 'pending', NULL, '2026-11-22 07:03:35+00:00', NULL, NULL, 0, 3, NULL, NULL, '[{'),
-- More retries than allowed, numbers that cannot be kept, counts out of range, times in seconds.
    (35, 'a0000000-0000-4000-8000-000000000035', '720p', 'failed', NULL, 1795331015, '1795331016', 1795331017.5, 5, 3, 'exit status 1', NULL, NULL),
    (-36, 'a0000000-0000-4000-8000-000000000036', '720p', 'failed', NULL, 1795331015, '1795331016', 0, -4, 900, 'exit status 1', NULL, 'null'),
    (0, 'a0000000-0000-4000-8000-000000000037', '720p', 'pending', NULL, 1795331015, NULL, NULL, 0, -1, NULL, NULL, NULL),
    (1099511627777, 'a0000000-0000-4000-8000-000000000038', '720p', 'pending', NULL, 1795331015000, NULL, NULL, 0, 3, NULL, NULL, NULL);
-- A finished job never runs again.
INSERT INTO jobs (sequence_number, id, scenario, engine, parameters, status, queue, priority, created_at, completed_at) VALUES
    (40, 'a0000000-0000-4000-8000-000000000040', 'gst-medium-30s', 'gstreamer', '{"vf":"scale=1:1", "input": "/a"}', 'completed', 'fast', 'urgent', '2026-11-22 07:03:35+00:00', '2026-11-22 07:03:38+00:00'),
    (41, 'a0000000-0000-4000-8000-000000000041', '720p', 'auto', '[1]', 'failed', NULL, NULL, '2026-11-22 07:03:35+00:00', '2026-11-22 07:03:38+00:00');
