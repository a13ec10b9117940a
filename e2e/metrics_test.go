package e2e

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// metricsOf returns the series of a master or agent by name and labels, and the text.
func (s *site) metricsOf(url string) (map[string]string, string) {
	s.t.Helper()
	// Without a key, like Prometheus.
	resp, err := http.Get(url + "/metrics")
	s.must(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	s.must(err)
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s/metrics: %d %s", url, resp.StatusCode, body)
	}
	series := map[string]string{}
	for line := range strings.Lines(string(body)) {
		if at := strings.LastIndexByte(line, ' '); at > 0 && !strings.HasPrefix(line, "#") {
			series[line[:at]] = strings.TrimSpace(line[at:])
		}
	}
	return series, string(body)
}

// masterSeries are the documented series of a clustered master; of a histogram, the count.
var masterSeries = []string{
	"ffmpeg_master_uptime_seconds", "ffmpeg_master_nodes_total",
	`ffmpeg_master_nodes_by_status{status="available"}`, `ffmpeg_master_nodes_by_status{status="busy"}`,
	`ffmpeg_master_nodes_by_status{status="offline"}`,
	"ffmpeg_master_jobs_total",
	`ffmpeg_master_jobs_by_status{status="pending"}`, `ffmpeg_master_jobs_by_status{status="running"}`,
	`ffmpeg_master_jobs_by_status{status="paused"}`,
	`ffmpeg_master_jobs_by_status{status="completed"}`, `ffmpeg_master_jobs_by_status{status="failed"}`,
	`ffmpeg_master_jobs_by_status{status="canceled"}`,
	"ffmpeg_master_job_retries_total",
	"ffmpeg_master_cluster_cpu_threads", "ffmpeg_master_cluster_ram_bytes", "ffmpeg_master_cluster_gpu_nodes",
	"ffmpeg_master_raft_is_leader", "ffmpeg_master_raft_term", "ffmpeg_master_raft_commit_index",
	"ffmpeg_master_raft_applied_index",
	"ffmpeg_master_raft_last_contact_seconds", "ffmpeg_master_raft_peers", "ffmpeg_master_raft_leader_changes_total",
	"ffmpeg_master_raft_heartbeat_timeout_seconds",
	"ffmpeg_master_raft_apply_seconds_count", "ffmpeg_master_fsm_apply_seconds_count",
	"ffmpeg_master_forwarded_requests_total",
	`ffmpeg_master_http_requests_total{code="200",method="GET",route="/health/ready"}`,
	`ffmpeg_master_http_request_seconds_count{route="/health/ready"}`,
	"ffmpeg_master_job_wait_seconds_count", "ffmpeg_master_job_run_seconds_count", "ffmpeg_master_stale_results_total",
	"ffmpeg_master_leases_expired_total", "ffmpeg_master_db_size_bytes", "ffmpeg_master_snapshot_age_seconds",
	`ffmpeg_master_certificate_expiry_seconds{cert="api"}`, `ffmpeg_master_certificate_expiry_seconds{cert="peer"}`,
	"ffmpeg_master_auth_failures_total",
	"go_goroutines", "go_memstats_alloc_bytes", "process_cpu_seconds_total", "process_open_fds",
	"process_resident_memory_bytes",
}

// agentSeries are the documented series of an agent during an encode, without a GPU.
var agentSeries = []string{
	"ffmpeg_agent_jobs_running",
	`ffmpeg_agent_jobs_finished_total{result="completed"}`, `ffmpeg_agent_jobs_finished_total{result="failed"}`,
	`ffmpeg_agent_jobs_finished_total{result="canceled"}`,
	"ffmpeg_agent_encode_fps", "ffmpeg_agent_encode_speed", "ffmpeg_agent_cpu_seconds_total",
	"ffmpeg_agent_memory_available_bytes",
	"ffmpeg_agent_master_failovers_total", "ffmpeg_agent_unsent_results", "ffmpeg_agent_heartbeat_seconds_count",
	"go_goroutines", "process_cpu_seconds_total",
}

// kept are promtool's remarks about v2.2's names.
var kept = []string{
	`ffmpeg_master_nodes_total non-counter metrics should not have "_total" suffix`,
}

// All documented metrics are served and v2.2's queries work: one job done, one failed, one running.
func TestMetrics_Documented(t *testing.T) {
	s := start(
		t,
		devcluster.Options{
			Masters:    3,
			Agents:     2,
			MasterArgs: func(int) []string { return []string{"--retry-base", "50ms", "--retry-cap", "50ms"} },
		},
	)
	s.voters(3)
	one := startPrometheus(t, scrape{"ffmpeg-master", []string{s.Master(s.follower()).MetricsURL()}})
	var masters, agents []string
	for _, m := range s.Masters() {
		masters = append(masters, m.MetricsURL())
	}
	for _, a := range s.Agents() {
		agents = append(agents, a.MetricsURL())
	}
	all := startPrometheus(t, scrape{"ffmpeg-master", masters}, scrape{"ffmpeg-agent", agents})
	shipped := startShipped(t, masters, agents)
	one.want("ffmpeg_master_jobs_total", is(0))
	shipped.want("ffmpeg_master_jobs_total", is(0))
	all.want("max(ffmpeg_master_jobs_total)", is(0))

	once := 1
	done := s.submit(pattern("360p-h264", map[string]any{"duration": 1, "output_mode": "null"}))
	failed := s.submit(
		ffrtmp.Spec{Scenario: "360p", MaxRetries: &once, Parameters: object(map[string]any{"input": "missing.mov"})},
	)
	s.finished(done.ID)
	s.finished(failed.ID)
	long := s.submit(newSource(t).encode("out.mp4", nil))
	busy := s.agentOf(s.encoding(long.ID, 1))

	t.Run("names", func(t *testing.T) {
		check := func(url string, want []string) {
			series, _ := s.metricsOf(url)
			missing := slices.DeleteFunc(
				slices.Clone(want),
				func(name string) bool { _, ok := series[name]; return ok },
			)
			if len(missing) > 0 {
				t.Errorf("%s: missing metrics %q", url, missing)
			}
		}
		for _, url := range masters {
			check(url, masterSeries)
		}
		check(busy.MetricsURL(), agentSeries)
	})
	t.Run("cluster metrics", func(t *testing.T) {
		for _, url := range masters {
			s.eventually("the cluster's metrics at "+url, func() bool {
				got, _ := s.metricsOf(url)
				return holds(got, map[string]string{
					"ffmpeg_master_nodes_total": "2", `ffmpeg_master_nodes_by_status{status="busy"}`: "1",
					`ffmpeg_master_nodes_by_status{status="available"}`: "1",
					"ffmpeg_master_jobs_total":                          "3",
					`ffmpeg_master_jobs_by_status{status="completed"}`:  "1",
					`ffmpeg_master_jobs_by_status{status="failed"}`:     "1",
					`ffmpeg_master_jobs_by_status{status="running"}`:    "1",
					"ffmpeg_master_job_retries_total":                   "1", "ffmpeg_master_raft_peers": "3",
					"ffmpeg_master_job_wait_seconds_count": "3",
				})
			})
		}
	})
	t.Run("promtool", func(t *testing.T) {
		for _, url := range append(masters, agents...) {
			_, text := s.metricsOf(url)
			promtool := exec.Command("promtool", "check", "metrics")
			promtool.Stdin = strings.NewReader(text)
			out, _ := promtool.CombinedOutput() // exits with 3 after a remark
			for line := range strings.Lines(string(out)) {
				if !slices.Contains(kept, strings.TrimSpace(line)) {
					t.Errorf("%s: %s", url, line)
				}
			}
		}
	})
	t.Run("cardinality", func(t *testing.T) {
		w, m := s.wire(), s.Master(0)
		series := func() int { all, _ := s.metricsOf(m.MetricsURL()); return len(all) }
		ask := func(i int) {
			w.call(t, "GET", m.URL()+fmt.Sprintf("/jobs/%d", 1000+i), "").want(t, 404)
			w.call(t, "GET", m.URL()+fmt.Sprintf("/nothing/%d", i), "").want(t, 404)
			w.call(t, fmt.Sprintf("METHOD%d", i), m.URL()+"/jobs", "")
			anybody := &wire{http: w.http}
			anybody.call(t, "GET", m.URL()+fmt.Sprintf("/jobs/%d?key=%d", i, i), "").want(t, 401)
		}
		ask(0)
		before := series()
		for i := range 20 {
			ask(i + 1)
		}
		if after := series(); after > before+5 { // for concurrent requests
			t.Errorf("80 requests: got %d series, want about %d", after, before)
		}
	})
	t.Run("health", func(t *testing.T) {
		for _, url := range append(masters, agents...) {
			(&wire{http: http.DefaultClient}).call(t, "GET", url+"/health", "").want(t, 200)
		}
	})
	seeds := func(p *prometheus) {
		p.want(`rate(ffmpeg_master_jobs_by_status{status="completed"}[5m])`, positive)
		p.want(`rate(ffmpeg_master_job_retries_total[5m])`, positive)
		p.want(`sum(ffmpeg_master_nodes_by_status{status="available"})`, is(1))
		p.want(`sum(ffmpeg_master_nodes_by_status{status="busy"}) / sum(ffmpeg_master_nodes_total)`, is(0.5))
	}
	t.Run("seeds' queries over one master", func(*testing.T) { seeds(one) })
	t.Run("seeds' queries over all masters with the shipped configuration", func(*testing.T) { seeds(shipped) })
	t.Run("v2.2's names", func(*testing.T) {
		shipped.want(`ffrtmp_jobs_total{state="processing"}`, is(1))
		shipped.want("ffrtmp_queue_length", is(0))
		shipped.want(`ffrtmp_nodes_by_status{status="available"}`, is(1))
		shipped.want(`jobs_failed_total{job="ffmpeg-master"}`, is(1))
	})
	t.Run("queries over all masters", func(t *testing.T) {
		all.want("sum(up)", is(5))
		all.want(`max(rate(ffmpeg_master_jobs_by_status{status="completed"}[5m]))`, positive)
		all.want(`max(ffmpeg_master_nodes_by_status{status="available"})`, is(1))
		all.want(`sum(ffmpeg_master_nodes_by_status{status="busy"}) / sum(ffmpeg_master_nodes_total)`, is(0.5))
		all.want("sum(ffmpeg_master_raft_is_leader)", is(1))
		all.want("sum(ffmpeg_agent_jobs_running)", is(1))
		all.want(`sum(ffmpeg_agent_encode_fps)`, positive)
		all.want(
			`histogram_quantile(0.9, sum by (le) (rate(ffmpeg_master_http_request_seconds_bucket{route="/jobs"}[5m])))`,
			positive,
		)
	})
	t.Run("the next leader", func(*testing.T) { s.followsLeader(shipped) })
}

// followsLeader checks that the series of the cluster continue on the next leader: one of each, and no counter begins
// anew.
func (s *site) followsLeader(p *prometheus) {
	s.t.Helper()
	s.Master(s.leader()).Kill()
	s.submit(pattern("360p-h264", map[string]any{"duration": 1, "output_mode": "null"}))
	p.want("ffmpeg_master_jobs_total", is(4))
	p.want(`increase(ffmpeg_master_jobs_total[5m])`, func(got float64) bool { return got > 3 && got < 6 })
}

// holds reports whether got contains want.
func holds(got, want map[string]string) bool {
	common := maps.Clone(got)
	maps.DeleteFunc(common, func(name, _ string) bool { _, ok := want[name]; return !ok })
	return maps.Equal(common, want)
}
