package cluster

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// An answer counts by when its request was sent: one that was delayed while this
// process was stopped says nothing about now.
func TestLeaderVerifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const term = 3
		var v leaderVerifier
		voters := []string{"self", "b", "c"}
		rpc := func(id raft.ServerID, term uint64, success bool, takes time.Duration, err error) {
			req, resp := &raft.AppendEntriesRequest{Term: term}, &raft.AppendEntriesResponse{}
			got := v.append(id, req, resp, func() error {
				time.Sleep(takes) // virtual
				resp.Success = success
				return err
			})
			if !errors.Is(got, err) {
				t.Errorf("append: got %v, want %v", got, err)
			}
		}
		check := func(what string, began time.Time, term uint64, voters []string, want bool) {
			t.Helper()
			if got := v.confirmedSince(began, term, "self", voters); got != want {
				t.Errorf("%s: got confirmed %v, want %v", what, got, want)
			}
		}
		start := time.Now()
		check("single voter", start, term, voters[:1], true)
		rpc("b", term, true, time.Minute, nil)
		began := start.Add(time.Second)
		check("request older than the question", began, term, voters, false)
		check("request as old as the question", start, term, voters, true)
		rpc("c", term-1, true, 0, nil)
		rpc("c", term, false, 0, nil)
		rpc("c", term, true, 0, errors.New("broken"))
		rpc("stranger", term, true, 0, nil)
		check("older term, refusal, failure and stranger", began, term, voters, false)
		rpc("c", term, true, 0, nil)
		check("one of two others", began, term, voters, true)
		check("newer term", began, term+1, voters, false)
		check("one of three others", began, term, append(voters, "d"), false)
	})
}

// A lease counts from when a request was sent, by the clock that moved further.
func TestLeaderVerifier_Lease(t *testing.T) {
	const term, limit = 3, 500 * time.Millisecond
	voters := []string{"self", "b", "c"}
	start := instant{boot: time.Hour, wall: time.Unix(1e9, 0)}
	v := leaderVerifier{last: map[raft.ServerID]confirmedSend{"b": {term: term, at: start}}}
	later := func(boot, wall time.Duration) instant { return instant{start.boot + boot, start.wall.Add(wall)} }
	for _, tt := range []struct {
		name   string
		at     instant
		term   uint64
		voters []string
		want   bool
	}{
		{"at once", start, term, voters, true},
		{"shortly after", later(400*time.Millisecond, 400*time.Millisecond), term, voters, true},
		{"too late", later(time.Second, time.Second), term, voters, false},
		{"the machine slept", later(10*time.Second, time.Millisecond), term, voters, false},
		{"a paused guest whose clocks stood still", later(time.Millisecond, 10*time.Second), term, voters, false},
		{"the wall clock was set back", later(time.Second, -time.Hour), term, voters, false},
		{"another term", start, term + 1, voters, false},
		{"one of three others", start, term, []string{"self", "b", "c", "d"}, false},
		{"a single voter", later(time.Hour, time.Hour), term, voters[:1], true},
	} {
		if got := v.leased(tt.at, limit, tt.term, "self", tt.voters); got != tt.want {
			t.Errorf("%s: got leased %v, want %v", tt.name, got, tt.want)
		}
	}
}

// A leader that hears from its followers has a lease, a follower has none.
func TestCheckLease(t *testing.T) {
	t.Parallel()
	masters := form(t, 3)
	l, f := leader(t, masters...), follower(t, masters...)
	testkit.Eventually(t, "a leader has its lease", func() bool { return leader(t, masters...).CheckLease() == nil })
	l.verifier.mu.Lock()
	clear(l.verifier.last)
	l.verifier.mu.Unlock()
	if f.CheckLease() == nil {
		t.Error("got a lease of a follower, want none")
	}
	testkit.Eventually(t, "heartbeats renew it", func() bool { return leader(t, masters...).CheckLease() == nil })
}
