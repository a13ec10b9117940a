package cluster

import (
	"context"
	"errors"
	"slices"
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
	old := leader(t, masters...)
	if led := <-old.Leadership(); !led {
		t.Fatal("the leader was not told that it leads")
	}
	changed := old.LeaderChanged()
	if err := old.TransferLeadership(testContext(t)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-changed:
	case <-testContext(t).Done():
		t.Error("the change of leader was not announced")
	}
	if led := <-old.Leadership(); led {
		t.Error("the old leader was not told that it no longer leads")
	}
	next := leader(t, masters...)
	if next == old {
		t.Error("leadership has not moved")
	}
	if err := old.TransferLeadership(testContext(t)); !errors.Is(err, raft.ErrNotLeader) {
		t.Errorf("a follower's transfer returns %v, want raft.ErrNotLeader", err)
	}
	if old.LeaderChanges() < 2 {
		t.Errorf("%d leaders counted, want 2", old.LeaderChanges())
	}
}

func TestCloseHandsLeadershipOver(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	old := leader(t, masters...)
	rest := slices.DeleteFunc(slices.Clone(masters), func(m *master) bool { return m == old })
	term := old.Term()
	old.stop()
	leader(t, rest...)
	// It has voted for its successor: without a handover it would have been gone
	// before anybody stood for election.
	if old.Term() <= term {
		t.Errorf("the leader left in its own term, %d", term)
	}
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
