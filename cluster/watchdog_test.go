package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

func TestWatchdog(t *testing.T) {
	ticks := func(n int) []time.Duration { return slices.Repeat([]time.Duration{watchdogTick}, n) }
	second := int(time.Second / watchdogTick)
	tests := []struct {
		name    string
		size    int
		calls   []time.Duration // time since the last call of observe
		stalled bool
	}{
		{"write of one second", 0, ticks(second), false},
		{"write that hangs", 0, ticks(3 * second), true},
		{"process frozen for a minute", 0, []time.Duration{watchdogTick, time.Minute, watchdogTick}, false},
		{"process frozen repeatedly", 0, slices.Repeat([]time.Duration{time.Minute}, 5), false},
		{"100 MiB after five seconds", 100 << 20, ticks(5 * second), false},
		{"100 MiB after fifteen seconds", 100 << 20, ticks(15 * second), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var events []bool
			clock := &writeClock{}
			w := newWatchdog(clock, func(stalled bool) { events = append(events, stalled) })
			done := clock.begin(tt.size)
			for _, elapsed := range tt.calls {
				w.observe(elapsed)
			}
			if got := w.stalled(); got != tt.stalled {
				t.Errorf("got stalled %v, want %v", got, tt.stalled)
			}
			done()
			w.observe(watchdogTick)
			if w.stalled() {
				t.Error("after the write: got stalled true, want false")
			}
			if want := []bool{true, false}; tt.stalled && !slices.Equal(events, want) {
				t.Errorf("got events %v, want %v", events, want)
			}
		})
	}
}

// A busy disk does not count as a hanging one: each write is timed by itself.
func TestWatchdog_ManyWrites(t *testing.T) {
	clock := &writeClock{}
	w := newWatchdog(clock, func(bool) { t.Error("got an event, want none") })
	for range 100 {
		done := clock.begin(0)
		for range 5 {
			w.observe(watchdogTick)
		}
		done()
	}
}

// A leader whose log write hangs is replaced although its heartbeats work; when
// the disk works again it follows.
func TestWatchdog_Leader(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	write(t, "before", masters...)
	old := leader(t, masters...)
	rest := without(masters, old)
	done := old.watchdog.clock.begin(0) // a write that does not return
	leader(t, rest...)
	if old.IsLeader() || old.Ready() == nil {
		t.Errorf("hanging master: got leads %v, ready %v, want neither", old.IsLeader(), old.Ready() == nil)
	}
	write(t, "meanwhile", rest...)
	done()
	waitApplied(t, "meanwhile", masters...)
	waitReady(t, masters...)
}

// A follower whose log write hangs is not ready, and the leader stays.
func TestWatchdog_Follower(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	f := follower(t, masters...)
	done := f.watchdog.clock.begin(0)
	testkit.Eventually(t, "the follower is not ready", func() bool { return f.Ready() != nil })
	testkit.Eventually(t, "another master leads and is ready", func() bool {
		l := leader(t, masters...)
		return l != f && l.Ready() == nil && f.Ready() != nil
	})
	done()
	waitReady(t, f)
}

// A frozen leader is replaced after a timeout. Its own clock has not moved, so
// when it runs again it must neither lead nor consider its disk broken.
func TestWatchdog_FrozenLeader(t *testing.T) {
	t.Parallel()
	children := formChildren(t, Timing{})
	at := leadingChild(t, children)
	frozen := children[at]
	rest := slices.Delete(slices.Clone(children), at, at+1)
	frozen.signal(stop)
	w := startWriters(t, 0, 2, rest)
	testkit.Eventually(t, "writes continue without the frozen leader", func() bool { return w.count() > 20 })
	frozen.signal(resume)
	testkit.Eventually(t, "the old leader follows", func() bool {
		return frozen.get("leads") == "false" && frozen.get("ready") == "true"
	})
	w.end()
	testkit.Eventually(t, "the old leader has every acknowledged write", func() bool { return frozen.has(w.acked) })
}
