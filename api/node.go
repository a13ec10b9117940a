package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/jsonbody"
	"github.com/ffrtmp/ffrtmp/leader"
)

// register registers a node, or updates one.
func (s *Server) register(c *call, r *ffrtmp.Registration) (*answer, error) {
	index, done, err := s.cfg.Proposer.Register(c.Context(), c.idempotency, *r)
	if err != nil {
		return nil, err
	}
	s.cfg.Leader.NodeChanged(done.Node.ID)
	n, err := s.cfg.State.Node(done.Node.ID)
	if err != nil {
		return nil, err
	}
	a := &answer{status: http.StatusOK, index: index}
	if done.New {
		a.status, a.location = http.StatusCreated, "/nodes/"+n.ID
	}
	ttl := s.cfg.LeaseTTL
	if n.Legacy {
		ttl = max(ttl, leader.LegacyTTL)
	}
	a.body = ffrtmp.Registered{
		Node: s.nodeView(n), LeaseTTLSeconds: ttl.Seconds(),
		Masters: s.cfg.Cluster.APIURLs(), ClusterID: s.cfg.Cluster.ClusterID(),
		FormerClusters: s.cfg.State.Predecessors(),
	}
	return a, nil
}

// nodeView returns a node with the live state that only the leader has.
func (s *Server) nodeView(n ffrtmp.Node) ffrtmp.Node {
	if seen, ok := s.cfg.Leader.LastSeen(n.ID); ok && seen.After(n.LastHeartbeat) {
		n.LastHeartbeat = seen
	}
	return n
}

// heartbeat renews leases and returns commands. A v2.2 agent sends an empty body. An idempotency
// key has no effect, because a heartbeat is idempotent: renewals, progress and log positions are
// absolute, and commands are repeated until the node reports the wanted state.
func (s *Server) heartbeat(c *call) (*answer, error) {
	var h *ffrtmp.Heartbeat
	if len(c.body) > 0 {
		h = &ffrtmp.Heartbeat{}
		if err := jsonbody.Decode(c.body, h); err != nil {
			return nil, err
		}
		if err := validateHeartbeat(h); err != nil {
			return nil, err
		}
	}
	ctx, cancel := s.untilStopping(c)
	defer cancel()
	commands, timing, err := s.cfg.Leader.Heartbeat(ctx, c.PathValue("id"), h)
	if err != nil {
		return nil, err
	}
	if commands == nil {
		commands = []ffrtmp.Command{}
	}
	return &answer{body: ffrtmp.HeartbeatResponse{
		Commands: commands, Masters: s.cfg.Cluster.APIURLs(), ClusterID: s.cfg.Cluster.ClusterID(),
		LeaseTTLSeconds: timing.LeaseTTL.Seconds(), ReportSeconds: timing.Report.Seconds(),
		FormerClusters: s.cfg.State.Predecessors(),
	}}, nil
}

// maxReports bounds the attempts in one heartbeat.
const maxReports = 1024

func validateHeartbeat(h *ffrtmp.Heartbeat) error {
	if len(h.Attempts) > maxReports {
		return ffrtmp.FieldErrorf("attempts", "has more than %d entries", maxReports)
	}
	for i := range h.Attempts {
		r := &h.Attempts[i]
		at := func(field string) string { return "attempts[" + strconv.Itoa(i) + "]." + field }
		switch {
		case r.JobID == "":
			return ffrtmp.FieldErrorf(at("job_id"), "is required")
		case r.Attempt < 1:
			return ffrtmp.FieldErrorf(at("attempt"), "must be 1 or more")
		case r.LogOffset != nil && *r.LogOffset < 0:
			return ffrtmp.FieldErrorf(at("log_offset"), "must not be negative")
		}
		if err := errors.Join(ffrtmp.ValidateProgress(at("progress"), r.Progress),
			r.Detail.Validate(at("progress_detail"))); err != nil {
			return err
		}
	}
	return checkDuration("wait", time.Duration(h.Wait), maxWait)
}

func (s *Server) listNodes(*call) (*answer, error) {
	nodes := s.cfg.State.Nodes()
	list := ffrtmp.NodeList{Nodes: make([]ffrtmp.Node, len(nodes)), Count: len(nodes)}
	for i, n := range nodes {
		list.Nodes[i] = s.nodeView(n)
	}
	return &answer{body: list}, nil
}

func (s *Server) getNode(c *call) (*answer, error) {
	n, err := s.node(c)
	if err != nil {
		return nil, err
	}
	return &answer{body: s.nodeView(n)}, nil
}

// node returns the node that the path names.
func (s *Server) node(c *call) (ffrtmp.Node, error) { return s.cfg.State.Node(c.PathValue("id")) }

// removed is the answer to DELETE /nodes/{id}.
type removed struct {
	Status string `json:"status"`
	NodeID string `json:"node_id"`
}

// removeNode removes a node. Removing a busy node needs force: its attempts are then lost, and it
// cannot reclaim them.
func (s *Server) removeNode(c *call, _ *nothing) (*answer, error) {
	force, err := queryBool(c.URL.Query(), "force")
	if err != nil {
		return nil, err
	}
	n, err := s.node(c)
	if err != nil {
		return nil, err
	}
	index, _, err := s.cfg.Proposer.RemoveNode(c.Context(), n.ID, force)
	if err != nil {
		return nil, err
	}
	s.cfg.Leader.NodeChanged(n.ID)
	return &answer{index: index, body: removed{"removed", n.ID}}, nil
}

// setEligibility returns the function that decides whether a node gets new attempts.
func (s *Server) setEligibility(e ffrtmp.Eligibility) func(*call, *nothing) (*answer, error) {
	return func(c *call, _ *nothing) (*answer, error) { return s.place(c, e, 0) }
}

// drainRequest is the body of a drain, which may be empty.
type drainRequest ffrtmp.Drain

func (*drainRequest) optional() {}

func (s *Server) drainNode(c *call, d *drainRequest) (*answer, error) {
	after, err := ffrtmp.Drain(*d).Parse()
	if err != nil {
		return nil, err
	}
	return s.place(c, ffrtmp.Draining, after)
}

func (s *Server) place(c *call, e ffrtmp.Eligibility, after time.Duration) (*answer, error) {
	n, err := s.node(c)
	if err != nil {
		return nil, err
	}
	index, _, err := s.cfg.Proposer.SetEligibility(c.Context(), c.idempotency, n.ID, e, after)
	if err != nil {
		return nil, err
	}
	if n, err = s.node(c); err != nil {
		return nil, err
	}
	return &answer{index: index, body: s.nodeView(n)}, nil
}
