package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
)

// Recovery makes a cluster of one from what a stopped master has on its disk. It
// works on copies: nothing of the raft directory changes before Install.
type Recovery struct {
	Report  RecoveryReport
	storage *storage
	id      identity
	work    string
	log     *diskStore // nil when it cannot be read
	snaps   raft.SnapshotStore
	logger  hclog.Logger
}

// RecoveryReport is what a stopped master has, and what becomes the new cluster's.
type RecoveryReport struct {
	RaftDir   string   `json:"raft_dir"`
	NodeID    string   `json:"node_id"`
	ClusterID string   `json:"cluster_id"`
	Members   []string `json:"members"` // of the newest configuration found
	// Names are the members' by id.
	Names map[string]string `json:"names"`
	// Written is when the log was last written to.
	Written       time.Time `json:"written"`
	Term          uint64    `json:"term"`
	FirstIndex    uint64    `json:"log_first_index"`
	LastIndex     uint64    `json:"log_last_index"`
	LogProblem    string    `json:"log_problem,omitempty"`
	SnapshotIndex uint64    `json:"snapshot_index"`
	StateIndex    uint64    `json:"state_index"`
	StateProblem  string    `json:"state_problem,omitempty"`
	// KnownIndex is the last entry that this master is known to have written.
	KnownIndex uint64 `json:"known_index"`
	// Index is the last entry of the recovered state, Replayed how many of them
	// were not in the state yet.
	Index        uint64 `json:"index"`
	Replayed     uint64 `json:"replayed"`
	NewClusterID string `json:"new_cluster_id"`
	Backup       string `json:"backup,omitempty"` // where the old files are
}

// OpenRecovery locks the raft directory of a stopped master and reads it.
func OpenRecovery(dir string, logger hclog.Logger) (_ *Recovery, err error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("raft directory: %w", err)
	}
	r := &Recovery{logger: logger}
	if r.storage, err = openStorage(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, r.Close())
		}
	}()
	if r.work, err = os.MkdirTemp(dir, "recover-"); err != nil {
		return nil, err
	}
	r.Report = RecoveryReport{RaftDir: dir, NewClusterID: uuid.NewString()}
	if err := r.readDocuments(); err != nil {
		return nil, err
	}
	if err := r.openCopies(); err != nil {
		return nil, err
	}
	return r, r.describe()
}

// WorkDir is a directory for copies; Close removes it.
func (r *Recovery) WorkDir() string { return r.work }

// readDocuments reads who this master was. Documents that are damaged are made anew.
func (r *Recovery) readDocuments() error {
	if err := r.storage.load(identityFile, &r.id); err != nil {
		r.id = identity{} // see adoptLog
	}
	var vote bootstrapVote
	if err := r.storage.load(voteFile, &vote); err != nil {
		vote = bootstrapVote{}
	}
	r.Report.ClusterID = vote.ClusterID
	return nil
}

// adoptLog takes from the log what the documents do not say.
func (r *Recovery) adoptLog() {
	if r.log != nil && r.id.ID == "" {
		owner, _ := r.log.get(keyOwner) // one that is damaged counts as missing
		r.id.ID = string(owner)
	}
	if r.log != nil && r.Report.ClusterID == "" {
		var vote bootstrapVote
		if data, err := r.log.get(keyBootstrap); err == nil && json.Unmarshal(data, &vote) == nil {
			r.Report.ClusterID = vote.ClusterID
		}
	}
	if r.id.ID == "" {
		r.id.ID = uuid.NewString()
	}
	r.Report.NodeID = r.id.ID
}

// openCopies copies the log and opens it and the snapshots.
func (r *Recovery) openCopies() error {
	old := filepath.Join(r.work, "old")
	if err := os.Mkdir(old, 0o700); err != nil {
		return err
	}
	for _, name := range []string{logFile, journalFile, logMarkFile} {
		if err := copyFile(r.storage.file(name), filepath.Join(old, name)); err != nil {
			return err
		}
	}
	if err := r.openLogCopy(filepath.Join(old, logFile)); err != nil {
		r.Report.LogProblem = err.Error()
	}
	r.adoptLog()
	mark, _, err := openMark(filepath.Join(old, logMarkFile))
	if err != nil {
		return err
	}
	r.Report.KnownIndex, r.Report.Term = mark.current().index, mark.current().currentTerm
	if err := mark.close(); err != nil {
		return err
	}
	if err := os.MkdirAll(r.storage.file(snapshotsDir), 0o700); err != nil {
		return err
	}
	snaps, err := openSnapshotStore(r.storage.path, r.logger)
	r.snaps = intactSnapshots{snaps}
	return err
}

// openLogCopy opens the log without asking that all of it is intact.
func (r *Recovery) openLogCopy(path string) error {
	if isNew(path) {
		return errors.New("it is missing or empty")
	}
	if err := checkBolt(path); err != nil {
		var damaged *DamagedError
		if errors.As(err, &damaged) {
			return errors.New(damaged.What)
		}
		return err
	}
	bolt, err := raftboltdb.New(raftboltdb.Options{Path: path, MsgpackUseNewTimeFormat: true})
	if err != nil {
		return err
	}
	r.log = &diskStore{bolt: bolt, path: path}
	return r.addJournal(filepath.Join(filepath.Dir(path), journalFile))
}

// addJournal adds the journal's entries to the copy of the log, as far as they are intact.
func (r *Recovery) addJournal(path string) error {
	journal, logs, damage := openJournal(path)
	if errors.Is(damage, fs.ErrNotExist) {
		return nil // the report compares the log with the mark
	}
	if damage == nil {
		damage = errors.Join(r.log.checkJournal(journal.id, logs), journal.close())
		if damage != nil {
			return damage
		}
	}
	sealed := make([]*raft.Log, len(logs))
	for i, l := range logs {
		sealed[i] = sealEntry(l)
	}
	return errors.Join(r.log.bolt.StoreLogs(sealed), damage)
}

// describe fills the report in with what was found.
func (r *Recovery) describe() error {
	if info, err := os.Stat(r.storage.file(logMarkFile)); err == nil {
		r.Report.Written = info.ModTime().UTC()
	}
	config, err := r.snapshotConfiguration()
	if err != nil {
		return err
	}
	if r.log != nil {
		if r.Report.FirstIndex, err = r.log.FirstIndex(); err != nil {
			return err
		}
		if r.Report.LastIndex, err = r.log.LastIndex(); err != nil {
			return err
		}
		if term, err := r.log.GetUint64(keyCurrentTerm); err == nil {
			r.Report.Term = max(r.Report.Term, term)
		}
	}
	r.Report.KnownIndex = max(r.Report.KnownIndex, r.Report.LastIndex, r.Report.SnapshotIndex)
	for i := r.Report.FirstIndex; r.log != nil && i > 0 && i <= r.Report.LastIndex; i++ {
		var l raft.Log
		if err := r.log.GetLog(i, &l); err != nil {
			if !errors.Is(err, raft.ErrLogNotFound) {
				r.Report.LogProblem = fmt.Sprintf("entry %d is damaged", i)
			}
			continue
		}
		if l.Type == raft.LogConfiguration {
			config = raft.DecodeConfiguration(l.Data)
		}
	}
	r.Report.Names = map[string]string{}
	for _, s := range config.Servers {
		r.Report.Members = append(r.Report.Members, string(s.ID))
		r.Report.Names[string(s.ID)] = string(s.Address)
	}
	return nil
}

// name is this master's in the newest configuration.
func (r *Recovery) name() raft.ServerAddress {
	if name := r.Report.Names[r.id.ID]; name != "" {
		return raft.ServerAddress(name)
	}
	return raft.ServerAddress(r.id.ID)
}

func (r *Recovery) snapshotConfiguration() (raft.Configuration, error) {
	list, err := r.snaps.List()
	if err != nil || len(list) == 0 {
		return raft.Configuration{}, err
	}
	r.Report.SnapshotIndex = list[0].Index
	return list[0].Configuration, nil
}

// Build makes the new cluster's files in the work directory. The state machine has a
// copy of the master's state, which is trusted when everything written to it is there;
// one that is not is made again from snapshot and log, when those are complete. The entry
// that succession returns for the old cluster's id ends the new state.
func (r *Recovery) Build(sm StateMachine, trusted bool, succession func(predecessor string) []byte) error {
	if err := sm.Verify(); err != nil {
		r.Report.StateProblem = err.Error()
	}
	r.Report.StateIndex, _ = sm.Applied()
	if r.Report.StateProblem != "" || !trusted && r.complete() {
		if err := sm.Discard(); err != nil {
			return err
		}
	}
	if !trusted && r.Report.StateProblem == "" {
		r.Report.StateProblem = "it is not known to be as it was left"
	}
	if err := r.restoreNewer(sm); err != nil {
		return err
	}
	index, term, err := r.replay(sm)
	if err != nil {
		return err
	}
	if index == 0 {
		return errors.New("recover: neither a state, nor a snapshot, nor a log was found")
	}
	r.Report.Index = index
	if r.Report.ClusterID != "" {
		index++
		sm.ApplyBatch([]*raft.Log{{
			Index: index, Term: term, Type: raft.LogCommand, Data: succession(r.Report.ClusterID),
		}})
		if applied, _ := sm.Applied(); applied != index {
			return errors.New("recover: the state does not take over the old cluster's")
		}
	}
	return r.writeNew(sm, index, term)
}

// complete reports whether snapshot and log hold everything that was written.
func (r *Recovery) complete() bool {
	return r.log != nil && r.Report.LogProblem == "" && r.Report.LastIndex >= r.Report.KnownIndex &&
		(r.Report.FirstIndex == 1 || r.Report.FirstIndex > 0 && r.Report.FirstIndex <= r.Report.SnapshotIndex+1)
}

// restoreNewer restores the newest intact snapshot that is ahead of the state.
func (r *Recovery) restoreNewer(sm StateMachine) error {
	list, err := r.snaps.List()
	if err != nil {
		return err
	}
	applied, _ := sm.Applied()
	for _, meta := range list {
		_, source, err := r.snaps.Open(meta.ID)
		if err != nil {
			r.logger.Warn("snapshot cannot be used", "id", meta.ID, "error", err)
			continue
		}
		index, err := sm.SnapshotIndex(source)
		if err != nil || index <= applied {
			if err := source.Close(); err != nil {
				return err
			}
			continue
		}
		if err := source.Close(); err != nil {
			return err
		}
		if _, source, err = r.snaps.Open(meta.ID); err != nil {
			return err
		}
		return sm.Restore(source)
	}
	return nil
}

// replay applies the entries of the log that follow the state, as far as they go. It
// returns the last entry.
func (r *Recovery) replay(sm StateMachine) (index, term uint64, err error) {
	index, term = sm.Applied()
	if r.log == nil {
		return index, term, nil
	}
	var l raft.Log
	if err := r.log.GetLog(index, &l); err == nil && l.Term != term {
		r.Report.LogProblem = fmt.Sprintf("entry %d has term %d, the state applied one of term %d", index, l.Term, term)
		return index, term, nil
	}
	for {
		var next raft.Log
		if r.log.GetLog(index+1, &next) != nil { // its end, or damage that the report names
			return index, term, nil //nolint:nilerr // the caller wants all that could be read
		}
		if next.Type == raft.LogCommand || next.Type == raft.LogConfiguration {
			sm.ApplyBatch([]*raft.Log{&next})
			if applied, _ := sm.Applied(); applied < next.Index {
				return index, term, fmt.Errorf("recover: entry %d cannot be applied", next.Index)
			}
		}
		index, term = next.Index, next.Term
		r.Report.Replayed++
	}
}

// writeNew writes a snapshot of the state, whose configuration is this master alone,
// and an empty log of the next term.
func (r *Recovery) writeNew(sm StateMachine, index, term uint64) (err error) {
	dir := filepath.Join(r.work, "new")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	snaps, err := openSnapshotStore(dir, r.logger)
	if err != nil {
		return err
	}
	sm.SetClusterID(func() string { return r.Report.NewClusterID })
	image, err := sm.Snapshot()
	if err != nil {
		return err
	}
	defer image.Release()
	_, trans := raft.NewInmemTransport(raft.ServerAddress(r.id.ID))
	only := raft.Configuration{Servers: []raft.Server{{
		Suffrage: raft.Voter, ID: raft.ServerID(r.id.ID), Address: r.name(),
	}}}
	sink, err := snaps.Create(raft.SnapshotVersionMax, index, term, only, index, trans)
	if err != nil {
		return err
	}
	if err := image.Persist(sink); err != nil {
		return err
	}
	store, err := openDiskStore(filepath.Join(dir, logFile), &writeClock{}, func(error) {})
	if err != nil {
		return err
	}
	return errors.Join(store.SetUint64(keyCurrentTerm, max(term, r.Report.Term)+1), store.close())
}

// Install makes the new files those of the master. The old ones, and the given others,
// are kept beside them.
func (r *Recovery) Install(others ...string) error {
	aside, err := makeAside(r.storage.path)
	if err != nil {
		return err
	}
	r.Report.Backup = aside
	for _, other := range others {
		if err := moveFiles(filepath.Dir(other), aside, filepath.Base(other)); err != nil {
			return err
		}
	}
	if err := copyFile(r.storage.file(identityFile), filepath.Join(aside, identityFile)); err != nil {
		return err
	}
	err = moveFiles(r.storage.path, aside, logFile, journalFile, logMarkFile, snapshotsDir, voteFile, memoryFile)
	if err != nil {
		return err
	}
	r.id.Lost = ""
	vote := bootstrapVote{ClusterID: r.Report.NewClusterID, Proposer: r.id.ID, Expect: 1}
	if err := errors.Join(r.storage.save(voteFile, vote), r.storage.save(identityFile, r.id)); err != nil {
		return err
	}
	return moveFiles(filepath.Join(r.work, "new"), r.storage.path, snapshotsDir, logFile, journalFile, logMarkFile)
}

// Close removes the copies and releases the raft directory.
func (r *Recovery) Close() error {
	var errs []error
	if r.log != nil {
		errs = append(errs, r.log.bolt.Close())
	}
	if r.work != "" {
		errs = append(errs, os.RemoveAll(r.work))
	}
	errs = append(errs, keepOwner(r.storage.path))
	return errors.Join(append(errs, r.storage.close())...)
}

// keepOwner gives all files in a directory the directory's owner: root may have recovered a
// master that runs as another user.
func keepOwner(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("owner of %s: got %T", dir, info.Sys())
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	})
}

// copyFile copies a file that may be missing.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close(), atomicfile.SyncDir(filepath.Dir(to)))
}
