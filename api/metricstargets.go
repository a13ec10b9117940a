package api

import (
	"net"
	"net/http"
	"net/url"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// leaderParam makes /metrics/cluster answer on the leader only.
const leaderParam = "leader"

// clusterMetrics gathers the metrics of the cluster, without those of this master.
func (s *Server) clusterMetrics() prometheus.Gatherer {
	names := fsm.ClusterMetrics()
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		all, err := s.cfg.Gatherer.Gather()
		var kept []*dto.MetricFamily
		for _, family := range all {
			if names[family.GetName()] {
				kept = append(kept, family)
			}
		}
		return kept, err
	})
}

// ifLeading refuses requests with ?leader=true unless this master leads. The targets carry it, so that a Prometheus
// that has not learned of a new leader yet does not count two masters, or a counter that goes back.
func (s *Server) ifLeading(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get(leaderParam) == "true" && (!s.cfg.Cluster.IsLeader() || !s.cfg.Leader.Leading()) {
			writeError(w, ffrtmp.Errorf(ffrtmp.NoLeader, "this master does not lead"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// targetGroup is a list of targets in Prometheus' HTTP service discovery.
type targetGroup struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// metricsTargets names the leader's /metrics/cluster for Prometheus' HTTP service discovery; nothing without a leader.
// The instance is the cluster's name: its series continue on the next leader.
func (s *Server) metricsTargets(w http.ResponseWriter, _ *http.Request) {
	groups := []targetGroup{}
	leader, _ := s.cfg.Cluster.Leader()
	if u, err := url.Parse(leader.APIURL); err == nil && u.Hostname() != "" && leader.MetricsPort != 0 {
		groups = append(groups, targetGroup{
			Targets: []string{net.JoinHostPort(u.Hostname(), strconv.Itoa(leader.MetricsPort))},
			Labels: map[string]string{
				"__metrics_path__": "/metrics/cluster", "__param_" + leaderParam: "true", "instance": s.cfg.Name,
			},
		})
	}
	writeJSON(w, http.StatusOK, groups)
}
