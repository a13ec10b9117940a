package fsm

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp"
)

// metrics are the cluster's metrics, from this master's own state.
type metrics struct {
	registerer prometheus.Registerer
	apply      prometheus.Histogram
	waited     prometheus.Histogram
	ran        prometheus.Histogram
	checked    prometheus.Histogram
	stale      prometheus.Counter
	collector  *collector
}

// histogram returns a histogram with count buckets, the first up to start, each factor times the one before.
func histogram(name, help string, start, factor float64, count int) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "ffmpeg_master_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(start, factor, count),
	})
}

func newMetrics(r prometheus.Registerer, f *FSM) metrics {
	m := metrics{
		registerer: r,
		apply:      histogram("fsm_apply_seconds", "Time to apply a batch of Raft entries.", 0.0001, 2.5, 12),
		waited:     histogram("job_wait_seconds", "Time from submission to the first attempt.", 0.01, 4, 10),
		ran:        histogram("job_run_seconds", "Run time of completed, failed or timed out attempts.", 0.1, 4, 10),
		checked:    histogram("state_check_seconds", "Time to sum the rows of a check of the state.", 0.001, 3, 10),
		stale: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "ffmpeg_master_stale_results_total",
			Help: "Results rejected because their attempt was no longer current.",
		}),
		collector: &collector{f},
	}
	if r != nil {
		r.MustRegister(m.all()...)
	}
	return m
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.apply, m.waited, m.ran, m.checked, m.stale, m.collector}
}

// observe records a duration by the commands' own times (ns since 1970), which are the
// same on every master.
func observe(h prometheus.Histogram, from, to int64) { h.Observe(time.Duration(to - from).Seconds()) }

func (m *metrics) unregister() {
	if m.registerer != nil {
		for _, c := range m.all() {
			m.registerer.Unregister(c)
		}
	}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("ffmpeg_master_"+name, help, labels, nil)
}

var (
	descJobs     = desc("jobs_total", "Jobs ever submitted.")
	descByStatus = desc("jobs_by_status", "Jobs by status; terminal ones are cumulative.", "status")
	descRetries  = desc("job_retries_total", "Retries ever started.")
	descExpired  = desc("leases_expired_total",
		"Attempts ever lost: their leases ran out, or their nodes restarted or were removed.")
	descNodes      = desc("nodes_total", "Registered nodes.")
	descNodeStatus = desc("nodes_by_status", "Registered nodes by status.", "status")
	descThreads    = desc("cluster_cpu_threads", "CPU threads of all nodes that are not offline.")
	descRAM        = desc("cluster_ram_bytes", "Memory of all nodes that are not offline.")
	descGPUs       = desc("cluster_gpu_nodes", "Nodes with a GPU that are not offline.")
	descSize       = desc("db_size_bytes", "Size of the state's database, its write-ahead log included.")
)

// ClusterMetrics names the metrics that come from the replicated state alone: they are the same on every master that
// has caught up, and continue on the next leader.
func ClusterMetrics() map[string]bool {
	names := map[string]bool{}
	for _, name := range []string{
		"jobs_total", "jobs_by_status", "job_retries_total", "leases_expired_total", "nodes_total", "nodes_by_status",
		"cluster_cpu_threads", "cluster_ram_bytes", "cluster_gpu_nodes",
	} {
		names["ffmpeg_master_"+name] = true
	}
	return names
}

// collector reads the counts on each scrape.
type collector struct{ f *FSM }

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descJobs, descByStatus, descRetries, descExpired, descNodes, descNodeStatus,
		descThreads, descRAM, descGPUs, descSize,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	counts := c.f.Counts()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	send(descJobs, prometheus.CounterValue, float64(counts.Submitted))
	for _, status := range ffrtmp.Statuses {
		send(descByStatus, prometheus.GaugeValue, float64(counts.Jobs[status]), string(status))
	}
	send(descRetries, prometheus.CounterValue, float64(counts.Retries))
	send(descExpired, prometheus.CounterValue, float64(counts.Losses))
	total := 0
	for _, status := range []ffrtmp.NodeStatus{ffrtmp.NodeAvailable, ffrtmp.NodeBusy, ffrtmp.NodeOffline} {
		total += counts.Nodes[status]
		send(descNodeStatus, prometheus.GaugeValue, float64(counts.Nodes[status]), string(status))
	}
	send(descNodes, prometheus.GaugeValue, float64(total))
	send(descThreads, prometheus.GaugeValue, float64(counts.CPUThreads))
	send(descRAM, prometheus.GaugeValue, float64(counts.RAMBytes))
	send(descGPUs, prometheus.GaugeValue, float64(counts.GPUNodes))
	if size, err := databaseSize(c.f.Path()); err == nil {
		send(descSize, prometheus.GaugeValue, float64(size))
	}
}

// databaseSize adds up the files of a database, which path may be a link to.
func databaseSize(path string) (size int64, err error) {
	path, err = filepath.EvalSymlinks(path)
	if err != nil {
		return 0, err
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		switch info, err := os.Stat(name); {
		case err == nil:
			size += info.Size()
		case name == path || !errors.Is(err, fs.ErrNotExist):
			return 0, err
		}
	}
	return size, nil
}
