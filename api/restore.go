package api

import (
	"errors"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

// restore replaces the jobs by those of a snapshot. All of it is checked before anything changes.
func (s *Server) restore(c *call) (*answer, error) {
	force, err := queryBool(c.URL.Query(), "force")
	if err != nil {
		return nil, err
	}
	if !s.restoring.CompareAndSwap(false, true) {
		return nil, ffrtmp.Errorf(ffrtmp.RateLimited, "another restore is running")
	}
	defer s.restoring.Store(false)
	source, err := s.cfg.State.OpenRestore(c.upload.reader())
	if err != nil {
		return nil, refuseSnapshot(err)
	}
	defer source.Close()
	if err := s.checkOrigin(source, force); err != nil {
		return nil, err
	}
	index, done, err := s.cfg.Proposer.Restore(c.Context(), c.idempotency, source)
	if err != nil {
		return nil, err
	}
	m := source.Manifest
	s.cfg.Logger.Warn("a snapshot was restored", "index", index, "snapshot_index", m.Index, "snapshot_cluster",
		m.ClusterID, "jobs", m.Jobs, "ended_attempts", done.Count, "request_id", c.id)
	return &answer{index: index, body: ffrtmp.RestoredSnapshot{
		Status: "restored", Jobs: m.Jobs, EndedAttempts: done.Count,
		SnapshotIndex: m.Index, SnapshotCluster: m.ClusterID, SnapshotTime: m.CreatedAt,
	}}, nil
}

// checkOrigin refuses the snapshot of another cluster where it would replace jobs.
func (s *Server) checkOrigin(source *fsm.RestoreSource, force bool) error {
	theirs := source.Manifest.ClusterID
	if force || theirs == "" || !source.Foreign || s.cfg.State.Empty() {
		return nil
	}
	return ffrtmp.Errorf(ffrtmp.Conflict, "the snapshot is of cluster %s, this is cluster %s and has jobs; "+
		"force=true (--force) replaces them", theirs, s.cfg.Cluster.ClusterID())
}

// refuseSnapshot distinguishes what is wrong with a snapshot from a master's own trouble.
func refuseSnapshot(err error) error {
	for _, about := range []error{snapshot.ErrCorrupt, snapshot.ErrVersion, store.ErrVersion, store.ErrForeign} {
		if errors.Is(err, about) {
			return ffrtmp.Errorf(ffrtmp.Invalid, "cannot restore: %w", err)
		}
	}
	return err
}
