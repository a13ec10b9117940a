package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp/cluster"
)

// scrape asks the metrics port.
func (m *master) scrape(path string) *httptest.ResponseRecorder {
	r := httptest.NewRecorder()
	m.api.MetricsHandler().ServeHTTP(r, httptest.NewRequest(http.MethodGet, path, nil))
	return r
}

// /metrics/cluster has the cluster's figures and none of this master; /metrics has both.
func TestMetrics_Cluster(t *testing.T) {
	m := newMaster(t)
	all, own := m.scrape("/metrics"), m.scrape("/metrics/cluster")
	names := func(r *httptest.ResponseRecorder) (list []string) {
		for line := range strings.Lines(r.Body.String()) {
			if name, ok := strings.CutPrefix(line, "# TYPE ffmpeg_master_"); ok {
				list = append(list, strings.Fields(name)[0])
			}
		}
		return list
	}
	want := []string{
		"cluster_cpu_threads", "cluster_gpu_nodes", "cluster_ram_bytes", "job_retries_total", "jobs_by_status",
		"jobs_total", "leases_expired_total", "nodes_by_status", "nodes_total",
	}
	if diff := cmp.Diff(want, names(own)); diff != "" || own.Code != http.StatusOK {
		t.Errorf("cluster metrics, status %d (-want +got):\n%s", own.Code, diff)
	}
	for _, name := range append(want, "uptime_seconds", "db_size_bytes") {
		if !strings.Contains(all.Body.String(), "# TYPE ffmpeg_master_"+name+" ") {
			t.Errorf("/metrics: got no %s", name)
		}
	}
}

// The targets name the leader only; with their parameter no other master answers.
func TestMetrics_Targets(t *testing.T) {
	m := newMaster(t)
	for name, tt := range map[string]struct {
		leader *cluster.Leader
		want   string
		status int // of the cluster's metrics with the targets' parameter
	}{
		"itself": {
			leader: &cluster.Leader{ID: "m1", APIURL: "https://m1.example:8080", MetricsPort: 9090},
			want: `[{"targets":["m1.example:9090"],"labels":{"__metrics_path__":"/metrics/cluster",` +
				`"__param_leader":"true","instance":"default"}}]`,
			status: http.StatusOK,
		},
		"another": {
			leader: &cluster.Leader{ID: "m2", APIURL: "https://[fd00::2]:8080", MetricsPort: 9191},
			want: `[{"targets":["[fd00::2]:9191"],"labels":{"__metrics_path__":"/metrics/cluster",` +
				`"__param_leader":"true","instance":"default"}}]`,
			status: http.StatusServiceUnavailable,
		},
		"without metrics": {
			leader: &cluster.Leader{ID: "m2", APIURL: "https://m2:8080"}, want: `[]`,
			status: http.StatusServiceUnavailable,
		},
		"no leader": {want: `[]`, status: http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			m.cluster.setLeader(tt.leader)
			if tt.status == http.StatusOK {
				eventually(t, "the master leads", m.leader.Leading)
			}
			targets := m.scrape("/metrics/targets")
			var got, want any
			if err := json.Unmarshal(targets.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" || targets.Header().Get("Content-Type") != "application/json" {
				t.Errorf("got type %q (-want +got):\n%s", targets.Header().Get("Content-Type"), diff)
			}
			if got := m.scrape("/metrics/cluster?leader=true"); got.Code != tt.status {
				t.Errorf("/metrics/cluster?leader=true: got status %d, want %d", got.Code, tt.status)
			}
			if got := m.scrape("/metrics/cluster"); got.Code != http.StatusOK {
				t.Errorf("/metrics/cluster: got status %d, want 200", got.Code)
			}
		})
	}
}
