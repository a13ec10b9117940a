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
		Warnings: c.Warnings(), CommandLevel: c.CommandLevel(),
	}
	if s.cfg.Backups != nil {
		b := s.cfg.Backups()
		status.Backups = &b
		if b.Error != "" {
			status.Warnings = append(status.Warnings, "the last scheduled backup failed: "+b.Error)
		}
	}
	if s.cfg.StateWarning != nil {
		if w := s.cfg.StateWarning(); w != "" {
			status.Warnings = append(status.Warnings, w)
		}
	}
	for _, m := range c.Members() {
		status.Members = append(status.Members, member(m))
	}
	for _, change := range c.LeaderChanges() {
		status.LeaderChanges = append(status.LeaderChanges, ffrtmp.LeaderChange{
			Time: change.Time.UTC(), LeaderID: change.Leader, Name: change.Name,
		})
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
		CommandLevel:  m.CommandLevel,
		DiskFreeBytes: m.DiskFree, SnapshotAt: m.Snapshot, Certificates: m.Certificates,
	}
}
