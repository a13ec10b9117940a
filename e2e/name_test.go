package e2e

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// A master that is restarted with another --name gets it, and keeps it when it is dead. Here and not in package
// cluster, because hashicorp/raft reads a member's id without a lock while its address, which is our name, changes:
// the race detector reports that, but the id stays the same.
func TestName_Changed(t *testing.T) {
	var renamed atomic.Int64
	renamed.Store(-1)
	s := start(t, devcluster.Options{Masters: 3, MasterArgs: func(i int) []string {
		if int64(i) == renamed.Load() {
			return []string{"--name", "renamed"}
		}
		return nil
	}})
	s.voters(3)
	f := s.follower()
	renamed.Store(int64(f))
	m := s.Master(f)
	m.Kill()
	s.must(m.Start())
	s.must(m.WaitReady(s.soon()))
	has := func(state ffrtmp.MemberState) func() bool {
		return func() bool {
			return slices.ContainsFunc(s.cluster().Members, func(m ffrtmp.Member) bool {
				return m.Name == "renamed" && m.State == state
			})
		}
	}
	s.eventually("the member has its new name", has("follower"))
	s.voters(3)
	m.Kill()
	s.eventually("the dead member has its new name", has("dead"))
}
