PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE nodes (
		id TEXT PRIMARY KEY,
		name TEXT NOT NULL,
		address TEXT NOT NULL UNIQUE,
		type TEXT NOT NULL,
		cpu_threads INTEGER NOT NULL,
		cpu_model TEXT NOT NULL,
		cpu_load_percent REAL DEFAULT 0,
		has_gpu BOOLEAN NOT NULL,
		gpu_type TEXT,
		gpu_capabilities TEXT,
		ram_total_bytes INTEGER NOT NULL,
		ram_free_bytes INTEGER DEFAULT 0,
		labels TEXT,
		status TEXT NOT NULL,
		last_heartbeat DATETIME NOT NULL,
		registered_at DATETIME NOT NULL,
		current_job_id TEXT
	);
INSERT INTO nodes VALUES('c24161b8-833c-4fd1-add0-ecd232af3bcb','enc-01','enc-01','server',32,'EPYC 7302',0.0,1,'NVIDIA T4','["h264_nvenc"]',68719476736,0,'{"arch":"amd64","node_type":"server","os":"linux"}','busy','2026-11-22 07:03:34.912626962+00:00','2026-11-22 07:03:34.912627012+00:00','449b8634-a608-4181-ad48-7b3bc14c151d');
INSERT INTO nodes VALUES('3a4b61f3-d167-424b-a0d6-bc50be387124','enc-02','enc-02','desktop',8,'Core i7',0.0,0,'','null',17179869184,0,'null','available','2026-11-22 07:03:34.929611674+00:00','2026-11-22 07:03:34.929611725+00:00','');
CREATE TABLE jobs (
		id TEXT PRIMARY KEY,
		sequence_number INTEGER NOT NULL,
		scenario TEXT NOT NULL,
		confidence TEXT,
		engine TEXT NOT NULL DEFAULT 'auto',
		parameters TEXT,
		status TEXT NOT NULL,
		queue TEXT DEFAULT 'default',
		priority TEXT DEFAULT 'medium',
		progress INTEGER DEFAULT 0,
		node_id TEXT,
		created_at DATETIME NOT NULL,
		started_at DATETIME,
		last_activity_at DATETIME,
		completed_at DATETIME,
		retry_count INTEGER NOT NULL DEFAULT 0,
		max_retries INTEGER DEFAULT 3,
		retry_reason TEXT,
		error TEXT,
		failure_reason TEXT,
		logs TEXT,
		state_transitions TEXT
	);
INSERT INTO jobs VALUES('99b02629-b351-4b9c-91f0-3e57978725ff',1,'1080p30-h265','auto','auto','{"bitrate":"2M","duration":10,"output_mode":"file"}','pending','default','medium',0,'','2026-11-22 07:03:34.943161063+00:00',NULL,NULL,NULL,0,3,NULL,'','','','null');
INSERT INTO jobs VALUES('8857c3db-0ffd-4846-a816-8d370a77c6dd',2,'720p60-h264','auto','auto','{"bitrate":"3M","duration":20,"output_mode":"file"}','pending','batch','low',0,'','2026-11-22 07:03:34.956746816+00:00',NULL,NULL,NULL,0,3,NULL,'','','','null');
INSERT INTO jobs VALUES('3a6f6dcc-8d62-4af9-a524-0037c7e9576f',3,'480p30-vp9','auto','auto','{"bitrate":"4M","duration":30,"output_mode":"file"}','completed','live','high',0,'c24161b8-833c-4fd1-add0-ecd232af3bcb','2026-11-22 07:03:34.969877811+00:00','2026-11-22 07:03:35.148609828+00:00','2026-11-22 07:03:35.148609828+00:00','2026-11-22 07:03:35.174735223+00:00',0,3,NULL,'','','','[{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:03:35.148609828Z","reason":"Assigned to node c24161b8-833c-4fd1-add0-ecd232af3bcb"}]');
INSERT INTO jobs VALUES('cb954473-b391-4f58-a53f-7be7a9339a11',4,'4K60-h264','auto','auto','{"bitrate":"5M","duration":40,"output_mode":"file"}','pending','default','medium',0,'','2026-11-22 07:03:34.98297122+00:00',NULL,NULL,NULL,0,3,NULL,'','','','null');
INSERT INTO jobs VALUES('12995550-693f-4347-8973-db377be5120c',5,'1080p30-h265','auto','auto','{"bitrate":"6M","duration":50,"output_mode":"file"}','pending','batch','low',0,'','2026-11-22 07:03:34.996236465+00:00',NULL,NULL,NULL,0,3,NULL,'','','','null');
INSERT INTO jobs VALUES('30c2a42a-bace-4ea9-8a3a-aa4f29e1e3ae',6,'720p60-h264','auto','auto','{"bitrate":"7M","duration":60,"output_mode":"file"}','completed','live','high',0,'c24161b8-833c-4fd1-add0-ecd232af3bcb','2026-11-22 07:03:35.009314721+00:00','2026-11-22 07:03:35.190811441+00:00','2026-11-22 07:03:35.190811441+00:00','2026-11-22 07:03:35.215890175+00:00',0,3,NULL,'','','','[{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:03:35.190811441Z","reason":"Assigned to node c24161b8-833c-4fd1-add0-ecd232af3bcb"}]');
INSERT INTO jobs VALUES('2fc4a34c-b3c6-4d78-8bf6-c1239c4c00c0',7,'480p30-vp9','auto','auto','{"bitrate":"8M","duration":70,"output_mode":"file"}','pending','default','medium',0,'','2026-11-22 07:03:35.023013042+00:00',NULL,NULL,NULL,0,3,NULL,'','','','null');
INSERT INTO jobs VALUES('e5316883-625e-4715-a2af-773d97270934',8,'4K60-h264','auto','auto','{"bitrate":"9M","duration":80,"output_mode":"file"}','pending','batch','low',0,'','2026-11-22 07:03:35.037173842+00:00',NULL,NULL,NULL,0,3,NULL,'','','','null');
INSERT INTO jobs VALUES('268d76aa-ffac-45a1-ae6c-168bc4248597',9,'1080p30-h265','auto','auto','{"bitrate":"10M","duration":90,"output_mode":"file"}','completed','live','high',0,'c24161b8-833c-4fd1-add0-ecd232af3bcb','2026-11-22 07:03:35.053950394+00:00','2026-11-22 07:03:35.279414601+00:00','2026-11-22 07:03:35.279414601+00:00','2026-11-22 07:03:35.30977253+00:00',1,3,NULL,'','','','[{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:03:35.231025309Z","reason":"Assigned to node c24161b8-833c-4fd1-add0-ecd232af3bcb"},{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:03:35.279414601Z","reason":"Assigned to node c24161b8-833c-4fd1-add0-ecd232af3bcb"}]');
INSERT INTO jobs VALUES('51bfdbf4-45df-4cb0-8ac5-680a2fca3110',10,'720p60-h264','auto','auto','{"bitrate":"11M","duration":100,"output_mode":"file"}','pending','default','medium',0,'','2026-11-22 07:03:35.071573649+00:00',NULL,NULL,NULL,0,3,NULL,'','','','null');
INSERT INTO jobs VALUES('5c794969-14a9-40e6-802e-9f610b492743',11,'480p30-vp9','auto','auto','{"bitrate":"12M","duration":110,"output_mode":"file"}','pending','batch','low',0,'','2026-11-22 07:03:35.08473567+00:00',NULL,NULL,NULL,0,3,NULL,'','','','null');
INSERT INTO jobs VALUES('449b8634-a608-4181-ad48-7b3bc14c151d',12,'4K60-h264','auto','auto','{"bitrate":"13M","duration":120,"output_mode":"file"}','processing','live','high',0,'c24161b8-833c-4fd1-add0-ecd232af3bcb','2026-11-22 07:03:35.097512276+00:00','2026-11-22 07:03:35.328626631+00:00','2026-11-22 07:03:35.328626631+00:00',NULL,0,3,NULL,'','','','[{"from":"pending","to":"assigned","timestamp":"2026-11-22T07:03:35.328626631Z","reason":"Assigned to node c24161b8-833c-4fd1-add0-ecd232af3bcb"}]');
INSERT INTO jobs VALUES('82d25c11-69be-4b62-9f4d-257abf06a94f',13,'1080p30-h265','auto','auto','{"bitrate":"14M","duration":130,"output_mode":"file"}','pending','default','medium',0,'','2026-11-22 07:03:35.113066205+00:00',NULL,NULL,NULL,0,3,NULL,'','','','null');
INSERT INTO jobs VALUES('e8318014-650a-400f-96dc-272ad557cf79',14,'720p60-h264','auto','auto','{"bitrate":"15M","duration":140,"output_mode":"file"}','pending','batch','low',0,'','2026-11-22 07:03:35.127911026+00:00',NULL,NULL,NULL,0,3,NULL,'','','','null');
CREATE UNIQUE INDEX idx_jobs_sequence ON jobs(sequence_number);
CREATE INDEX idx_jobs_status ON jobs(status);
CREATE INDEX idx_jobs_queue_priority ON jobs(queue, priority, created_at);
CREATE INDEX idx_nodes_status ON nodes(status);
CREATE UNIQUE INDEX idx_nodes_address ON nodes(address);
COMMIT;
