package ffrtmp

import (
	"math"
	"path"
	"slices"
	"strconv"
	"time"
)

// NodeStatus is the state of a node.
type NodeStatus string

// Node states. A busy node runs at least one attempt; an offline one has stopped sending
// heartbeats.
const (
	NodeAvailable NodeStatus = "available"
	NodeBusy      NodeStatus = "busy"
	NodeOffline   NodeStatus = "offline"
)

// Eligibility is whether a node may claim jobs.
type Eligibility string

// Eligibilities. A cordoned or draining node finishes its running jobs and claims no new ones;
// a draining node is drained once it runs none.
const (
	Eligible Eligibility = "eligible"
	Cordoned Eligibility = "cordoned"
	Draining Eligibility = "draining"
)

// Machine is what an agent reports about itself and its machine. A node that names no Type is a
// "server"; one without a Name is called by its Address.
type Machine struct {
	Name              string            `json:"name"`
	Address           string            `json:"address"`
	Type              string            `json:"type"`
	CPUThreads        int               `json:"cpu_threads"`
	CPUModel          string            `json:"cpu_model"`
	HasGPU            bool              `json:"has_gpu"`
	GPUType           string            `json:"gpu_type,omitempty"`
	GPUCapabilities   []string          `json:"gpu_capabilities,omitempty"`
	RAMTotalBytes     int64             `json:"ram_total_bytes"`
	Labels            map[string]string `json:"labels,omitempty"`
	MaxConcurrentJobs int               `json:"max_concurrent_jobs,omitempty"`
	Encoders          []string          `json:"encoders,omitempty"`
	MediaRoots        []string          `json:"media_roots,omitempty"` // absolute; none: not declared
	Version           string            `json:"version,omitempty"`
}

// Node is a machine that runs an agent. Times are UTC.
type Node struct {
	ID string `json:"id"`
	Machine
	Status        NodeStatus  `json:"status"`
	LastHeartbeat time.Time   `json:"last_heartbeat"`
	RegisteredAt  time.Time   `json:"registered_at"`
	CurrentJobID  string      `json:"current_job_id,omitempty"` // for v2.2 clients: the oldest of Running
	Eligibility   Eligibility `json:"eligibility"`
	// EligibilityUntil ends a cordon of the circuit breaker; what a draining node still runs then is requeued. Zero: no
	// such time.
	EligibilityUntil  time.Time `json:"eligibility_until,omitzero"`
	EligibilityReason string    `json:"eligibility_reason,omitempty"` // why the circuit breaker has cordoned it
	// Failures is how many attempts in a row have failed by the node's own fault.
	Failures int          `json:"consecutive_failures,omitempty"`
	Running  []AttemptRef `json:"running,omitempty"`
	Legacy   bool         `json:"legacy,omitempty"` // registered by a v2.2 agent
}

// BreakerFailures is how many attempts in a row must fail by a node's own fault until it is cordoned for
// BreakerCordon.
const (
	BreakerFailures = 5
	BreakerCordon   = 10 * time.Minute
)

// MaxDrainDeadline bounds the deadline of a drain.
const MaxDrainDeadline = 30 * 24 * time.Hour

// Drain is the body of POST /nodes/{id}/drain. It may be empty.
type Drain struct {
	// Deadline is a Go duration, at most MaxDrainDeadline: what still runs then is requeued and uses up no retry.
	Deadline string `json:"deadline,omitempty"`
}

// Parse returns the deadline, 0 for none.
func (d Drain) Parse() (time.Duration, error) {
	if d.Deadline == "" {
		return 0, nil
	}
	after, err := time.ParseDuration(d.Deadline)
	if err != nil || after <= 0 || after > MaxDrainDeadline {
		return 0, FieldErrorf("deadline", "must be a duration of more than 0 and at most %s, such as 10m, not %q",
			MaxDrainDeadline, d.Deadline)
	}
	return after, nil
}

// AttemptRef identifies an attempt.
type AttemptRef struct {
	JobID   string `json:"job_id"`
	Attempt int    `json:"attempt"`
}

// Free returns how many more attempts a node that runs held attempts may claim. A v2.2 node has
// no limit: the result is the largest int.
func (n *Node) Free(held int) int {
	if n.Legacy {
		return math.MaxInt
	}
	return max(0, n.MaxConcurrentJobs-held)
}

// MaxConcurrentJobs is the largest number of attempts that a node may run at a time.
const MaxConcurrentJobs = 1024

// Registration is the body of POST /nodes/register. A v2.2 agent sends no NodeID; its node is
// identified by its address.
type Registration struct {
	NodeID string `json:"node_id,omitempty"`
	Machine
}

// Registered is the response to a registration: the node, the API URLs of all masters, and the
// cluster's id, by which an agent detects that it talks to another cluster. Agents of the former clusters, whose
// state this one has taken over, belong to this one.
type Registered struct {
	Node
	LeaseTTLSeconds float64  `json:"lease_ttl_seconds"`
	Masters         []string `json:"masters"`
	ClusterID       string   `json:"cluster_id"`
	FormerClusters  []string `json:"former_cluster_ids,omitempty"`
}

// Validate checks a registration and fills in defaults.
func (r *Registration) Validate() error {
	if r.NodeID != "" && !IsID(r.NodeID) {
		return checkID("node_id", r.NodeID)
	}
	if r.Address == "" {
		return FieldErrorf("address", "is required")
	}
	if r.Name == "" {
		r.Name = r.Address
	}
	if r.Type == "" {
		r.Type = "server"
	}
	if err := r.checkTexts(); err != nil {
		return err
	}
	if err := checkHardware("cpu_threads", r.CPUThreads, "ram_total_bytes", r.RAMTotalBytes); err != nil {
		return err
	}
	if r.NodeID != "" && r.MaxConcurrentJobs == 0 {
		r.MaxConcurrentJobs = 1
	}
	if err := checkRange("max_concurrent_jobs", r.MaxConcurrentJobs, 0, MaxConcurrentJobs); err != nil {
		return err
	}
	if err := validateLabels("labels", r.Labels); err != nil {
		return err
	}
	return r.CheckMediaRoots()
}

// Limits of the media roots that a node declares.
const (
	maxMediaRoots    = 256
	maxMediaRootPath = 4096
)

// CheckMediaRoots checks and cleans the media roots.
func (r *Registration) CheckMediaRoots() error {
	if len(r.MediaRoots) > maxMediaRoots {
		return FieldErrorf("media_roots", "has more than %d entries", maxMediaRoots)
	}
	roots := slices.Clone(r.MediaRoots)
	for i, root := range roots {
		field := "media_roots[" + strconv.Itoa(i) + "]"
		if err := checkText(field, root, maxMediaRootPath); err != nil {
			return err
		}
		if !path.IsAbs(root) {
			return FieldErrorf(field, "must be an absolute path, not %q", root)
		}
		roots[i] = path.Clean(root)
	}
	r.MediaRoots = roots
	return nil
}

func (r *Registration) checkTexts() error {
	const limit = 255
	for _, text := range []struct{ field, value string }{
		{"address", r.Address},
		{"name", r.Name},
		{"type", r.Type},
		{"cpu_model", r.CPUModel},
		{"gpu_type", r.GPUType},
		{"version", r.Version},
	} {
		if err := checkText(text.field, text.value, limit); err != nil {
			return err
		}
	}
	for _, list := range []struct {
		field   string
		entries []string
		limit   int
	}{{"encoders", r.Encoders, 256}, {"gpu_capabilities", r.GPUCapabilities, 64}} {
		if len(list.entries) > list.limit {
			return FieldErrorf(list.field, "has more than %d entries", list.limit)
		}
		for i, s := range list.entries {
			if err := checkText(list.field+"["+strconv.Itoa(i)+"]", s, limit); err != nil {
				return err
			}
		}
	}
	return nil
}

// NodeList is the response of GET /nodes.
type NodeList struct {
	Nodes []Node `json:"nodes"`
	Count int    `json:"count"`
}
