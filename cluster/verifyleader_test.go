package cluster

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// An answer counts by when its request was sent: one that lay about while this
// process stood still says nothing of now.
func TestOnlyRequestsSentSinceConfirm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const term = 3
		var c leaderVerifier
		voters := []string{"self", "b", "c"}
		rpc := func(id raft.ServerID, term uint64, success bool, takes time.Duration, err error) {
			req, resp := &raft.AppendEntriesRequest{Term: term}, &raft.AppendEntriesResponse{}
			got := c.append(id, req, resp, func() error {
				time.Sleep(takes) // the bubble's clock
				resp.Success = success
				return err
			})
			if !errors.Is(got, err) {
				t.Errorf("append returns %v, want %v", got, err)
			}
		}
		start := time.Now()
		if !c.confirmedSince(start, term, "self", voters[:1]) {
			t.Error("a single voter needs somebody else")
		}
		rpc("b", term, true, time.Minute, nil)
		began := start.Add(time.Second)
		if c.confirmedSince(began, term, "self", voters) {
			t.Error("an answer confirms a question that came after its request")
		}
		if !c.confirmedSince(start, term, "self", voters) {
			t.Error("the answer does not count at all")
		}
		rpc("c", term-1, true, 0, nil)
		rpc("c", term, false, 0, nil)
		rpc("c", term, true, 0, errors.New("broken"))
		rpc("stranger", term, true, 0, nil)
		if c.confirmedSince(began, term, "self", voters) {
			t.Error("an older term, a refusal, a failure or a stranger confirms")
		}
		rpc("c", term, true, 0, nil)
		if !c.confirmedSince(began, term, "self", voters) {
			t.Error("one of two others is enough, but does not count")
		}
		if c.confirmedSince(began, term+1, "self", voters) {
			t.Error("an older term confirms")
		}
		if c.confirmedSince(began, term, "self", append(voters, "d")) {
			t.Error("two of four are a majority")
		}
	})
}
