package cluster

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/hashicorp/raft"
)

// checkKind checks that an error wraps one of two kinds and not the other.
func checkKind(t *testing.T, what string, err, want, not error) {
	t.Helper()
	if !errors.Is(err, want) || errors.Is(err, not) {
		t.Errorf("%s: got %v, want %v", what, err, want)
	}
}

func TestForward_Leader(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	f := follower(t, masters...)
	status, answer, err := deliver(t, f, "forwarded")
	if err != nil || status != http.StatusOK || answer == "" {
		t.Fatalf("got %d %q (%v), want %d and the index", status, answer, err, http.StatusOK)
	}
	waitApplied(t, "forwarded", masters...)

	_, _, err = post(t, leader(t, masters...), "to itself")
	checkKind(t, "on the leader", err, errIsLeader, ErrUnknownOutcome)
	checkKind(t, "on the leader", err, ErrNotSent, ErrUnknownOutcome)
}

func TestForward_NoLeader(t *testing.T) {
	t.Parallel()
	m := start(t, newAuthority(t).config("m0", 3))
	_, _, err := post(t, m, "x")
	checkKind(t, "without a leader", err, ErrNoLeader, ErrUnknownOutcome)
	checkKind(t, "without a leader", err, ErrNotSent, ErrUnknownOutcome)
}

// The request does not reach the leader.
func TestForward_NotSent(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	l, f := leader(t, masters...), follower(t, masters...)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := ln.Addr().String()
	ln.Close()
	for name, addr := range map[string]string{"nobody listens": closed, "another master answers": f.peerAddr()} {
		f.peers.closeIdle()
		f.book.learn(l.ID(), address{Peer: addr, Starts: 1 << 40})
		_, _, err := post(t, f, name)
		checkKind(t, name, err, ErrNotSent, ErrUnknownOutcome)
	}
}

// The leader takes the request and disconnects before it answers: only the caller
// knows whether repeating it is safe.
func TestForward_UnknownOutcome(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	l, f := leader(t, masters...), follower(t, masters...)
	l.answer.Store(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("read: %v", err)
		}
		if _, _, err := l.Apply(r.Context(), body); err != nil {
			t.Errorf("apply: %v", err)
		}
		panic(http.ErrAbortHandler)
	})
	_, _, err := deliver(t, f, "carried out")
	checkKind(t, "lost answer", err, ErrUnknownOutcome, ErrNotSent)
	waitApplied(t, "carried out", masters...)
}

// A request to a leader whose disk hangs ends when another leads, and on the leader itself at once.
func TestForward_StalledLeader(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	l, f := leader(t, masters...), follower(t, masters...)
	taken, release := make(chan struct{}), make(chan struct{})
	defer close(release)
	l.answer.Store(func(http.ResponseWriter, *http.Request) {
		close(taken)
		<-release
	})
	ended := make(chan error)
	go func() {
		_, _, err := post(t, f, "in flight")
		ended <- err
	}()
	<-taken
	done := l.watchdog.clock.begin(0)
	defer done()
	checkKind(t, "a leader that hangs", <-ended, ErrUnknownOutcome, ErrNotSent)
	if _, _, err := l.Apply(t.Context(), []byte("refused")); !errors.Is(err, raft.ErrNotLeader) {
		t.Errorf("a write on it: got %v, want %v", err, raft.ErrNotLeader)
	}
	if err := l.await(t.Context(), func() error { <-release; return nil }); !errors.Is(err, raft.ErrLeadershipLost) {
		t.Errorf("a write in flight on it: got %v, want %v", err, raft.ErrLeadershipLost)
	}
}
