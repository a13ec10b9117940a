package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ffrtmp/ffrtmp/internal/limits"
)

const metricPrefix = "ffmpeg_master_"

// maxScrapes bounds concurrent scrapes: the port needs no key.
const maxScrapes = 8

// metrics are the API's own. Those of jobs and nodes are in package fsm, those of consensus
// in package cluster.
type metrics struct {
	requests     *prometheus.CounterVec
	seconds      *prometheus.HistogramVec
	forwarded    prometheus.Counter
	authFailures prometheus.Counter
}

func newMetrics(s *Server, reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: metricPrefix + "http_requests_total", Help: "Requests answered, by route pattern, method and status.",
		}, []string{"route", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: metricPrefix + "http_request_seconds", Help: "Time to answer a request, long polls included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}, []string{"route"}),
		forwarded: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricPrefix + "forwarded_requests_total", Help: "Requests forwarded to the leader.",
		}),
		authFailures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: metricPrefix + "auth_failures_total", Help: "Requests without a valid API key.",
		}),
	}
	if reg != nil {
		uptime := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: metricPrefix + "uptime_seconds", Help: "Time since this master was started.",
		}, func() float64 { return time.Since(s.started).Seconds() })
		reg.MustRegister(uptime, m.requests, m.seconds, m.forwarded, m.authFailures)
	}
	return m
}

// connections registers the number of connections.
func (m *metrics) connections(reg prometheus.Registerer, c *limits.Connections) {
	if reg == nil {
		return
	}
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: metricPrefix + "http_connections", Help: "Connections to the API port.",
		}, func() float64 { return float64(c.Open()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: metricPrefix + "http_connections_closed_total",
			Help: "Connections closed because there were too many.",
		}, func() float64 { return float64(c.Closed()) }),
	)
}

// request counts an answered request. The labels are bounded: routes and methods are those
// of the endpoints.
func (m *metrics) request(r *http.Request, status int, took time.Duration) {
	method, route, ok := strings.Cut(r.Pattern, " ")
	if !ok {
		method, route = "other", "other"
	}
	m.requests.WithLabelValues(route, method, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

// MetricsHandler answers on the metrics port: /metrics, what of it is the cluster's, where
// to scrape that, and /health as on the API port. It needs no key.
func (s *Server) MetricsHandler() http.Handler {
	mux := http.NewServeMux()
	options := promhttp.HandlerOpts{Timeout: answerTimeout, MaxRequestsInFlight: maxScrapes}
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Gatherer, options))
	mux.Handle("GET /metrics/cluster", s.ifLeading(promhttp.HandlerFor(s.clusterMetrics(), options)))
	mux.HandleFunc("GET /metrics/targets", s.metricsTargets)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, s.healthOf("healthy"))
	})
	return mux
}
