//go:build chaos

package e2e

import (
	"bytes"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// stallDisk makes each sync of a process take 20 s, as on a disk that hangs. The returned function ends it.
func stallDisk(t *testing.T, pid int) (end func()) {
	t.Helper()
	out := t.TempDir() + "/strace"
	cmd := exec.Command("strace", "-f", "-o", out, "-p", strconv.Itoa(pid), "-e", "trace=fdatasync,fsync",
		"-e", "inject=fdatasync,fsync:delay_enter=20000000")
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	end = func() {
		once.Do(func() {
			_ = cmd.Process.Signal(os.Interrupt) // detaches
			_ = cmd.Wait()
		})
	}
	t.Cleanup(end)
	attached := func() bool {
		tracer, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
		return err == nil && !strings.Contains(string(tracer), "TracerPid:\t0\n")
	}
	for began := time.Now(); !attached(); {
		if time.Since(began) > patience {
			t.Fatalf("strace is not attached: %s", &said)
		}
	}
	return end
}

// The leader's disk hangs for 20 s: every request that is in flight ends within 6 s, those that may be repeated
// succeed, and nothing is lost.
func TestChaos_StalledLeader(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	stalled := s.Master(s.leader())
	w := s.write(4, "stall")
	w.more(50)
	wire := s.wire()
	end := stallDisk(t, stalled.PID())
	began := time.Now()
	var all sync.WaitGroup
	var mu sync.Mutex
	codes := map[string]int{}
	for i := range 60 {
		all.Go(func() {
			m := s.Master(i % 3)
			time.Sleep(time.Duration(i) * 50 * time.Millisecond) // before the stall is noticed, and while it is
			var headers []string
			if i%2 == 0 {
				headers = []string{"Idempotency-Key", "stalled-" + strconv.Itoa(i)}
			}
			r, err := wire.send(t.Context(), "POST", m.URL()+"/jobs", `{"scenario":"360p"}`, headers...)
			result := strconv.Itoa(r.status)
			if err != nil {
				result = err.Error()
			} else if r.status >= 400 {
				result += " " + string(r.body)
			}
			mu.Lock()
			defer mu.Unlock()
			codes[result]++
			if r.took > 6*time.Second {
				t.Errorf("request %d to %s: got %s after %s, want at most 6 s", i, m.Name(), result, r.took)
			}
			if m != stalled && i%2 == 0 && r.status != 201 {
				t.Errorf("request %d to %s may be repeated: got %s, want 201", i, m.Name(), result)
			}
			if err != nil || r.status >= 400 && r.status != 503 && r.status != 504 {
				t.Errorf("request %d to %s: got %s", i, m.Name(), result)
			}
		})
	}
	all.Wait()
	gap := w.gap(began)
	t.Logf("answers: %v; write gap %s", codes, gap)
	if gap > 8*time.Second {
		t.Errorf("got a write gap of %s, want at most 8 s", gap)
	}
	end()
	s.must(stalled.WaitReady(s.soon()))
	s.voters(3)
	w.verify()
	for _, m := range s.Masters() {
		log, err := os.ReadFile(m.LogPath())
		s.must(err)
		if strings.Contains(string(log), "bad record") {
			t.Errorf("%s: got a broken TLS record", m.Name())
		}
	}
	s.submit(ffrtmp.Spec{Scenario: "360p"})
}

// A frozen follower slows nobody down: GET /cluster and heartbeats take as long as before, but for the first one.
func TestChaos_FrozenFollower(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	w, leader := s.wire(), s.Master(s.leader())
	const node = "01985f3a-0000-7000-8000-00000000000a"
	w.call(t, "POST", leader.URL()+"/nodes/register",
		`{"node_id":"`+node+`","address":"a","max_concurrent_jobs":2,"encoders":["libx264"]}`).want(t, 201)
	frozen := s.Master(s.follower())
	s.must(frozen.Signal(syscall.SIGSTOP))
	for w.call(t, "GET", leader.URL()+"/cluster", "").took < 400*time.Millisecond {
		// A connection that is still open may have to be found dead first.
		if m, _ := s.member(frozen.URL()); !m.Healthy {
			break
		}
	}
	var took []time.Duration
	for range 30 {
		took = append(took, w.call(t, "GET", leader.URL()+"/cluster", "").want(t, 200).took,
			w.call(t, "POST", leader.URL()+"/nodes/"+node+"/heartbeat", `{}`).want(t, 200).took)
	}
	slices.Sort(took)
	t.Logf("median %s, longest %s", took[len(took)/2], took[len(took)-1])
	if median := took[len(took)/2]; median > 100*time.Millisecond {
		t.Errorf("got a median of %s, want at most 100 ms", median)
	}
	s.must(frozen.Signal(syscall.SIGCONT))
	s.voters(3)
}
