package cluster

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// sampled is a Replica of a test.
type sampled struct {
	mu      sync.Mutex
	reasons []string
	rebuilt []string
	fail    error
}

func (s *sampled) replica(i int) Replica {
	return Replica{
		Sum: func(_ context.Context, index uint64) ([]byte, error) {
			if i == 2 {
				return nil, errors.New("no sum")
			}
			return []byte(strconv.FormatUint(index*10, 10)), nil
		},
		Write: func(_ context.Context, index uint64, w io.Writer) error {
			if index == 0 {
				return errors.New("no state")
			}
			_, err := w.Write([]byte("state at " + strconv.FormatUint(index, 10)))
			s.mu.Lock()
			defer s.mu.Unlock()
			return errors.Join(err, s.fail)
		},
		TakeOut: func(reason string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.reasons = append(s.reasons, strconv.Itoa(i)+" "+reason)
		},
		Rebuilt: func(_ context.Context, name string) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.rebuilt = append(s.rebuilt, name)
			return s.fail
		},
	}
}

// The leader gets the sums of all masters, and a follower the leader's state; a state that is cut short is an error.
// A master that is taken out gets the reason. Afterwards its snapshots are new.
func TestNode_Replica(t *testing.T) {
	t.Parallel()
	var s sampled
	masters := formWith(t, 3, func(i int, cfg *Config) { cfg.Replica = s.replica(i) })
	lead := leader(t, masters...)
	ctx := testkit.Context(t)
	testkit.Eventually(t, "two sums of three", func() bool {
		count := 0
		for _, m := range lead.Sums(ctx, 7) {
			switch {
			case m.ID == masters[2].ID() && m.Sum != nil:
				t.Fatalf("got sum %s of a master that has none", m.Sum)
			case m.Sum != nil && string(m.Sum) == "70":
				count++
			}
		}
		return count == 2
	})
	if _, err := lead.LeaderState(ctx, 7); err == nil {
		t.Error("the leader's own state: got no error, want one")
	}
	follower := without(masters, lead)[0]
	read := func(index uint64) (string, error) {
		body, err := follower.LeaderState(ctx, index)
		if err != nil {
			return "", err
		}
		data, err := io.ReadAll(body)
		return string(data), errors.Join(err, body.Close())
	}
	if got, err := read(7); err != nil || got != "state at 7" {
		t.Errorf("got %q, %v, want the state", got, err)
	}
	if got, err := read(0); err == nil {
		t.Errorf("got %q, want an error", got)
	}
	for _, m := range []*master{follower, lead} {
		if err := m.ReportRebuilt(ctx); err != nil {
			t.Errorf("report that %s is rebuilt: %v", m.Name(), err)
		}
	}
	if want := []string{follower.Name(), lead.Name()}; !slices.Equal(s.rebuilt, want) {
		t.Errorf("got %q reported as rebuilt, want %q", s.rebuilt, want)
	}
	s.mu.Lock()
	s.fail = errors.New("disk failed")
	s.mu.Unlock()
	if got, err := read(7); err == nil {
		t.Errorf("got %q, want an error of a state that is cut short", got)
	}
	for _, m := range []*master{follower, lead} {
		if err := lead.TakeOut(ctx, m.ID(), "differs"); err != nil {
			t.Errorf("take out %s: %v", m.ID(), err)
		}
	}
	if err := follower.ReportRebuilt(ctx); err == nil {
		t.Error("got no error of a leader that cannot report, want one")
	}
	if len(s.reasons) != 2 || s.reasons[0] == s.reasons[1] {
		t.Errorf("got %q, want both told why", s.reasons)
	}
	for range 2 {
		aside, err := follower.MakeAside()
		if err != nil {
			t.Fatal(err)
		}
		if err := follower.RenewSnapshots(ctx, aside); err != nil {
			t.Fatal(err)
		}
		if list, err := follower.snaps.List(); err != nil || len(list) != 1 {
			t.Errorf("got %d snapshots (%v), want the new one", len(list), err)
		}
		moved, err := filepath.Glob(filepath.Join(aside, "*", "state.bin"))
		if err := errors.Join(err, follower.DropAside(aside)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(aside); (err == nil) != (len(moved) > 0) {
			t.Errorf("got %q aside, and %v, want it gone only when empty", moved, err)
		}
	}
}
