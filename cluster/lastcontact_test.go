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

// failing replicates in vain and tells when that is known.
func failing(c *contactTracker, id raft.ServerID) <-chan error {
	done := make(chan error, 1)
	go func() { done <- c.replicate(id, func() error { return errUnreachable }) }()
	return done
}

func returned(done <-chan error) bool {
	synctest.Wait()
	return len(done) == 1
}

func TestFailedReplicationWaitsForAHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newContactTracker(t.Context(), time.Minute)
		if err := c.replicate("b", func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		done := failing(c, "b")
		for range 3600 {
			time.Sleep(time.Second) // the bubble's clock
			if err := c.heartbeat("b", func() error { return errUnreachable }); !errors.Is(err, errUnreachable) {
				t.Fatalf("the heartbeat's failure is returned as %v", err)
			}
			_ = c.heartbeat("another", func() error { return nil })
		}
		if returned(done) {
			t.Fatal("the failure is told while the member cannot be reached")
		}
		if err := c.heartbeat("b", func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		if !returned(done) {
			t.Fatal("the failure is not told although the member has been reached")
		}
		if err := <-done; !errors.Is(err, errUnreachable) {
			t.Errorf("it is told as %v", err)
		}
	})
}

// Without heartbeats nobody leads here, or the member is removed.
func TestFailedReplicationEndsWithTheHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newContactTracker(t.Context(), time.Minute)
		done := failing(c, "b")
		time.Sleep(30 * time.Second) // the bubble's clock, here and below
		_ = c.heartbeat("b", func() error { return errUnreachable })
		time.Sleep(time.Minute)
		if returned(done) {
			t.Error("it ends within a minute of a heartbeat")
		}
		time.Sleep(time.Minute)
		if !returned(done) {
			t.Error("it has not ended a minute and more after the last heartbeat")
		}
	})
}

func TestFailedReplicationEndsWithTheMaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		c := newContactTracker(ctx, time.Minute)
		done := failing(c, "b")
		if returned(done) {
			t.Error("it does not wait")
		}
		cancel()
		if !returned(done) {
			t.Error("it still waits")
		}
	})
}
