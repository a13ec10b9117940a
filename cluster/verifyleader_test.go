package cluster

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
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
