package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"github.com/ffrtmp/ffrtmp"
)

// player answers with one state of a job after another.
type player struct {
	mu     sync.Mutex
	states []ffrtmp.Job
	leader []string
	asked  int
}

func (p *player) serve(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := min(p.asked, len(p.states)-1)
	p.asked++
	if p.states[i].ID == "" {
		refuse(w, http.StatusServiceUnavailable, ffrtmp.NoLeader, "no leader")
		return
	}
	w.Header().Set("X-Ffrtmp-Leader", p.leader[i])
	_ = json.NewEncoder(w).Encode(p.states[i])
}

// lifeOf plays a job that waits, runs over a change of leaders, and ends as last.
func lifeOf(m *fakeMaster, end ffrtmp.Job) *player {
	pending := ffrtmp.Job{
		ID: jobID, SequenceNumber: 12, Scenario: "1080p30-h264",
		Status: ffrtmp.Pending, CreatedAt: ago(time.Hour),
	}
	running := sampleJob()
	later := running
	later.Progress = 80
	m.answer("GET /jobs/"+jobID+"/explain", http.StatusOK, ffrtmp.Explanation{Summary: "all nodes are busy", Ahead: 2})
	m.answer("GET /jobs/12/explain", http.StatusOK, ffrtmp.Explanation{Summary: "all nodes are busy", Ahead: 2})
	// The second leader's URL differs, and still leads to this server.
	self, other := m.server.URL, strings.Replace(m.server.URL, "127.0.0.1", "localhost", 1)
	p := &player{
		states: []ffrtmp.Job{pending, pending, running, {}, later, end},
		leader: []string{self, self, self, "", other, other},
	}
	m.handle("GET /jobs/12", p.serve)
	m.handle("GET /jobs/"+jobID, p.serve)
	return p
}

func completed() ffrtmp.Job {
	j := sampleJob()
	j.Status, j.Progress, j.ProgressDetail = ffrtmp.Completed, 100, nil
	j.CompletedAt = j.StartedAt.Add(24 * time.Second)
	j.Output = &ffrtmp.Output{Path: "out.mp4", SizeBytes: 12 << 20}
	return j
}

func failed() ffrtmp.Job {
	j := sampleJob()
	j.Status, j.Error, j.FailureReason, j.Attempt = ffrtmp.Failed, "ffmpeg ended with exit status 1",
		ffrtmp.RuntimeError, 4
	for i := range 30 {
		j.Logs += fmt.Sprintf("log line %d\n", i)
	}
	return j
}

// lenient is the environment for a server whose certificate does not name localhost.
func (m *fakeMaster) lenient() []string { return append(m.env(), "FFRTMP_INSECURE_SKIP_VERIFY=true") }

// Without a terminal, a watch prints a line for each change.
func TestWatch_Lines(t *testing.T) {
	m := newFakeMaster(t)
	lifeOf(m, completed())
	r := invoke(t, m.lenient(), "", "jobs", "watch", "12")
	if r.code != exitDone || r.err != "" {
		t.Fatalf("got exit code %d, %q, want %d and no errors", r.code, r.err, exitDone)
	}
	mustContain(t, "the output", r.out,
		"Job 12 pending: all nodes are busy: 2 ahead\n",
		"Job 12 running on agent-1: 52%, 0:06 left, 143 fps, 4.8x\n",
		"leader changed: https://localhost:",
		"Job 12 running on agent-1: 80%",
		"Job 12 completed on agent-1 in 24s: out.mp4 (12 MiB)\n")
	if strings.ContainsAny(r.out, "\x1b\r█") {
		t.Errorf("got terminal control characters in %q, want plain lines", r.out)
	}
}

// The watch of a failed job fails, and prints the tail of its log.
func TestWatch_Failure(t *testing.T) {
	for name, end := range map[string]ffrtmp.Job{
		"failed":   failed(),
		"canceled": func() ffrtmp.Job { j := completed(); j.Status = ffrtmp.Canceled; return j }(),
	} {
		t.Run(name, func(t *testing.T) {
			m := newFakeMaster(t)
			lifeOf(m, end)
			r := invoke(t, m.lenient(), "", "jobs", "status", "12", "--follow")
			if r.code != exitFailed {
				t.Errorf("got exit code %d, want %d", r.code, exitFailed)
			}
			want := []string{"ffrtmp: job 12 was canceled"}
			if name == "failed" {
				want = []string{
					"ffrtmp: job 12 failed after 4 attempts: ffmpeg ended with exit status 1", "log line 29",
					"log line 10\n",
				}
				if strings.Contains(r.err, "log line 9\n") {
					t.Errorf("got %q, want only the tail of the log", r.err)
				}
			}
			mustContain(t, "the error", r.err, want...)
		})
	}
}

// With JSON, a watch prints only the finished job.
func TestWatch_JSON(t *testing.T) {
	m := newFakeMaster(t)
	lifeOf(m, completed())
	m.answer("POST /jobs", http.StatusCreated, ffrtmp.Job{ID: jobID, SequenceNumber: 12, Status: ffrtmp.Pending})
	r := invoke(t, m.lenient(), "", "jobs", "submit", "--scenario", "720p", "--watch", "-o", "json")
	var j ffrtmp.Job
	if err := json.Unmarshal([]byte(r.out), &j); err != nil || j.Status != ffrtmp.Completed || r.code != exitDone {
		t.Errorf("got code %d, %q, %q (%v), want %d and a completed job", r.code, r.out, r.err, err, exitDone)
	}
}

var escapes = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)

// On a terminal, a watch redraws one line that never wraps.
func TestWatch_Terminal(t *testing.T) {
	m := newFakeMaster(t)
	lifeOf(m, completed())
	drawn := runInTerminal(t, 60, m.lenient(), "jobs", "watch", "12")
	mustContain(t, "the screen", drawn, "\r\x1b[KJob 12  ", "█", "leader changed", "Job 12 completed")
	for line := range strings.SplitSeq(drawn, "\n") {
		for part := range strings.SplitSeq(line, "\r") {
			text := escapes.ReplaceAllString(part, "")
			if strings.HasPrefix(text, "Job 12  ") && utf8.RuneCountInString(text) >= 60 {
				t.Errorf("got a line of %d columns, want fewer than 60: %q", utf8.RuneCountInString(text), text)
			}
		}
	}
}

// Colours are for terminals only, and can be switched off.
func TestColours(t *testing.T) {
	m := newFakeMaster(t)
	m.answer("GET /jobs", http.StatusOK, ffrtmp.List{Jobs: sampleJobs(), Count: 3})
	for _, c := range []struct {
		name string
		env  []string
		want bool
	}{{"terminal", nil, true}, {"NO_COLOR", []string{"NO_COLOR=1"}, false}} {
		t.Run(c.name, func(t *testing.T) {
			shown := runInTerminal(t, 200, append(m.env(), c.env...), "jobs", "list")
			if strings.Contains(shown, "\x1b[") != c.want {
				t.Errorf("got %q, want colours: %v", shown, c.want)
			}
		})
	}
}

// runInTerminal runs a command in a terminal with so many columns and returns what it has drawn.
func runInTerminal(t *testing.T, columns uint16, env []string, args ...string) string {
	t.Helper()
	keyboard, screen := openTerminal(t, columns)
	var drawn bytes.Buffer
	copied := make(chan struct{})
	go func() {
		// The terminal's end is an error here (EIO), and is what is waited for.
		_, _ = io.Copy(&drawn, keyboard)
		close(copied)
	}()
	code := Run(t.Context(), args, strings.NewReader(""), screen, screen, env)
	_ = screen.Close()
	<-copied
	if code != exitDone {
		t.Errorf("got exit code %d, want 0: %q", code, drawn.String())
	}
	return drawn.String()
}

// openTerminal returns both ends of a terminal with so many columns.
func openTerminal(t *testing.T, columns uint16) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = screen.Close() })
	if err := unix.IoctlSetWinsize(int(screen.Fd()), unix.TIOCSWINSZ,
		&unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return keyboard, screen
}
