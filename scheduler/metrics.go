package scheduler

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	stale prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		stale: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ffmpeg_master_stale_results_total", Help: "Results refused because their attempt was no longer the job's current one.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.stale)
	}
	return m
}
