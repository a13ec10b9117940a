package agent

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/internal/mastertest"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// Only one agent at a time may use a state directory.
func TestState_Locked(t *testing.T) {
	s := newSite(t, newMasters(t))
	a := s.agent()
	if _, err := New(s.config()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second agent: got %v, want the directory in use", err)
	}
	if err := a.state.close(); err != nil {
		t.Fatal(err)
	}
	b := s.agent()
	defer b.state.close()
	if a.NodeID() != b.NodeID() {
		t.Errorf("got node %s, want %s", b.NodeID(), a.NodeID())
	}
	info, err := os.Stat(filepath.Join(s.state, "identity"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("identity: got %v (%v), want mode 0600", info.Mode(), err)
	}
}

// An agent never registers with another cluster than its first one.
func TestRegister_OtherCluster(t *testing.T) {
	f, s := newMastersAndSite(t)
	a, stop := s.start()
	testkit.Eventually(t, "the agent is ready", func() bool { return a.Ready() == nil })
	stop()
	f.SetMaster(mastertest.Start(t, nil))
	b := s.agent()
	if err := b.Run(t.Context()); !errors.Is(err, errOtherCluster) {
		t.Errorf("Run: got %v, want %v", err, errOtherCluster)
	}
}

// An agent continues with a cluster that has taken over the state of its own, and no longer with its own.
func TestState_Succession(t *testing.T) {
	s, err := openState(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, step := range []struct {
		id     string
		former []string
		other  bool
	}{
		{"old", nil, false},
		{"new", []string{"another"}, true},
		{"new", []string{"another", "old"}, false},
		{"new", nil, false},
		{"old", nil, true},
	} {
		if err := s.pin(step.id, step.former, nil); errors.Is(err, errOtherCluster) != step.other {
			t.Errorf("%s after %q: got %v, want refused %v", step.id, step.former, err, step.other)
		}
	}
}

// A node that was removed registers again with its next heartbeat.
func TestRegister_AfterRemoval(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	a, _ := s.start()
	testkit.Eventually(t, "the agent is ready", func() bool { return a.Ready() == nil })
	f.must(f.client.RemoveNode(t.Context(), a.NodeID(), true))
	testkit.Eventually(t, "the node registers again", f.holds(func() bool { return f.registrations == 2 }))
	f.complete()
}

// An agent declares its media roots.
func TestRegister_MediaRoots(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	a, _ := s.start()
	testkit.Eventually(t, "the agent is ready", func() bool { return a.Ready() == nil })
	n, err := f.client.Node(t.Context(), a.NodeID())
	if err != nil || !slices.Equal(n.MediaRoots, a.roots.Paths()) || len(n.MediaRoots) == 0 {
		t.Errorf("got media roots %v, %v, want %v", n.MediaRoots, err, a.roots.Paths())
	}
}

// A media root that cannot be declared does not stop the agent.
func TestRegistration_UndeclaredRoots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "two\nlines")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	roots, err := media.OpenRoots([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	a := &Agent{log: hclog.NewNullLogger(), state: &state{}, roots: roots}
	if r := a.registration(); r.MediaRoots != nil {
		t.Errorf("got media roots %q, want none", r.MediaRoots)
	}
}

// The agent remembers masters it has learned of.
func TestMasters_KeptOverRestart(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	second := f.AddAddress()
	s := newSite(t, f)
	a, stop := s.start()
	testkit.Eventually(t, "the second address is known", func() bool {
		return slices.Contains(a.client.Masters(), second)
	})
	stop()
	s.masters = []string{"https://127.0.0.1:1"} // nobody listens there
	s.start()
	f.complete()
}

// The next claim returns an attempt whose first answer was lost.
func TestClaim_LostAnswer(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	f.loseClaim.Store(2)
	s := newSite(t, f)
	s.start()
	id := f.complete()
	s.checkCompletedOnce(f, id)
}

// An agent that cannot record an attempt claims nothing.
func TestClaim_DiskFull(t *testing.T) {
	t.Parallel()
	_, s := newMastersAndSite(t)
	a := s.agent()
	// Nothing can be written there while a directory with something in it has the name.
	if err := os.MkdirAll(filepath.Join(s.state, "space", "taken"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.run(a)
	testkit.Eventually(t, "the agent is not ready because of its disk", func() bool {
		err := a.Ready()
		return err != nil && strings.Contains(err.Error(), "state directory")
	})
}

// A new leader has no live log yet, so the agent resends the tail.
func TestHeartbeat_NewLeader(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	f.AddAddress()
	s := newSite(t, f)
	s.start()
	id := f.submit(slow, long)
	logged := func() bool {
		return slices.ContainsFunc(f.beats, func(b ffrtmp.Heartbeat) bool {
			return len(b.Attempts) == 1 && strings.Contains(b.Attempts[0].LogTail, "Output #0")
		})
	}
	testkit.Eventually(t, "the log is reported", f.holds(logged))
	f.awaitEncoding(id)
	f.mu.Lock()
	f.beats = nil
	f.mu.Unlock()
	f.SetLeader(1)
	testkit.Eventually(t, "the log is reported again", f.holds(logged))
}

func TestMetrics_Names(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	f.SetDown(true)
	s := newSite(t, f)
	a, _ := s.start()
	get := func(path string) (int, string) {
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		body, _ := io.ReadAll(w.Result().Body)
		return w.Code, string(body)
	}
	if status, body := get("/ready"); status != 503 || !strings.Contains(body, "not registered") {
		t.Errorf("ready without masters: got %d %s, want 503", status, body)
	}
	if status, body := get("/health"); status != 200 || !strings.Contains(body, a.NodeID()) {
		t.Errorf("health: got %d %s, want 200 and the node's id", status, body)
	}
	f.SetDown(false)
	testkit.Eventually(t, "the agent is ready", func() bool { status, _ := get("/ready"); return status == 200 })
	id := f.encode()
	_, body := get("/metrics")
	for _, want := range []string{
		"ffmpeg_agent_jobs_running 1", `ffmpeg_agent_jobs_finished_total{result="completed"} 0`,
		"ffmpeg_agent_encode_fps ", "ffmpeg_agent_encode_speed ",
		"ffmpeg_agent_cpu_seconds_total ", "ffmpeg_agent_memory_available_bytes ",
		"ffmpeg_agent_master_failovers_total 0", "ffmpeg_agent_unsent_results 0",
		"ffmpeg_agent_heartbeat_seconds_count",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("got no metric %s, want it", want)
		}
	}
	f.cancel(id)
	testkit.Eventually(t, "the canceled attempt is counted", func() bool {
		_, body := get("/metrics")
		return strings.Contains(body, `ffmpeg_agent_jobs_finished_total{result="canceled"} 1`) &&
			strings.Contains(body, "ffmpeg_agent_jobs_running 0")
	})
}

func TestMetrics_GPU(t *testing.T) {
	dir := t.TempDir()
	if err := writeScript(filepath.Join(dir, "nvidia-smi"), "#!/bin/sh\necho 50\necho 7\n"); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir)
	if got, want := gpuUtilization(), []float64{0.5, 0.07}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
