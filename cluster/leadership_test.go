package cluster

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// The consumer receives the latest value, once.
func TestLeadership_LatestValue(t *testing.T) {
	l := newLeadership("self", func(bool) {})
	set := func(leads bool) { l.update(func() { l.raftLeads = leads }) }
	set(true)
	set(false)
	set(true)
	if got := <-l.consumer; !got {
		t.Errorf("got %v, want true", got)
	}
	l.setStalled(true)
	if got := <-l.consumer; got {
		t.Errorf("log writes hang: got %v, want false", got)
	}
	select {
	case got := <-l.consumer:
		t.Errorf("no change: got %v, want nothing", got)
	default:
	}
}

// followLeadership returns what each master last received about its leadership.
func followLeadership(t *testing.T, masters []*master) []atomic.Bool {
	leads := make([]atomic.Bool, len(masters))
	for i, m := range masters {
		go func() {
			for {
				select {
				case v := <-m.Leadership():
					leads[i].Store(v)
				case <-t.Context().Done():
					return
				}
			}
		}()
	}
	return leads
}

func TestNode_TransferLeadership(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	leads := followLeadership(t, masters)
	waitNotified := func() {
		t.Helper()
		testkit.Eventually(t, "each master is notified whether it leads", func() bool {
			l := leader(t, masters...)
			for i, m := range masters {
				if leads[i].Load() != (m == l) {
					return false
				}
			}
			return true
		})
	}
	waitNotified()
	var old *master
	var changed <-chan struct{}
	testkit.Eventually(t, "leadership moves", func() bool { // a busy machine may need several attempts
		old = leader(t, masters...)
		changed = old.LeaderChanged()
		return old.TransferLeadership(testkit.Context(t), "") == nil && leader(t, masters...) != old
	})
	select {
	case <-changed:
	default:
		t.Error("LeaderChanged: got an open channel, want a closed one")
	}
	waitNotified()
	if got := old.leaderChanges(); got < 2 {
		t.Errorf("got %d leader changes, want at least 2", got)
	}
	testkit.Eventually(t, "a follower refuses to transfer leadership", func() bool {
		err := follower(t, masters...).TransferLeadership(testkit.Context(t), "")
		return errors.Is(err, raft.ErrNotLeader)
	})
}

// A leader that closes transfers leadership: it has voted for its successor.
// Without a transfer it would have stopped before anyone stood for election. A
// busy machine may need several attempts, as a slow transfer is given up.
func TestNode_CloseTransfersLeadership(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	testkit.Eventually(t, "a closed leader knows of its successor's term", func() bool {
		old := leader(t, masters...)
		rest := without(masters, old)
		term := old.Term()
		old.stop()
		leader(t, rest...)
		if old.Term() > term {
			return true
		}
		again := old.restart(func(c *Config) { c.Join = []string{rest[0].gossipAddr()} })
		masters = append(slices.Clone(rest), again)
		waitReady(t, masters...)
		return false
	})
}

func TestNode_VerifyLeader(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	write(t, "one", masters...)
	testkit.Eventually(t, "the leader verifies its leadership", func() bool {
		l := leader(t, masters...)
		return l.VerifyLeader(testkit.Context(t)) == nil && l.Barrier(testkit.Context(t)) == nil
	})
	l := leader(t, masters...)
	f := without(masters, l)[0]
	if err := f.VerifyLeader(testkit.Context(t)); !errors.Is(err, raft.ErrNotLeader) {
		t.Errorf("verify on a follower: got %v, want %v", err, raft.ErrNotLeader)
	}
	if _, _, err := f.Apply(testkit.Context(t), []byte("x")); !errors.Is(err, raft.ErrNotLeader) {
		t.Errorf("apply on a follower: got %v, want %v", err, raft.ErrNotLeader)
	}
	for _, m := range without(masters, l) {
		m.stop()
	}
	if err := l.VerifyLeader(testkit.Context(t)); err == nil {
		t.Error("verify without a majority: got no error, want one")
	}
}

// The context ends a wait for a majority that does not exist.
func TestNode_ApplyContext(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	l := leader(t, masters...)
	for _, m := range without(masters, l) {
		m.stop()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err := l.Apply(ctx, []byte("cannot commit"))
	if err == nil || errors.Is(err, raft.ErrEnqueueTimeout) {
		t.Errorf("got %v, want an error of unknown outcome or no leadership", err)
	}
}
