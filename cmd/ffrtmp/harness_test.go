package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
)

var update = flag.Bool("update", false, "write the golden files")

// result is the outcome of a command line.
type result struct {
	code     int
	out, err string
}

// invoke runs a command line with env as its whole environment.
func invoke(t *testing.T, env []string, stdin string, args ...string) result {
	t.Helper()
	return invokePatiently(t, 2*time.Second, env, stdin, args...)
}

// invokePatiently is invoke with another time for which a request is retried.
func invokePatiently(t *testing.T, patience time.Duration, env []string, stdin string, args ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	var out, errOut bytes.Buffer
	c := newCommand(strings.NewReader(stdin), &out, &errOut, env)
	c.patience = patience
	c.surveyTime = time.Minute // a busy machine may take longer than two seconds
	return result{c.run(ctx, args), out.String(), errOut.String()}
}

// request is a request that a master received.
type request struct {
	method, path, query string
	key, idempotency    string
	body                string
}

// fakeMaster is a master's API over TLS with fixed answers.
type fakeMaster struct {
	server *httptest.Server
	ca     string // file

	mu       sync.Mutex
	requests []request
	answers  map[string]http.HandlerFunc // by "METHOD /path"
}

func newFakeMaster(t *testing.T) *fakeMaster {
	t.Helper()
	m := &fakeMaster{answers: map[string]http.HandlerFunc{}}
	m.server = httptest.NewTLSServer(http.HandlerFunc(m.serve))
	t.Cleanup(m.server.Close)
	m.ca = filepath.Join(t.TempDir(), "ca.crt")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: m.server.Certificate().Raw})
	if err := os.WriteFile(m.ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *fakeMaster) serve(w http.ResponseWriter, r *http.Request) {
	var body bytes.Buffer
	_, _ = body.ReadFrom(r.Body)
	m.mu.Lock()
	m.requests = append(m.requests, request{
		r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Authorization"), r.Header.Get("Idempotency-Key"),
		body.String(),
	})
	answer := m.answers[r.Method+" "+r.URL.Path]
	m.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if answer == nil {
		refuse(w, http.StatusNotFound, ffrtmp.NotFound, "no such thing: "+r.URL.Path)
		return
	}
	answer(w, r)
}

func refuse(w http.ResponseWriter, status int, code ffrtmp.Code, message string) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": message, "code": code, "status": status})
}

// answer makes the master answer a route with a document.
func (m *fakeMaster) answer(route string, status int, document any) {
	m.handle(route, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(document)
	})
}

func (m *fakeMaster) handle(route string, h http.HandlerFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[route] = h
}

// seen returns the requests to a route.
func (m *fakeMaster) seen(route string) []request {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []request
	for _, r := range m.requests {
		if r.method+" "+r.path == route {
			list = append(list, r)
		}
	}
	return list
}

// hidePort replaces the master's URL, of five digits, in a golden text.
func (m *fakeMaster) hidePort(text string) string {
	return strings.ReplaceAll(text, m.server.URL, "https://127.0.0.1:54321")
}

func (m *fakeMaster) env() []string {
	return []string{"MASTER_URL=" + m.server.URL, "FFRTMP_CA=" + m.ca, "MASTER_API_KEY=secret"}
}

// run invokes a command against the master.
func (m *fakeMaster) run(t *testing.T, args ...string) result {
	t.Helper()
	return invoke(t, m.env(), "", args...)
}

var timeForm = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// golden compares got with testdata/name, except for points in time.
func golden(t *testing.T, name, got string) {
	t.Helper()
	got = timeForm.ReplaceAllString(got, "2026-01-02T03:04:05Z")
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got, -update writes it):\n%s", file, diff)
	}
}

func mustContain(t *testing.T, where, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%s: got\n%s\nwant it to contain %q", where, text, part)
		}
	}
}

// ago is a time of whole seconds. Ages of an hour or more, half a minute past the
// full one, read the same for a while.
func ago(d time.Duration) time.Time {
	return time.Now().Add(-d).Truncate(time.Second).UTC()
}

const (
	jobID  = "0198a000-0000-7000-8000-00000000000c"
	nodeID = "0198b000-0000-7000-8000-000000000001"
)

// sampleJob is a running job with everything set that tables show.
func sampleJob() ffrtmp.Job {
	return ffrtmp.Job{
		ID:             jobID,
		SequenceNumber: 12,
		Scenario:       "1080p30-h264",
		Confidence:     "auto",
		Engine:         "auto",
		Parameters:     json.RawMessage(`{"bitrate":"10M","duration":60}`),
		Status:         ffrtmp.Running,
		Queue:          ffrtmp.Default,
		Priority:       ffrtmp.High,
		Progress:       52,
		NodeID:         nodeID,
		NodeName:       "agent-1",
		CreatedAt:      ago(3*time.Hour + 30*time.Second),
		StartedAt:      ago(90*time.Minute + 30*time.Second),
		LastActivityAt: ago(time.Second),
		RetryCount:     1,
		MaxRetries:     3,
		RetryReason:    "exit status 1",
		Attempt:        2,
		Attempts: []ffrtmp.Attempt{
			{
				Attempt: 1, NodeID: nodeID, Outcome: ffrtmp.AttemptFailed,
				StartedAt: ago(2*time.Hour + 30*time.Second), EndedAt: ago(2 * time.Hour), Error: "exit status 1",
				FailureReason: ffrtmp.RuntimeError,
			},
			{
				Attempt: 2, NodeID: nodeID, Outcome: ffrtmp.AttemptRunning,
				StartedAt: ago(90*time.Minute + 30*time.Second),
			},
		},
		Labels:   map[string]string{"team": "video", "batch": "nightly"},
		Requires: &ffrtmp.Requires{Encoder: "libx264"},
		ProgressDetail: &ffrtmp.Progress{
			Phase: "encoding", Frame: 900, FPS: 143.2,
			Speed: 4.77, OutTimeSeconds: 31.2, ETASeconds: 6.1,
		},
	}
}

func sampleJobs() []ffrtmp.Job {
	waiting := ffrtmp.Job{
		ID: "0198a000-0000-7000-8000-00000000000d", SequenceNumber: 13,
		Scenario: "live-4K60-h265", Status: ffrtmp.Pending, Queue: ffrtmp.Live,
		Priority: ffrtmp.Medium, CreatedAt: ago(time.Hour + 30*time.Second), MaxRetries: 3,
	}
	failed := ffrtmp.Job{
		ID: "0198a000-0000-7000-8000-000000000009", SequenceNumber: 9,
		Scenario: "720p30-vp9", Status: ffrtmp.Failed, Queue: ffrtmp.Batch, Priority: ffrtmp.Low,
		CreatedAt: ago(50*time.Hour + time.Minute), RetryCount: 3, MaxRetries: 3,
		FailureReason: ffrtmp.InputError, NodeName: "encoder-west-2", Error: "no such file",
	}
	running := sampleJob()
	running.Attempts = nil
	return []ffrtmp.Job{waiting, running, failed}
}

func sampleNode() ffrtmp.Node {
	return ffrtmp.Node{
		ID:            nodeID,
		Status:        ffrtmp.NodeBusy,
		LastHeartbeat: ago(2*time.Hour + 30*time.Second),
		RegisteredAt:  ago(49*time.Hour + time.Minute),
		Eligibility:   ffrtmp.Eligible,
		Running:       []ffrtmp.AttemptRef{{JobID: jobID, Attempt: 2}},
		Machine: ffrtmp.Machine{
			Name:              "agent-1",
			Address:           "10.0.0.7:9091",
			Type:              "server",
			CPUThreads:        16,
			CPUModel:          "Xeon E5-2680",
			HasGPU:            true,
			GPUType:           "NVIDIA A10",
			RAMTotalBytes:     64 << 30,
			Labels:            map[string]string{"zone": "b"},
			MaxConcurrentJobs: 2,
			Encoders:          []string{"libx264", "h264_nvenc"},
			Version:           "3.0.0",
		},
	}
}

func sampleCluster() ffrtmp.ClusterStatus {
	member := func(n int, role string, state ffrtmp.MemberState, contact int64, healthy bool) ffrtmp.Member {
		return ffrtmp.Member{
			ID:            fmt.Sprintf("0198c000-0000-7000-8000-00000000000%d", n),
			Name:          fmt.Sprintf("m%d", n),
			Address:       fmt.Sprintf("10.0.0.%d:8300", n),
			APIURL:        fmt.Sprintf("https://127.0.0.1:%d", n), // refused
			Role:          role,
			State:         state,
			Since:         time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
			Voter:         role != "nonvoter",
			Healthy:       healthy,
			LastContactMS: contact,
			AppliedIndex:  4711,
			Version:       "3.0.0",
			CommandLevel:  1,
		}
	}
	return ffrtmp.ClusterStatus{
		ClusterID:    "0198d000-0000-7000-8000-000000000001",
		CommandLevel: 1,
		Backups: &ffrtmp.Backups{
			Interval: ffrtmp.Duration(24 * time.Hour), LastBytes: 4096,
			LastSuccess: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Next: time.Date(2026, 1, 3, 3, 4, 5, 0, time.UTC),
		},
		Name:         "default",
		Leader:       "0198c000-0000-7000-8000-000000000001",
		LeaderName:   "m1",
		LeaderURL:    "https://127.0.0.1:1",
		Term:         3,
		CommitIndex:  4711,
		AppliedIndex: 4711,
		Members: []ffrtmp.Member{
			member(1, "leader", "leader", 0, true), member(2, "follower", "follower", 12, true),
			member(3, "follower", "dead", -1, false),
		},
	}
}
