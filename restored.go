package ffrtmp

import "time"

// RestoredSnapshot is the response of POST /cluster/restore.
type RestoredSnapshot struct {
	Status          string    `json:"status"` // "restored"
	Jobs            int64     `json:"jobs"`
	EndedAttempts   int       `json:"ended_attempts"`             // that ran when the snapshot was made
	SnapshotIndex   uint64    `json:"snapshot_index"`             // Raft index that the snapshot reflects
	SnapshotCluster string    `json:"snapshot_cluster,omitempty"` // id of the cluster that it is of, if known
	SnapshotTime    time.Time `json:"snapshot_time"`
}
