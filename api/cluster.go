package api

import (
	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/cluster"
)

func (s *Server) clusterStatus(*call) (*answer, error) {
	c := s.cfg.Cluster
	leader, _ := c.Leader()
	status := ffrtmp.ClusterStatus{
		ClusterID: c.ClusterID(), Name: s.cfg.Name,
		Leader: leader.ID, LeaderName: leader.Name, LeaderURL: leader.APIURL,
		Term: c.Term(), CommitIndex: c.CommitIndex(), AppliedIndex: c.AppliedIndex(), Members: []ffrtmp.Member{},
	}
	for _, m := range c.Members() {
		status.Members = append(status.Members, member(m))
	}
	return &answer{body: status}, nil
}

func member(m cluster.Member) ffrtmp.Member {
	contact := m.LastContact.Milliseconds()
	if m.LastContact < 0 {
		contact = -1
	}
	return ffrtmp.Member{
		ID: m.ID, Name: m.Name, Address: m.Address, APIURL: m.APIURL, Role: m.Role,
		State: ffrtmp.MemberState(m.State), Since: m.Since.UTC(), Voter: m.Voter, Healthy: m.Healthy,
		LastContactMS: contact, AppliedIndex: m.AppliedIndex, Version: m.Version,
	}
}

// transferred is the answer to POST /cluster/leader/transfer.
type transferred struct {
	Status   string `json:"status"`
	Previous string `json:"previous"`
}

// transferLeader transfers leadership to another voter. The audit record is written first:
// afterwards this master can no longer write one.
func (s *Server) transferLeader(c *call, _ *nothing) (*answer, error) {
	voters := 0
	for _, m := range s.cfg.Cluster.Members() {
		if m.Voter {
			voters++
		}
	}
	if voters < 2 {
		return nil, ffrtmp.Errorf(ffrtmp.Conflict, "no other voter can lead")
	}
	index, err := s.cfg.Proposer.Note(c.Context(), "leader.transfer", s.cfg.Cluster.ID())
	if err != nil {
		return nil, err
	}
	if err := s.cfg.Cluster.TransferLeadership(c.Context()); err != nil {
		return nil, ffrtmp.Errorf(ffrtmp.Conflict, "transfer leadership: %w", err)
	}
	return &answer{index: index, body: transferred{"transferred", s.cfg.Cluster.ID()}}, nil
}
