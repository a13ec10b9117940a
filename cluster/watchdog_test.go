package cluster

import (
	"slices"
	"testing"
	"time"
)

func TestWatchdogTellsAStallFromTheRest(t *testing.T) {
	type look = time.Duration // time since the last look
	ticks := func(n int) []look { return slices.Repeat([]look{watchdogTick}, n) }
	seconds := int(time.Second / watchdogTick)
	tests := []struct {
		name    string
		size    int
		looks   []look
		stalled bool
	}{
		{"a write of a second", 0, ticks(1 * seconds), false},
		{"a write that hangs", 0, ticks(3 * seconds), true},
		{"a process that was frozen for a minute", 0, []look{watchdogTick, time.Minute, watchdogTick}, false},
		{"a process that is frozen again and again", 0, slices.Repeat([]look{time.Minute}, 5), false},
		{"100 MiB after five seconds", 100 << 20, ticks(5 * seconds), false},
		{"100 MiB after fifteen seconds", 100 << 20, ticks(15 * seconds), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var told []bool
			clock := &writeClock{}
			w := newWatchdog(clock, func(stalled bool) { told = append(told, stalled) })
			done := clock.begin(tt.size)
			for _, elapsed := range tt.looks {
				w.observe(elapsed)
			}
			if w.stalled() != tt.stalled {
				t.Errorf("stalled %v, want %v", w.stalled(), tt.stalled)
			}
			done()
			w.observe(watchdogTick)
			if w.stalled() {
				t.Error("still stalled after the write has ended")
			}
			if tt.stalled && !slices.Equal(told, []bool{true, false}) {
				t.Errorf("told %v, want the begin and the end once", told)
			}
		})
	}
}

func TestWatchdogCountsEachWriteAnew(t *testing.T) {
	clock := &writeClock{}
	w := newWatchdog(clock, func(bool) { t.Error("a busy disk is taken for a hanging one") })
	for range 100 {
		done := clock.begin(0)
		for range 5 {
			w.observe(watchdogTick)
		}
		done()
	}
}

// A leader whose log write hangs is replaced, although its heartbeats would go
// on; when the disk works again it follows.
func TestLeaderWithAHangingDiskIsReplaced(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	write(t, "before", masters...)
	old := leader(t, masters...)
	rest := slices.DeleteFunc(slices.Clone(masters), func(m *master) bool { return m == old })
	done := old.watchdog.clock.begin(0) // a write that does not return
	next := leader(t, rest...)
	if next == old {
		t.Fatal("the leader leads on")
	}
	if old.IsLeader() || old.Ready() == nil {
		t.Errorf("the hanging master leads: %v, is ready: %v", old.IsLeader(), old.Ready() == nil)
	}
	if _, _, err := next.Apply(testContext(t), []byte("meanwhile")); err != nil {
		t.Fatal(err)
	}
	done()
	waitApplied(t, "meanwhile", masters...)
	waitReady(t, masters...)
}

func TestFollowerWithAHangingDiskIsNotReady(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	l, f := leader(t, masters...), follower(t, masters...)
	done := f.watchdog.clock.begin(0)
	eventually(t, "the follower is not ready", func() bool { return f.Ready() != nil })
	if !l.IsLeader() {
		t.Error("a follower's disk has cost the leader its leadership")
	}
	done()
	waitReady(t, f)
}

// A frozen leader is replaced after a timeout. Its own clock has not moved, so
// when it runs again it must neither lead on nor take its disk for broken.
func TestFrozenLeaderIsReplacedAndFollows(t *testing.T) {
	t.Parallel()
	children := formChildren(t, Timing{})
	at := leadingChild(t, children)
	frozen := children[at]
	rest := slices.Delete(slices.Clone(children), at, at+1)
	frozen.signal(stop)
	w := startWriters(t, 0, 2, rest)
	eventually(t, "writes flow without the frozen leader", func() bool { return w.count() > 20 })
	frozen.signal(resume)
	eventually(t, "the old leader follows", func() bool {
		return frozen.get("leads") == "false" && frozen.get("ready") == "true"
	})
	w.end()
	eventually(t, "the old leader has every acknowledged write", func() bool { return frozen.has(w.acked) })
}
