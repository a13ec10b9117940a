package api

import (
	"errors"
	"net/http"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

func (s *Server) healthOf(status string) ffrtmp.Health {
	leader, _ := s.cfg.Cluster.Leader()
	return ffrtmp.Health{
		Status: status, Role: s.cfg.Cluster.Role(), NodeID: s.cfg.Cluster.ID(), Name: s.cfg.Cluster.Name(),
		Leader: leader.ID, Version: s.cfg.Version,
	}
}

// health answers whenever the process is alive.
func (s *Server) health(*call) (*answer, error) {
	return &answer{body: s.healthOf("healthy")}, nil
}

// healthReady reports whether this master can serve, and warns of what will prevent it.
func (s *Server) healthReady(*call) (*answer, error) {
	var warnings []string
	err := errors.Join(s.cfg.Cluster.Ready(), s.cfg.State.Out())
	if s.cfg.Certificates != nil {
		var expired error
		warnings, expired = s.cfg.Certificates.Health()
		err = errors.Join(err, expired)
	}
	status, h := http.StatusOK, s.healthOf("ready")
	if err != nil {
		why := append(reasons(err), s.cfg.Cluster.Misfits()...)
		status, h = http.StatusServiceUnavailable, s.notReady("unready", why...)
	} else {
		warnings = append(warnings, s.cfg.Cluster.Misfits()...)
	}
	if s.cfg.Cluster.DiskLow() {
		warnings = append(warnings, "the disk is nearly full")
	}
	h.Warnings = warnings
	return &answer{status: status, body: h}, nil
}

// reasons lists the errors that are joined in err.
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
		return &answer{body: s.healthOf("leader")}, nil
	case known:
		return &answer{
			status: http.StatusTooManyRequests,
			body:   s.notReady("follower", "this master does not lead"),
		}, nil
	}
	return &answer{
		status: http.StatusServiceUnavailable,
		body:   s.notReady("no leader", "the cluster has no leader"),
	}, nil
}

// notReady is the body of a negative health answer. It is also a valid error body.
func (s *Server) notReady(status string, reasons ...string) ffrtmp.Health {
	h := s.healthOf(status)
	h.Reasons, h.Code, h.Error = reasons, ffrtmp.NoLeader, shorten(strings.Join(reasons, "; "))
	return h
}
