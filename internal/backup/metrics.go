package backup

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are those of backups. A master knows of the backups that it has written, or found when it began to lead.
type Metrics struct {
	success, size, interval prometheus.Gauge
	failures                prometheus.Counter
}

// NewMetrics registers the metrics.
func NewMetrics(r prometheus.Registerer) *Metrics {
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "ffmpeg_master_backup_" + name, Help: help})
		r.MustRegister(g)
		return g
	}
	m := &Metrics{
		success: gauge("last_success_timestamp_seconds",
			"Time of the newest scheduled backup that this master knows, 0 if it knows none."),
		size:     gauge("last_size_bytes", "Size of that backup."),
		interval: gauge("interval_seconds", "How often the leader writes a backup (--backup-interval)."),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ffmpeg_master_backup_failures_total", Help: "Scheduled backups that failed on this master.",
		}),
	}
	r.MustRegister(m.failures)
	return m
}

func (m *Metrics) written(at time.Time, size int64) {
	m.success.Set(float64(at.Unix()))
	m.size.Set(float64(size))
}
