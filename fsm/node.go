package fsm

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// node is a node that is or once was registered, with what it holds.
type node struct {
	ffrtmp.Node // Status, LastHeartbeat, CurrentJobID and Running are filled in when it is shown
	key         int64
	offline     bool
	removed     bool
	held        int64                 // attempts that go on
	attempts    map[uint64]*activeJob // those, and the lost ones that it may take back
}

// usable reports whether the node can be given new work, slots aside.
func (n *node) usable() bool { return !n.removed && !n.offline && n.Eligibility == ffrtmp.Eligible }

// take and drop keep the node's account of a job's newest attempt.
func (n *node) take(j *activeJob) {
	n.attempts[j.seq] = j
	if j.hold.current() {
		n.held++
	}
}

func (n *node) drop(j *activeJob) {
	delete(n.attempts, j.seq)
	if j.hold.current() {
		n.held--
	}
}

// sorted returns the node's attempts by sequence number.
func (n *node) sorted() []*activeJob {
	list := make([]*activeJob, 0, len(n.attempts))
	for _, j := range n.attempts {
		list = append(list, j)
	}
	slices.SortFunc(list, func(a, b *activeJob) int { return int(int64(a.seq) - int64(b.seq)) })
	return list
}

func (n *node) status() ffrtmp.NodeStatus {
	switch {
	case n.offline:
		return ffrtmp.NodeOffline
	case n.held > 0:
		return ffrtmp.NodeBusy
	}
	return ffrtmp.NodeAvailable
}

// show returns the node as the API shows it.
func (n *node) show() ffrtmp.Node {
	shown := n.Node
	shown.Status = n.status()
	for _, j := range n.sorted() {
		if j.hold.current() {
			shown.Running = append(shown.Running, ffrtmp.AttemptRef{JobID: j.id.String(), Attempt: int(j.attempt)})
		}
	}
	if len(shown.Running) > 0 {
		shown.CurrentJobID = shown.Running[0].JobID
	}
	return shown
}

// nodes is the fleet in memory; removed nodes are in byKey only.
type nodes struct {
	byKey     map[int64]*node
	byID      map[string]*node
	byAddress map[string]*node // v2.2's, which are known by it
	lastKey   int64
	epoch     uint64 // changes when a node does, held attempts aside
}

func newNodes() nodes {
	return nodes{byKey: map[int64]*node{}, byID: map[string]*node{}, byAddress: map[string]*node{}, epoch: 1}
}

func (s *nodes) add(n *node) {
	s.byKey[n.key] = n
	s.lastKey = max(s.lastKey, n.key)
	s.byID[n.ID] = n
	if n.Legacy && !n.removed {
		s.byAddress[n.Address] = n
	}
	s.epoch++
}

// find returns a registered node.
func (s *nodes) find(id string) (*node, *ffrtmp.Error) {
	if n, ok := s.byID[id]; ok && !n.removed {
		return n, nil
	}
	return nil, ffrtmp.Errorf(ffrtmp.NotFound, "node %s is not registered", id)
}

var selectNodes = prepared(`SELECT key, id, name, address, type, cpu_threads, cpu_model, has_gpu, gpu_type, gpu_capabilities,
	ram_total_bytes, labels, max_concurrent_jobs, encoders, version, legacy, eligibility, offline, removed, registered_at, last_heartbeat
FROM node ORDER BY key`)

func (s *state) loadNodes() error {
	row := make([]driver.Value, 21)
	return s.w.each(row, func() error {
		n := &node{key: row[0].(int64), attempts: map[uint64]*activeJob{}}
		n.ID, n.Name, n.Address, n.Type = text(row[1]), text(row[2]), text(row[3]), text(row[4])
		n.CPUThreads, n.CPUModel = int(row[5].(int64)), text(row[6])
		n.HasGPU, n.GPUType = row[7] == int64(1), text(row[8])
		n.RAMTotalBytes = row[10].(int64)
		n.MaxConcurrentJobs = int(row[12].(int64))
		n.Version, n.Legacy = text(row[14]), row[15] == int64(1)
		n.Eligibility = eligibilityCodes[row[16].(int64)]
		n.offline, n.removed = row[17] == int64(1), row[18] == int64(1)
		n.RegisteredAt, n.LastHeartbeat = timeOf(row[19].(int64)), timeOf(row[20].(int64))
		for column, into := range map[int]any{9: &n.GPUCapabilities, 11: &n.Labels, 13: &n.Encoders} {
			if err := unmarshal(text(row[column]), into); err != nil {
				return fmt.Errorf("node %s: %w", n.ID, err)
			}
		}
		s.nodes.add(n)
		return nil
	}, selectNodes)
}

// timeOf is the time of a column: nanoseconds, 0 for none.
func timeOf(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns).UTC()
}

// marshal is the JSON of a list or map, or "" for an empty one. Maps are written
// with sorted keys, so equal values have equal bytes.
func marshal[T any](v T, empty bool) string {
	if empty {
		return ""
	}
	// Strings, and lists and maps of them, always marshal.
	data, _ := json.Marshal(v)
	return string(data)
}

func unmarshal(s string, into any) error {
	if s == "" {
		return nil
	}
	return json.Unmarshal([]byte(s), into)
}
