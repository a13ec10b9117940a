package cluster

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

func TestRoomComesBackWithSomeMoreThanTheReserve(t *testing.T) {
	const reserve = 1 << 30
	free, failure := uint64(0), error(nil)
	r := &diskSpace{reserve: reserve, free: func() (uint64, error) { return free, failure }}
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
		if err := r.measure(); err != nil || r.low.Load() != step.low {
			t.Errorf("with %d bytes free: low %v, %v", step.free, r.low.Load(), err)
		}
	}
	failure = errors.New("I/O error")
	if err := r.measure(); !errors.Is(err, failure) || r.low.Load() {
		t.Errorf("an unknown room: low %v, %v", r.low.Load(), err)
	}
}

func TestAMajorityMustHaveRoom(t *testing.T) {
	voters := []string{"a", "b", "c"}
	told := func(low ...string) map[string]status {
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
		after time.Duration
		told  map[string]status
		short bool
	}{
		"one is low":                       {{0, told("a"), false}},
		"two are low, and have room again": {{0, told("a", "b"), true}, {1, told("a"), false}},
		"a new leader asks in vain":        {{0, nil, false}},
		"one dies, one is low": {
			{0, told(), false},
			{time.Second, without(told("a"), "b"), false},
			{diskSilence - 1, without(told("a"), "b"), false},
			{diskSilence, without(told("a"), "b"), true},
		},
		"one dies": {{0, told(), false}, {time.Hour, without(told(), "b"), false}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &diskSpace{}
			for i, step := range steps {
				if r.countVoters(start.Add(step.after), voters, step.told); r.short.Load() != step.short {
					t.Errorf("step %d: short %v", i, r.short.Load())
				}
			}
		})
	}
	alone := &diskSpace{}
	alone.countVoters(start, []string{"a"}, told("a"))
	if !alone.short.Load() {
		t.Error("a single master with a full disk takes work")
	}
}

func TestALeaderWithAFullDiskMakesWay(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	free := make([]atomic.Uint64, 3)
	var masters []*master
	for i := range free {
		free[i].Store(2 << 30)
		cfg := a.config([]string{"m0", "m1", "m2"}[i], 3)
		if i > 0 {
			cfg.Join = []string{masters[0].GossipAddr()}
		}
		cfg.DiskReserve, cfg.diskFree = 1<<30, func() (uint64, error) { return free[i].Load(), nil }
		masters = append(masters, start(t, cfg))
	}
	waitReady(t, masters...)
	// First the disk of whoever leads is nearly full, then that of its successor too.
	for range 2 {
		old := leader(t, masters...)
		for i, m := range masters {
			if m == old {
				free[i].Store(0)
			}
		}
		eventually(t, "another leads, which has room", func() bool {
			l := leader(t, masters...)
			return l != old && !l.DiskLow()
		})
	}
	eventually(t, "the last one leads and takes no more", func() bool { return leader(t, masters...).CheckDiskSpace() != nil })
	last := leader(t, masters...)
	if last.DiskLow() {
		t.Error("a master without room leads")
	}
	if _, _, err := last.Apply(testContext(t), []byte("completion")); err != nil {
		t.Errorf("what becomes of old work: %v", err)
	}
	for i := range free {
		free[i].Store(2 << 30)
	}
	eventually(t, "there is room again", func() bool { return leader(t, masters...).CheckDiskSpace() == nil })
}
