package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// Below --disk-reserve new jobs are refused and results are still accepted.
func TestDisk_NearlyFull(t *testing.T) {
	dir := t.TempDir()
	var m *single
	restart := func(args ...string) {
		t.Helper()
		if m != nil {
			if err := m.cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			m.status(t)
		}
		m = launchMaster(t, dir, append(args, "--tls=false")...)
	}
	restart("--disk-reserve=0")
	const node = "01985f3a-0000-7000-8000-00000000000a"
	m.call(t, "POST", m.url+"/nodes/register",
		`{"node_id":"`+node+`","address":"a","max_concurrent_jobs":2,"encoders":["libx264"]}`).
		want(t, 201)
	m.call(t, "POST", m.url+"/jobs", `{"scenario":"720p-h264"}`).want(t, 201)
	var claimed ffrtmp.ClaimResponse
	m.call(t, "POST", m.url+"/jobs/claim", `{"node_id":"`+node+`","max":1}`).want(t, 200).decode(t, &claimed)
	if len(claimed.Jobs) != 1 {
		t.Fatal("got no claimed job, want one")
	}

	restart("--disk-reserve=1EiB")
	testkit.Eventually(t, "new jobs are refused", func() bool {
		r := m.call(t, "POST", m.url+"/jobs", `{"scenario":"720p-h264"}`)
		return r.status == 507 && strings.Contains(string(r.body), `"insufficient_storage"`)
	})
	if ready := m.call(t, "GET", m.url+"/health/ready", "").want(t, 200); !strings.Contains(
		string(ready.body),
		"disk is nearly full",
	) {
		t.Errorf("got readiness %s, want a warning", ready.body)
	}
	j := claimed.Jobs[0]
	for _, status := range []string{"publishing", "completed"} {
		result := fmt.Sprintf(`{"job_id":%q,"node_id":%q,"attempt":%d,"lease":%q,"status":%q}`,
			j.ID, node, j.Attempt, j.Lease, status)
		m.call(t, "POST", m.url+"/results", result).
			want(t, 200)
	}

	restart()
	m.call(t, "POST", m.url+"/jobs", `{"scenario":"720p-h264"}`).want(t, 201)
}
