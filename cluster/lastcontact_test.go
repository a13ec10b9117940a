package cluster

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

var errUnreachable = errors.New("unreachable")

func unreachable() error { return errUnreachable }
func reachable() error   { return nil }

// replicateInVain starts a failing RPC; the channel receives its result.
func replicateInVain(c *contactTracker, id raft.ServerID) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.replicate(id, unreachable) }()
	return done
}

func checkReturned(t *testing.T, done <-chan error, when string, want bool) {
	t.Helper()
	synctest.Wait()
	if got := len(done) == 1; got != want {
		t.Fatalf("%s: got returned %v, want %v", when, got, want)
	}
}

// A failed RPC returns once the member has answered a heartbeat.
func TestContactTracker_Heartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newContactTracker(t.Context(), time.Minute)
		if err := c.replicate("b", reachable); err != nil {
			t.Fatal(err)
		}
		done := replicateInVain(c, "b")
		for range 3600 {
			time.Sleep(time.Second) // virtual
			if err := c.heartbeat("b", unreachable); !errors.Is(err, errUnreachable) {
				t.Fatalf("heartbeat: got %v, want %v", err, errUnreachable)
			}
			if err := c.heartbeat("another", reachable); err != nil {
				t.Fatal(err)
			}
		}
		checkReturned(t, done, "while the member is unreachable", false)
		if err := c.heartbeat("b", reachable); err != nil {
			t.Fatal(err)
		}
		checkReturned(t, done, "after a heartbeat was answered", true)
		if err := <-done; !errors.Is(err, errUnreachable) {
			t.Errorf("replicate: got %v, want %v", err, errUnreachable)
		}
	})
}

// Without heartbeats this master no longer leads, or the member is removed.
func TestContactTracker_NoHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newContactTracker(t.Context(), time.Minute)
		done := replicateInVain(c, "b")
		time.Sleep(30 * time.Second) // virtual, here and below
		if err := c.heartbeat("b", unreachable); !errors.Is(err, errUnreachable) {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		checkReturned(t, done, "a minute after the last heartbeat", false)
		time.Sleep(time.Minute)
		checkReturned(t, done, "two minutes after the last heartbeat", true)
	})
}

func TestContactTracker_Stopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := replicateInVain(newContactTracker(ctx, time.Minute), "b")
		checkReturned(t, done, "before the end", false)
		cancel()
		checkReturned(t, done, "after the end", true)
	})
}
