package api

import (
	"net/http"
	"strings"

	"ffrtmp/job"
)

// role is this master's part in the cluster.
func (s *Server) role() string {
	if s.cfg.Cluster.IsLeader() {
		return "leader"
	}
	for _, m := range s.cfg.Cluster.Members() {
		if m.ID == s.cfg.Cluster.ID() && m.Role != "leader" {
			return m.Role
		}
	}
	return "follower"
}

func (s *Server) state(status string) job.Health {
	leader, _ := s.cfg.Cluster.Leader()
	return job.Health{Status: status, Role: s.role(), NodeID: s.cfg.Cluster.ID(), Leader: leader.ID, Version: s.cfg.Version}
}

// health says that the process lives, and no more.
func (s *Server) health(*call) (*answer, error) {
	return &answer{body: s.state("healthy")}, nil
}

// healthReady says whether this master can serve.
func (s *Server) healthReady(*call) (*answer, error) {
	if err := s.cfg.Cluster.Ready(); err != nil {
		return s.unfit(http.StatusServiceUnavailable, "unready", reasons(err)...), nil
	}
	return &answer{body: s.state("ready")}, nil
}

// reasons lists what is joined in err.
func reasons(err error) []string {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []string{err.Error()}
	}
	var list []string
	for _, e := range joined.Unwrap() {
		list = append(list, reasons(e)...)
	}
	return list
}

// healthLeader lets a load balancer find the leader.
func (s *Server) healthLeader(*call) (*answer, error) {
	_, known := s.cfg.Cluster.Leader()
	switch {
	case s.cfg.Cluster.IsLeader():
		return &answer{body: s.state("leader")}, nil
	case known:
		return s.unfit(http.StatusTooManyRequests, "follower", "this master does not lead"), nil
	}
	return s.unfit(http.StatusServiceUnavailable, "no leader", "the cluster has no leader"), nil
}

// unfit is the answer of a master that is not what was asked for. It can be read as
// an error, too.
func (s *Server) unfit(httpStatus int, status string, reasons ...string) *answer {
	h := s.state(status)
	h.Reasons, h.Code, h.Error = reasons, job.NoLeader, shorten(strings.Join(reasons, "; "))
	return &answer{status: httpStatus, body: h}
}
