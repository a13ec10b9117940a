package cluster

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// recovery is what Raft is about to find on this disk, put in order before
// NewRaft runs. Raft takes the index of the newest snapshot as applied when it
// is configured not to restore it; it does not check that the state agrees.
type recovery struct {
	sm    StateMachine
	store raftStore
	snaps raft.SnapshotStore
	log   hclog.Logger
	dir   string // the raft directory
}

func (r *recovery) path() string { return filepath.Join(r.dir, logFile) }

// prepare decides between trusting the state machine's own durable state and
// rebuilding it. It returns whether Raft must restore the newest snapshot.
func (r *recovery) prepare() (restore bool, err error) {
	newest, err := r.newestSnapshot()
	if err != nil {
		return false, err
	}
	if err := r.checkMark(newest); err != nil {
		return false, err
	}
	if err := r.wipeStaleLog(newest); err != nil {
		return false, err
	}
	if err := r.checkReach(newest); err != nil {
		return false, err
	}
	if err := r.undoHalfBootstrap(newest); err != nil {
		return false, err
	}
	reason, err := r.distrust(newest)
	if errors.Is(err, errForeignState) {
		return true, r.setStateAside(err)
	}
	if err != nil || reason == "" {
		return false, err
	}
	return true, r.setStateAside(errors.New(reason))
}

// errForeignState says that the state was not made by this log.
var errForeignState = errors.New("the state is not of this log")

// setStateAside keeps a state that cannot be used.
func (r *recovery) setStateAside(why error) error {
	aside, err := makeAside(r.dir)
	if err != nil {
		return err
	}
	r.log.Warn("local state is set aside and rebuilt from snapshot and log", "reason", why, "aside", aside)
	if err := r.sm.SetAside(aside); err != nil {
		return fmt.Errorf("set local state aside: %w", err)
	}
	return nil
}

// checkMark refuses a log that lacks what was written to it.
func (r *recovery) checkMark(newest *raft.SnapshotMeta) error {
	store, ok := r.store.(*diskStore)
	if !ok {
		return nil
	}
	covered := uint64(0)
	if newest != nil {
		covered = newest.Index
	}
	reason, err := store.lost(covered)
	if err != nil || reason == "" {
		return err
	}
	return &LostLogError{Path: store.path, Reason: reason}
}

// newestSnapshot returns the newest snapshot, or nil.
func (r *recovery) newestSnapshot() (*raft.SnapshotMeta, error) {
	list, err := r.snaps.List()
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	if len(list) == 0 {
		return nil, nil
	}
	return list[0], nil
}

// wipeStaleLog empties a log whose entry behind the snapshot has a lower term
// than the snapshot. It is left over from before the snapshot was installed;
// with it a follower answers every append with a conflict that makes the
// leader send the snapshot again, endlessly (hashicorp/raft issue 697).
func (r *recovery) wipeStaleLog(newest *raft.SnapshotMeta) error {
	if newest == nil {
		return nil
	}
	var next raft.Log
	switch err := r.store.GetLog(newest.Index+1, &next); {
	case errors.Is(err, raft.ErrLogNotFound):
		return nil
	case err != nil:
		return err
	case next.Term >= newest.Term:
		return nil
	}
	first, err := r.store.FirstIndex()
	if err != nil {
		return err
	}
	last, err := r.store.LastIndex()
	if err != nil {
		return err
	}
	r.log.Warn("log from before the snapshot is removed", "snapshot", newest.Index, "first", first, "last", last)
	return r.store.DeleteRange(first, last)
}

// checkReach refuses a log that begins after the newest usable snapshot ends:
// entries between them are lost, and Raft would panic over the hole.
func (r *recovery) checkReach(newest *raft.SnapshotMeta) error {
	first, err := r.store.FirstIndex()
	if err != nil || first == 0 {
		return err
	}
	last, err := r.store.LastIndex()
	if err != nil {
		return err
	}
	reach := uint64(0)
	if newest != nil {
		reach = newest.Index
	}
	if last <= reach {
		return nil
	}
	var l raft.Log
	if err := r.store.GetLog(reach+1, &l); errors.Is(err, raft.ErrLogNotFound) {
		return &LostLogError{Path: r.path(), Reason: fmt.Sprintf(
			"it begins at entry %d, but the newest usable snapshot ends at %d", first, reach)}
	} else if err != nil {
		return err
	}
	return nil
}

// undoHalfBootstrap lets a bootstrap that a crash cut short be repeated: Raft
// writes term 1 before the first entry and then takes the term for history.
func (r *recovery) undoHalfBootstrap(newest *raft.SnapshotMeta) error {
	last, err := r.store.LastIndex()
	if err != nil || last > 0 || newest != nil {
		return err
	}
	term, err := r.store.GetUint64(keyCurrentTerm)
	if err != nil || term != 1 {
		return ignoreNotFound(err)
	}
	if _, err := r.store.Get(keyLastVoteCand); err == nil {
		return nil
	}
	return r.store.SetUint64(keyCurrentTerm, 0)
}

// distrust returns why the durable state must not be used, or "".
func (r *recovery) distrust(newest *raft.SnapshotMeta) (string, error) {
	if err := r.sm.Verify(); err != nil {
		return err.Error(), nil //nolint:nilerr // the error is the answer
	}
	applied, term := r.sm.Applied()
	manifest := uint64(0)
	if newest != nil {
		var err error
		if manifest, err = r.manifestIndex(newest); err != nil {
			return "", err
		}
	}
	// Raft's own index of the snapshot also counts entries that a state
	// machine never sees, so only the manifest can be compared.
	if applied < manifest {
		return fmt.Sprintf("applied index %d is behind the snapshot's %d", applied, manifest), nil
	}
	if applied == 0 || applied == manifest {
		return "", nil
	}
	var entry raft.Log
	switch err := r.store.GetLog(applied, &entry); {
	case errors.Is(err, raft.ErrLogNotFound):
		if newest != nil && applied <= newest.Index {
			return "", nil // compacted away below the snapshot
		}
		return "", &LostLogError{Path: r.path(), Reason: fmt.Sprintf("entry %d was applied and is not in it", applied)}
	case err != nil:
		return "", err
	case entry.Term != term:
		return "", fmt.Errorf("%w: it applied entry %d of term %d, the log's has term %d",
			errForeignState, applied, term, entry.Term)
	}
	return "", nil
}

func (r *recovery) manifestIndex(meta *raft.SnapshotMeta) (uint64, error) {
	_, source, err := r.snaps.Open(meta.ID)
	if err != nil {
		return 0, fmt.Errorf("snapshot %s: %w", meta.ID, err)
	}
	defer source.Close()
	index, err := r.sm.SnapshotIndex(source)
	if err != nil {
		return 0, fmt.Errorf("snapshot %s: %w", meta.ID, err)
	}
	return index, nil
}

func ignoreNotFound(err error) error {
	if err != nil && err.Error() == errNotFound.Error() {
		return nil // Raft's in-memory store has an error of its own with this text
	}
	return err
}
