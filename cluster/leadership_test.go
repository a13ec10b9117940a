package cluster

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func TestLeadershipKeepsTheLatestValue(t *testing.T) {
	l := newLeadership("self", func(bool) {})
	set := func(leads bool) { l.update(func() { l.raftLeads = leads }) }
	set(true)
	set(false)
	set(true)
	if got := <-l.consumer; !got {
		t.Error("the consumer hears of an older value than the latest")
	}
	l.setStalled(true)
	if got := <-l.consumer; got {
		t.Error("a leader whose log writes hang goes on with a leader's work")
	}
	select {
	case got := <-l.consumer:
		t.Errorf("the consumer hears %v without a change", got)
	default:
	}
}

func TestTransferMovesLeadership(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	told := make([]atomic.Bool, len(masters))
	for i, m := range masters {
		go func() {
			for {
				select {
				case leads := <-m.Leadership():
					told[i].Store(leads)
				case <-t.Context().Done():
					return
				}
			}
		}()
	}
	eachIsToldWhetherItLeads := func() {
		t.Helper()
		eventually(t, "each master is told whether it leads", func() bool {
			l := leader(t, masters...)
			for i, m := range masters {
				if told[i].Load() != (m == l) {
					return false
				}
			}
			return true
		})
	}
	eachIsToldWhetherItLeads()
	var old *master
	var changed <-chan struct{}
	eventually(t, "leadership moves", func() bool { // a busy machine may need more than one try
		old = leader(t, masters...)
		changed = old.LeaderChanged()
		return old.TransferLeadership(testContext(t)) == nil && leader(t, masters...) != old
	})
	select {
	case <-changed:
	default:
		t.Error("the change of leader was not announced")
	}
	eachIsToldWhetherItLeads()
	if old.LeaderChanges() < 2 {
		t.Errorf("%d leaders counted, want 2", old.LeaderChanges())
	}
	if err := follower(t, masters...).TransferLeadership(testContext(t)); !errors.Is(err, raft.ErrNotLeader) {
		t.Errorf("a follower's transfer returns %v, want raft.ErrNotLeader", err)
	}
}

func TestCloseHandsLeadershipOver(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	// A transfer that takes too long is given up, so that a busy machine may need more
	// than one try.
	eventually(t, "a leader that has closed knows of its successor's term", func() bool {
		old := leader(t, masters...)
		rest := slices.DeleteFunc(slices.Clone(masters), func(m *master) bool { return m == old })
		term := old.Term()
		old.stop()
		leader(t, rest...)
		// It has voted for its successor: without a handover it would have been gone
		// before anybody stood for election.
		if old.Term() > term {
			return true
		}
		masters = append(rest, old.restart(func(c *Config) { c.Join = []string{rest[0].GossipAddr()} }))
		waitReady(t, masters...)
		return false
	})
}

func TestVerifyLeaderAndBarrier(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	l, f := leader(t, masters...), follower(t, masters...)
	write(t, "one", masters...)
	if err := l.VerifyLeader(testContext(t)); err != nil {
		t.Error(err)
	}
	if err := l.Barrier(testContext(t)); err != nil {
		t.Error(err)
	}
	if err := f.VerifyLeader(testContext(t)); !errors.Is(err, raft.ErrNotLeader) {
		t.Errorf("a follower verifies its leadership: %v", err)
	}
	if _, _, err := f.Apply(testContext(t), []byte("x")); !errors.Is(err, raft.ErrNotLeader) {
		t.Errorf("a follower applies: %v", err)
	}
	// A leader that is cut off must not confirm itself.
	for _, m := range masters {
		if m != l {
			m.stop()
		}
	}
	if err := l.VerifyLeader(testContext(t)); err == nil {
		t.Error("a leader without a majority confirms that it leads")
	}
}

func TestContextEndsAWait(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	l := leader(t, masters...)
	for _, m := range masters {
		if m != l {
			m.stop()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, _, err := l.Apply(ctx, []byte("cannot commit"))
	if err == nil || errors.Is(err, raft.ErrEnqueueTimeout) {
		t.Errorf("apply without a majority returns %v, want an error of unknown outcome or no leadership", err)
	}
}
