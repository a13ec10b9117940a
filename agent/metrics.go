package agent

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ffrtmp/ffrtmp"
)

// metrics are the agent's Prometheus metrics.
type metrics struct {
	registry   *prometheus.Registry
	jobs       *prometheus.CounterVec
	failovers  prometheus.Counter
	heartbeats prometheus.Histogram
}

func newMetrics(a *Agent) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "ffmpeg_agent_jobs_finished_total", Help: "Attempts that ended on this node, by result.",
		}, []string{"result"}),
		failovers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ffmpeg_agent_master_failovers_total", Help: "Changes of leader seen by this agent.",
		}),
		heartbeats: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "ffmpeg_agent_heartbeat_seconds",
			Help:    "Time until a heartbeat was answered; masters hold heartbeats until a command is due.",
			Buckets: []float64{0.01, 0.1, 0.5, 1, 2, 5, 10, 15, 30, 60},
		}),
	}
	for _, r := range []ffrtmp.ResultStatus{ffrtmp.ResultCompleted, ffrtmp.ResultFailed, ffrtmp.ResultCanceled} {
		m.jobs.WithLabelValues(string(r))
	}
	m.registry.MustRegister(
		m.jobs, m.failovers, m.heartbeats, &gauges{agent: a}, a.cfg.Identities.Collector("ffmpeg_agent_"),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

func (m *metrics) finished(r ffrtmp.ResultStatus) { m.jobs.WithLabelValues(string(r)).Inc() }
func (m *metrics) heartbeat(d time.Duration)      { m.heartbeats.Observe(d.Seconds()) }

// Handler serves /metrics, /health and /ready.
func (a *Agent) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		writeStatus(w, http.StatusOK, ffrtmp.Health{
			Status: "healthy", Role: "agent", NodeID: a.NodeID(),
			Leader: a.client.Leader(), Version: a.cfg.Version,
		})
	})
	mux.HandleFunc("GET /ready", func(w http.ResponseWriter, _ *http.Request) {
		h := ffrtmp.Health{
			Status: "ready", Role: "agent", NodeID: a.NodeID(), Leader: a.client.Leader(),
			Version: a.cfg.Version,
		}
		status := http.StatusOK
		warnings, expired := a.cfg.Identities.Health()
		h.Warnings = warnings
		for _, err := range []error{a.Ready(), expired} {
			if err != nil {
				h.Status, status = "not ready", http.StatusServiceUnavailable
				h.Reasons = append(h.Reasons, err.Error())
			}
		}
		writeStatus(w, status, h)
	})
	return mux
}

func writeStatus(w http.ResponseWriter, status int, h ffrtmp.Health) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error means that the client has gone.
	_ = json.NewEncoder(w).Encode(h)
}
