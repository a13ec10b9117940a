package store

import (
	"database/sql/driver"
	"fmt"

	"github.com/ffrtmp/ffrtmp"
)

// Node is a node that is or was registered.
type Node struct {
	ffrtmp.Node // without Status, CurrentJobID and Running
	Key         int64
	Offline     bool
	Removed     bool
}

var (
	selectNodes = Prepared(`SELECT key, id, name, address, type, cpu_threads, cpu_model, has_gpu, gpu_type,
	gpu_capabilities,
	ram_total_bytes, labels, max_concurrent_jobs, encoders, media_roots, version, legacy, eligibility, offline, removed,
	registered_at,
	last_heartbeat, eligibility_until, eligibility_reason, failures
FROM node ORDER BY key`)
	upsertNode = Prepared(`INSERT OR REPLACE INTO node (key, id, name, address, type, cpu_threads, cpu_model, has_gpu,
	gpu_type, gpu_capabilities,
	ram_total_bytes, labels, max_concurrent_jobs, encoders, media_roots, version, legacy, eligibility, offline, removed,
	registered_at,
	last_heartbeat, eligibility_until, eligibility_reason, failures)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
)

// EachNode calls do for every node in the order of their keys.
func (db *DB) EachNode(do func(Node)) error {
	row := make([]driver.Value, 25)
	return db.Each(row, func() error {
		n := Node{Key: row[0].(int64), Offline: row[18] == int64(1), Removed: row[19] == int64(1)}
		n.ID, n.Name, n.Address, n.Type = Text(row[1]), Text(row[2]), Text(row[3]), Text(row[4])
		n.CPUThreads, n.CPUModel = int(row[5].(int64)), Text(row[6])
		n.HasGPU, n.GPUType = row[7] == int64(1), Text(row[8])
		n.RAMTotalBytes = row[10].(int64)
		n.MaxConcurrentJobs = int(row[12].(int64))
		n.Version, n.Legacy = Text(row[15]), row[16] == int64(1)
		n.Eligibility = EligibilityCodes[row[17].(int64)]
		n.EligibilityUntil = TimeOf(row[22].(int64))
		n.EligibilityReason, n.Failures = Text(row[23]), int(row[24].(int64))
		n.RegisteredAt, n.LastHeartbeat = TimeOf(row[20].(int64)), TimeOf(row[21].(int64))
		for column, into := range map[int]any{
			9: &n.GPUCapabilities, 11: &n.Labels, 13: &n.Encoders, 14: &n.MediaRoots,
		} {
			if err := Unmarshal(Text(row[column]), into); err != nil {
				return fmt.Errorf("node %s: %w", n.ID, err)
			}
		}
		do(n)
		return nil
	}, selectNodes)
}

// PutNode writes a node.
func (db *DB) PutNode(n *Node) error {
	return db.Exec(upsertNode, n.Key, n.ID, n.Name, n.Address, n.Type, int64(n.CPUThreads), n.CPUModel, Bool(n.HasGPU),
		n.GPUType,
		Null(Marshal(n.GPUCapabilities, len(n.GPUCapabilities) == 0)), n.RAMTotalBytes, Null(Marshal(n.Labels,
			len(n.Labels) == 0)),
		int64(n.MaxConcurrentJobs), Null(Marshal(n.Encoders, len(n.Encoders) == 0)),
		Null(Marshal(n.MediaRoots, len(n.MediaRoots) == 0)), n.Version, Bool(n.Legacy),
		Code(EligibilityCodes, n.Eligibility), Bool(n.Offline), Bool(n.Removed), n.RegisteredAt.UnixNano(),
		n.LastHeartbeat.UnixNano(), Nanoseconds(n.EligibilityUntil), n.EligibilityReason, int64(n.Failures))
}
