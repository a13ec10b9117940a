package cluster

import (
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
)

func TestFollowerForwardsToTheLeader(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	f := follower(t, masters...)
	status, answer, err := deliver(t, f, "forwarded")
	if err != nil || status != http.StatusOK || answer == "" {
		t.Fatalf("answer %d %q (%v), want the index", status, answer, err)
	}
	waitApplied(t, "forwarded", masters...)

	_, _, err = post(t, leader(t, masters...), "to itself")
	if !errors.Is(err, ErrIsLeader) || !errors.Is(err, ErrNotSent) {
		t.Errorf("the leader forwards to itself: %v", err)
	}
}

func TestForwardWithoutALeader(t *testing.T) {
	t.Parallel()
	m := start(t, newAuthority(t).config("m0", 3))
	_, _, err := post(t, m, "x")
	if !errors.Is(err, ErrNoLeader) || !errors.Is(err, ErrNotSent) {
		t.Errorf("error %v, want ErrNoLeader and ErrNotSent", err)
	}
}

func TestForwardThatDoesNotReachTheLeader(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	l, f := leader(t, masters...), follower(t, masters...)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := ln.Addr().String()
	ln.Close()
	for name, addr := range map[string]string{"nobody listens": closed, "another master answers": f.PeerAddr()} {
		f.peers.closeIdle()
		f.book.learn(l.ID(), address{Peer: addr, Starts: 1 << 40})
		if _, _, err := post(t, f, name); !errors.Is(err, ErrNotSent) || errors.Is(err, ErrUnknownOutcome) {
			t.Errorf("%s: error %v, want ErrNotSent", name, err)
		}
	}
}

// The leader takes the request and is gone before it answers: only the caller
// can know whether repeating it is safe.
func TestForwardWithALostAnswer(t *testing.T) {
	t.Parallel()
	masters := form(t, newAuthority(t), 3)
	l, f := leader(t, masters...), follower(t, masters...)
	l.answer.Store(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if _, _, err := l.Apply(r.Context(), body); err != nil {
			t.Errorf("apply: %v", err)
		}
		panic(http.ErrAbortHandler)
	})
	if _, _, err := deliver(t, f, "carried out"); !errors.Is(err, ErrUnknownOutcome) || errors.Is(err, ErrNotSent) {
		t.Errorf("error %v, want ErrUnknownOutcome", err)
	}
	waitApplied(t, "carried out", masters...)
}
