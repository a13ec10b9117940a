package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// cluster returns the leader's cluster status.
func (s *site) cluster() ffrtmp.ClusterStatus {
	s.t.Helper()
	status, err := s.client.Cluster(s.soon())
	s.must(err)
	return status
}

// member returns the member with an API URL; ok is false when there is none.
func (s *site) member(url string) (m ffrtmp.Member, ok bool) {
	s.t.Helper()
	members := s.cluster().Members
	i := slices.IndexFunc(members, func(m ffrtmp.Member) bool { return m.APIURL == url })
	if i < 0 {
		return ffrtmp.Member{}, false
	}
	return members[i], true
}

// voters waits until the cluster has n members, all of them healthy voters.
func (s *site) voters(n int) {
	s.t.Helper()
	var members []ffrtmp.Member
	defer func() {
		if s.t.Failed() {
			s.t.Logf("members: %+v", members)
		}
	}()
	s.eventually("all masters are healthy voters", func() bool {
		members = s.cluster().Members
		return len(members) == n &&
			!slices.ContainsFunc(members, func(m ffrtmp.Member) bool { return !m.Voter || !m.Healthy })
	})
}

// reconnect replaces the client after masters have moved.
func (s *site) reconnect() {
	s.t.Helper()
	c, err := client.New(client.Config{Masters: s.URLs(), APIKey: s.APIKey(), TLS: s.ClientTLS()})
	s.must(err)
	s.t.Cleanup(c.Close)
	s.client = c
}

// nodeID returns a master's id from its own health.
func (s *site) nodeID(m *devcluster.Master) string {
	s.t.Helper()
	h, err := s.client.Health(s.soon(), m.URL())
	s.must(err)
	return h.NodeID
}

// A fourth master joins without a vote and is promoted when it is healthy.
func TestMembership_FourthMasterIsPromoted(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	before := s.submit(pattern("360p", nil))
	fourth, err := s.AddMaster()
	s.must(err)
	s.must(fourth.Start())
	var first ffrtmp.Member
	s.eventually("the fourth master is a member", func() (ok bool) {
		first, ok = s.member(fourth.URL())
		return ok
	})
	if first.Voter {
		t.Errorf("got %+v, want a member without a vote", first)
	}
	s.must(fourth.WaitReady(s.soon()))
	s.voters(4)
	// Its own state has the earlier writes.
	var j ffrtmp.Job
	s.wire().call(t, "GET", fourth.URL()+"/jobs/"+before.ID+"?stale", "").want(t, 200).decode(t, &j)
	if j.ID != before.ID {
		t.Errorf("got job %+v, want %s", j, before.ID)
	}
}

// Masters that move to other addresses, one or all, keep their ids and the cluster.
func TestMembership_MovedMasters(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	s.voters(3)
	cluster := s.cluster().ClusterID
	id := s.submit(pattern("360p", nil)).ID

	one := s.Master(s.follower())
	identity := s.nodeID(one)
	s.must(one.Stop(s.soon()))
	s.must(one.Move())
	s.restart(one)
	s.eventually("the others know its new address", func() bool {
		m, ok := s.member(one.URL())
		return ok && m.ID == identity && m.Healthy
	})
	s.voters(3)

	identities := map[string]bool{}
	for _, m := range s.Masters() {
		identities[s.nodeID(m)] = true
		m.Kill()
	}
	for _, m := range s.Masters() {
		s.must(m.Move())
	}
	s.must(s.Start(s.soon()))
	s.reconnect()
	s.voters(3)
	for _, m := range s.cluster().Members {
		if !identities[m.ID] {
			t.Errorf("got the new id %s, want an old one", m.ID)
		}
	}
	if now := s.cluster().ClusterID; now != cluster {
		t.Errorf("got cluster %s, want %s", now, cluster)
	}
	if j := s.look(id); j.SequenceNumber != 1 {
		t.Errorf("got first job %+v, want number 1", j)
	}
}

// Masters form one cluster in any start order, and none while fewer than expected run.
func TestMembership_AnyStartOrder(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}} {
		s := prepare(t, devcluster.Options{Masters: 3})
		for _, i := range order[:2] {
			s.must(s.Master(i).Start())
			s.steadily(2*time.Second, "fewer masters than expected form no cluster", func() bool {
				r, err := s.wire().send(t.Context(), "GET", s.Master(order[0]).URL()+"/health/leader", "")
				return err != nil || r.status == 503
			})
		}
		s.must(s.Start(s.soon()))
		s.voters(3)
		formed := s.cluster().ClusterID
		for _, m := range s.Masters() {
			var here ffrtmp.ClusterStatus
			s.wire().call(t, "GET", m.URL()+"/cluster?stale", "").want(t, 200).decode(t, &here)
			if here.ClusterID != formed || formed == "" {
				t.Errorf("start order %v, %s: got cluster %q, want %q", order, m.Name(), here.ClusterID, formed)
			}
		}
		s.must(s.Close())
	}
}
