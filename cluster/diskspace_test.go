package cluster

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// A disk that was low must have more than the reserve before it no longer is.
func TestDiskSpace_Measure(t *testing.T) {
	const reserve = 1 << 30
	free, failure := uint64(0), error(nil)
	d := &diskSpace{reserve: reserve, free: func() (uint64, error) { return free, failure }}
	for _, step := range []struct {
		free uint64
		low  bool
	}{
		{reserve, false},
		{reserve - 1, true},
		{reserve + diskHysteresis - 1, true},
		{reserve + diskHysteresis, false},
		{reserve, false},
	} {
		free = step.free
		if err := d.measure(); err != nil || d.low.Load() != step.low {
			t.Errorf("%d bytes free: got low %v (%v), want %v", step.free, d.low.Load(), err, step.low)
		}
	}
	failure = errors.New("I/O error")
	if err := d.measure(); !errors.Is(err, failure) || d.low.Load() {
		t.Errorf("unreadable: got low %v (%v), want false (%v)", d.low.Load(), err, failure)
	}
}

// A majority of the voters must have enough disk space.
func TestDiskSpace_CountVoters(t *testing.T) {
	voters := []string{"a", "b", "c"}
	statuses := func(low ...string) map[string]status {
		all := map[string]status{}
		for _, id := range voters {
			all[id] = status{ID: id}
		}
		for _, id := range low {
			all[id] = status{ID: id, DiskLow: true}
		}
		return all
	}
	without := func(all map[string]status, ids ...string) map[string]status {
		for _, id := range ids {
			delete(all, id)
		}
		return all
	}
	start := time.Now()
	for name, steps := range map[string][]struct {
		after    time.Duration
		statuses map[string]status
		short    bool
	}{
		"one is low":                {{0, statuses("a"), false}},
		"two are low, one recovers": {{0, statuses("a", "b"), true}, {1, statuses("a"), false}},
		"new leader gets no answer": {{0, nil, false}},
		"one stops answering":       {{0, statuses(), false}, {time.Hour, without(statuses(), "b"), false}},
		"one stops answering, one gets low": {
			{0, statuses(), false},
			{time.Second, without(statuses("a"), "b"), false},
			{diskSilence - 1, without(statuses("a"), "b"), false},
			{diskSilence, without(statuses("a"), "b"), true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := &diskSpace{}
			for i, step := range steps {
				d.countVoters(start.Add(step.after), voters, step.statuses)
				if got := d.short.Load(); got != step.short {
					t.Errorf("step %d: got short %v, want %v", i, got, step.short)
				}
			}
		})
	}
	t.Run("single master", func(t *testing.T) {
		d := &diskSpace{}
		if d.countVoters(start, []string{"a"}, statuses("a")); !d.short.Load() {
			t.Error("got short false, want true")
		}
	})
}

// startWithDisks forms a cluster whose masters have made-up free disk space.
func startWithDisks(t *testing.T) ([]*master, []atomic.Uint64) {
	t.Helper()
	free := make([]atomic.Uint64, 3)
	masters := formWith(t, 3, func(i int, cfg *Config) {
		free[i].Store(2 << 30)
		cfg.DiskReserve, cfg.diskFree = 1<<30, func() (uint64, error) { return free[i].Load(), nil }
	})
	return masters, free
}

// A leader whose disk is nearly full transfers leadership; the last one refuses
// new work, and still applies results.
func TestDiskSpace_LeaderFull(t *testing.T) {
	t.Parallel()
	masters, free := startWithDisks(t)
	for range 2 {
		old := leader(t, masters...)
		for i, m := range masters {
			if m == old {
				free[i].Store(0)
			}
		}
		testkit.Eventually(t, "a leader with enough disk space", func() bool {
			l := leader(t, masters...)
			return l != old && !l.DiskLow()
		})
	}
	testkit.Eventually(t, "the last leader refuses new work", func() bool {
		return leader(t, masters...).CheckDiskSpace() != nil
	})
	if leader(t, masters...).DiskLow() {
		t.Error("disk of the leader: got low, want not low")
	}
	write(t, "result", masters...)
	for i := range free {
		free[i].Store(2 << 30)
	}
	testkit.Eventually(t, "new work is accepted again", func() bool {
		return leader(t, masters...).CheckDiskSpace() == nil
	})
}
