package agent

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// Replacing invalid bytes never changes the length.
func TestPrintable_Offsets(t *testing.T) {
	for in, want := range map[string]string{
		"":             "",
		"frame=1\n":    "frame=1\n",
		"äö":           "äö",
		"\xc3":         "?",
		"a\xff\xfe\nb": "a??\nb",
		"\xf0\x9f\x8e": "???",
	} {
		if got := printable([]byte(in)); got != want || len(got) != len(in) {
			t.Errorf("printable(%q): got %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"":              "",
		"x":             "x",
		"xä":            "xä",
		"x\xc3":         "x",
		"x\xf0\x9f\x8e": "x",
		"x\xff":         "x\xff",
	} {
		if got := string(wholeRunes([]byte(in))); got != want {
			t.Errorf("wholeRunes(%q): got %q, want %q", in, got, want)
		}
	}
}

// The agent slows down when masters, or a proxy before them, answer long polls at once.
func TestPolls_AnsweredEarly(t *testing.T) {
	t.Parallel()
	f := newMasters(t)
	f.eager.Store(true)
	s := newSite(t, f)
	began := time.Now()
	s.start()
	testkit.Eventually(t, "six heartbeats and four claims", f.holds(func() bool {
		return len(f.beats) >= 6 && len(f.claims) >= 4
	}))
	// Pauses double from 100 ms on.
	if d := time.Since(began); d < time.Second {
		t.Errorf("got six heartbeats and four claims in %v, want at least 1 s", d)
	}
	id := f.submit("360p-h264", short)
	f.awaitStatus(id, ffrtmp.Completed)
}

// Pauses double up to their limits.
func TestPolls_Backoff(t *testing.T) {
	a := &Agent{cfg: Config{PollInterval: 10 * time.Second}}
	for quick, least := range map[int]time.Duration{
		1: 100 * time.Millisecond, 4: 800 * time.Millisecond,
		20: 10 * time.Second,
	} {
		if got := a.claimPause(quick); got < least || got > min(2*least, 10*time.Second) {
			t.Errorf("claimPause(%d): got %v, want %v to twice that", quick, got, least)
		}
	}
	var c cadence
	if c.next(false, true) != 0 || c.next(false, false) != 0 {
		t.Error("got a pause after a held heartbeat or one early answer, want none")
	}
	if c.next(false, false) == 0 || c.next(true, true) == 0 {
		t.Error("got no pause after a second early answer or a failure, want one")
	}
	if c.next(false, true) != 0 || c.early != 0 {
		t.Error("got a pause after a held heartbeat, want none")
	}
}

// Slots recognize an attempt that has ended.
func TestSlots_Ended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(1)
		at := &attempt{attemptID: attemptID{"a", 1}, gone: make(chan struct{})}
		s.add(at)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.wait(ctx); err == nil {
			t.Error("got a free slot on a full node, want none")
		}
		go func() {
			<-time.After(time.Minute)
			s.remove(at)
		}()
		if free, err := s.wait(t.Context()); free != 1 || err != nil {
			t.Errorf("got %d free slots, %v, want 1", free, err)
		}
		if !s.known(at.attemptID) || s.known(attemptID{"a", 2}) || s.get(at.attemptID) != nil {
			t.Error("got an ended attempt held or a new one known, want neither")
		}
		if err := s.drained(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// An agent warns when it runs as root.
func TestWarnRoot_UID(t *testing.T) {
	for uid, want := range map[int]bool{0: true, 1000: false} {
		var out strings.Builder
		warnRoot(hclog.New(&hclog.LoggerOptions{Output: &out}), uid)
		if got := strings.Contains(out.String(), "running as root"); got != want {
			t.Errorf("uid %d: got warning %t, want %t", uid, got, want)
		}
	}
}

func TestConfig_Invalid(t *testing.T) {
	s := newSite(t, newMasters(t))
	for want, change := range map[string]func(*Config){
		"state directory":  func(c *Config) { c.StateDir = "" },
		"negative":         func(c *Config) { c.MaxConcurrentJobs = -1 },
		"Masters is empty": func(c *Config) { c.Masters = nil },
		"media root":       func(c *Config) { c.MediaRoots = []string{"/nowhere"} },
		"find ffmpeg":      func(c *Config) { c.FFmpeg = "/nowhere/ffmpeg" },
	} {
		cfg := s.config()
		change(&cfg)
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
