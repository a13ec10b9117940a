package ffrtmp

import (
	"strconv"
	"time"
)

// NodeStatus is what a node is doing.
type NodeStatus string

// Node states. A busy node holds at least one attempt; an offline one has let its
// heartbeats lapse.
const (
	NodeAvailable NodeStatus = "available"
	NodeBusy      NodeStatus = "busy"
	NodeOffline   NodeStatus = "offline"
)

// Eligibility says whether a node is given new attempts.
type Eligibility string

// A cordoned node keeps what it runs and is given nothing new; a draining one is
// cordoned and reports drained once it holds nothing.
const (
	Eligible Eligibility = "eligible"
	Cordoned Eligibility = "cordoned"
	Draining Eligibility = "draining"
)

// Node is a machine that runs an agent.
type Node struct {
	ID                string            `json:"id"`
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
	Status            NodeStatus        `json:"status"`
	LastHeartbeat     time.Time         `json:"last_heartbeat"`
	RegisteredAt      time.Time         `json:"registered_at"`
	CurrentJobID      string            `json:"current_job_id,omitempty"` // v2.2's clients show one; the oldest of Running
	MaxConcurrentJobs int               `json:"max_concurrent_jobs,omitempty"`
	Encoders          []string          `json:"encoders,omitempty"`
	Eligibility       Eligibility       `json:"eligibility"`
	Version           string            `json:"version,omitempty"`
	Running           []AttemptRef      `json:"running,omitempty"`
	Legacy            bool              `json:"legacy,omitempty"` // registered by a v2.2 agent
}

// AttemptRef names an attempt.
type AttemptRef struct {
	JobID   string `json:"job_id"`
	Attempt int    `json:"attempt"`
}

// Free returns how many more attempts the node may hold when it holds held.
// A v2.2 node declares no limit and has none.
func (n *Node) Free(held int) int {
	if n.Legacy {
		return int(^uint(0) >> 1)
	}
	return max(0, n.MaxConcurrentJobs-held)
}

// Registration is the body of POST /nodes/register. v2.2's agents send no NodeID:
// they are known by their address.
type Registration struct {
	NodeID            string            `json:"node_id,omitempty"`
	Name              string            `json:"name,omitempty"`
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
	Version           string            `json:"version,omitempty"`
}

// Registered is the answer to a registration: the node, and what an agent needs
// to find every master and to notice that it talks to another cluster.
type Registered struct {
	Node
	LeaseTTLSeconds float64  `json:"lease_ttl_seconds"`
	Masters         []string `json:"masters"`
	ClusterID       string   `json:"cluster_id"`
}

// Validate checks a registration and fills in what may be left out.
func (r *Registration) Validate() error {
	if r.NodeID != "" && !IsID(r.NodeID) {
		return FieldErrorf("node_id", "must be a UUID")
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
	if r.CPUThreads < 0 || r.CPUThreads > 1<<16 {
		return FieldErrorf("cpu_threads", "must be between 0 and 65536")
	}
	if r.RAMTotalBytes < 0 {
		return FieldErrorf("ram_total_bytes", "must not be negative")
	}
	if r.MaxConcurrentJobs < 0 || r.MaxConcurrentJobs > 1024 {
		return FieldErrorf("max_concurrent_jobs", "must be between 1 and 1024")
	}
	if r.NodeID != "" && r.MaxConcurrentJobs == 0 {
		r.MaxConcurrentJobs = 1
	}
	return validateLabels("labels", r.Labels)
}

func (r *Registration) checkTexts() error {
	const limit = 255
	for _, text := range []struct{ field, value string }{
		{"address", r.Address}, {"name", r.Name}, {"type", r.Type}, {"cpu_model", r.CPUModel}, {"gpu_type", r.GPUType}, {"version", r.Version},
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

// NodeList is the answer to GET /nodes.
type NodeList struct {
	Nodes []Node `json:"nodes"`
	Count int    `json:"count"`
}
