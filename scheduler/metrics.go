package scheduler

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	expired prometheus.Counter
	stale   prometheus.Counter
	waited  prometheus.Histogram
	ran     prometheus.Histogram
}

func newMetrics(reg prometheus.Registerer) metrics {
	m := metrics{
		expired: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ffmpeg_master_leases_expired_total", Help: "Leases that this master, as leader, has seen run out.",
		}),
		stale: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ffmpeg_master_stale_results_total", Help: "Results refused because their attempt was no longer the job's current one.",
		}),
		waited: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ffmpeg_master_job_wait_seconds", Help: "Time from a job's submission to the start of its first attempt.",
			Buckets: prometheus.ExponentialBuckets(0.01, 4, 10),
		}),
		ran: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "ffmpeg_master_job_run_seconds", Help: "Time from an attempt's start to its result.",
			Buckets: prometheus.ExponentialBuckets(0.1, 4, 10),
		}),
	}
	if reg != nil {
		reg.MustRegister(m.expired, m.stale, m.waited, m.ran)
	}
	return m
}
