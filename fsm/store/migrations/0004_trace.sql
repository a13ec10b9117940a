-- What brought a job: see job.Origin. NULL for nothing, as for jobs from before.
ALTER TABLE job_spec ADD COLUMN request_id TEXT;
ALTER TABLE job_spec ADD COLUMN traceparent TEXT;
