package cluster

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

// DamagedError says that a file of the raft directory holds other bytes than
// those that were written. Such a disk has lost data that it acknowledged.
type DamagedError struct {
	Path string // the file
	What string // the entry, value or page in it
}

func (e *DamagedError) Error() string { return fmt.Sprintf("%s is damaged: %s", e.Path, e.What) }

// LostLogError says that the log lacks what this master is known to have written
// or applied. A master must not vote with such a log: what it lacks may have been
// acknowledged, and so may votes.
type LostLogError struct {
	Path   string
	Reason string
}

func (e *LostLogError) Error() string { return fmt.Sprintf("%s has lost data: %s", e.Path, e.Reason) }

// untrusted reports whether an error of opening means that this master must not
// vote with what is on its disk.
func untrusted(err error) bool {
	var damaged *DamagedError
	var lost *LostLogError
	return errors.As(err, &damaged) || errors.As(err, &lost)
}

// TruncateError says that a leader wants entries removed that are known to be
// committed: it has lost them, and this master must not.
type TruncateError struct{ Low, High, Committed uint64 }

func (e *TruncateError) Error() string {
	return fmt.Sprintf("the leader asks to remove the entries %d to %d, but %d of them are acknowledged (up to %d): "+
		"the other masters have lost them, this one stops and keeps them",
		e.Low, e.High, e.Committed-e.Low+1, e.Committed)
}

// committedIndex is how far entries are known to be committed. The zero value knows of none.
type committedIndex struct {
	applied atomic.Uint64
	raft    atomic.Pointer[raft.Raft]
}

func (c *committedIndex) index() uint64 {
	applied := c.applied.Load()
	if r := c.raft.Load(); r != nil {
		return max(applied, r.CommitIndex())
	}
	return applied
}

func (c *committedIndex) raise(index uint64) {
	for {
		old := c.applied.Load()
		if index <= old || c.applied.CompareAndSwap(old, index) {
			return
		}
	}
}

// watchedState is the state machine that Raft sees: what it has applied is committed.
type watchedState struct {
	StateMachine
	committed *committedIndex
}

// Apply implements raft.FSM.
func (w watchedState) Apply(l *raft.Log) any {
	defer w.committed.raise(l.Index)
	return w.StateMachine.Apply(l)
}

// ApplyBatch implements raft.BatchingFSM.
func (w watchedState) ApplyBatch(logs []*raft.Log) []any {
	defer w.committed.raise(logs[len(logs)-1].Index)
	return w.StateMachine.ApplyBatch(logs)
}

const (
	logFile      = "raft.db"
	snapshotsDir = "snapshots" // Raft's file store chooses the name
	asidePrefix  = "aside-"
)

// checkLogFile refuses to begin a new log where there was one.
func (n *Node) checkLogFile(sm StateMachine) error {
	path := n.storage.file(logFile)
	if !isNew(path) {
		return nil
	}
	evidence, err := n.hadLog(sm)
	if err != nil || evidence == "" {
		return err
	}
	return &LostLogError{Path: path, Reason: "it is missing or empty, but " + evidence}
}

// hadLog returns what shows that this directory has had a log, or "".
func (n *Node) hadLog(sm StateMachine) (string, error) {
	if applied, _ := sm.Applied(); applied > 0 {
		return fmt.Sprintf("the state has applied entry %d", applied), nil
	}
	mark, found, err := openMark(n.storage.file(logMarkFile))
	if err != nil {
		return "", err
	}
	last := mark.current()
	if err := mark.close(); err != nil {
		return "", err
	}
	if found && last != (logMark{}) {
		return fmt.Sprintf("entry %d was written", last.index), nil
	}
	if _, err := os.Stat(n.storage.file(journalFile)); !errors.Is(err, fs.ErrNotExist) {
		return journalFile + " is there", err
	}
	var vote bootstrapVote
	if err := n.storage.load(voteFile, &vote); err != nil {
		return "", err
	}
	if vote.ClusterID != "" {
		return "this master belongs to the cluster " + vote.ClusterID, nil
	}
	snapshots, err := os.ReadDir(n.storage.file(snapshotsDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if len(snapshots) > 0 {
		return "there are snapshots", nil
	}
	return "", nil
}

// makeAside makes a directory for files that are not used any more and not deleted.
func makeAside(dir string) (string, error) {
	aside, err := os.MkdirTemp(dir, asidePrefix+time.Now().UTC().Format("20060102T150405Z-"))
	if err != nil {
		return "", fmt.Errorf("set files aside: %w", err)
	}
	return aside, nil
}

// startOver makes a master whose log cannot be trusted a new member: it has other
// masters to get everything from, and its old identity never votes again. The old
// files are kept. A single master has no others and does not start.
func (n *Node) startOver(sm StateMachine, cause error) (restore bool, err error) {
	if !n.cfg.networked() {
		return false, fmt.Errorf("%w: this master does not start, and nothing was changed; "+
			"run: ffrtmp recover --raft-dir %s", cause, n.cfg.Dir)
	}
	aside, err := makeAside(n.storage.path)
	if err != nil {
		return false, err
	}
	next := n.id.successor()
	if next.Configured == "" {
		next.Configured = n.cfg.NodeID // a UUID
	}
	n.log.Error("the log cannot be trusted: its files are set aside, and this master joins the others as a new member",
		"reason", cause, "aside", aside, "old_id", n.id.ID, "new_id", next.ID)
	if err := n.setAside(sm, aside, next); err != nil {
		return false, fmt.Errorf("set files aside: %w", err)
	}
	n.openPeers()
	return n.openLog(sm)
}

// setAside takes on the new identity, which says where the files go, and moves them.
func (n *Node) setAside(sm StateMachine, aside string, next identity) error {
	data, err := os.ReadFile(n.storage.file(identityFile))
	switch {
	case err == nil:
		err = atomicfile.Write(filepath.Join(aside, identityFile), data, 0o600)
	case errors.Is(err, fs.ErrNotExist): // that may be the damage
		err = nil
	}
	next.SettingAside = filepath.Base(aside)
	if err == nil {
		err = n.storage.save(identityFile, next)
	}
	if err != nil {
		return err
	}
	n.id = next
	return n.finishAside(sm)
}

// finishAside moves the files that the identity says are being set aside; it may have
// been cut short before.
func (n *Node) finishAside(sm StateMachine) error {
	if n.id.SettingAside == "" {
		return nil
	}
	aside := n.storage.file(n.id.SettingAside)
	if err := sm.SetAside(aside); err != nil {
		return err
	}
	if err := moveFiles(n.storage.path, aside, logFile, journalFile, logMarkFile, snapshotsDir, voteFile); err != nil {
		return err
	}
	n.id.SettingAside = ""
	return n.storage.save(identityFile, n.id)
}

// moveFiles renames those of the files that are there.
func moveFiles(from, to string, names ...string) error {
	for _, name := range names {
		err := os.Rename(filepath.Join(from, name), filepath.Join(to, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return errors.Join(atomicfile.SyncDir(to), atomicfile.SyncDir(from))
}
