package cluster

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/internal/atomicfile"
	"github.com/ffrtmp/ffrtmp/internal/ctxtime"
)

// snapshotStore is Raft's store of snapshots as files, which has a checksum of a snapshot's
// data but none of what it says about it: index, term and configuration.
type snapshotStore struct {
	*raft.FileSnapshotStore
	dir string // the raft directory
	// needed has a token when Raft has found none.
	needed chan struct{}
}

// Names in the directory of a snapshot; Raft's file store chooses that of the first.
const (
	metaFile    = "meta.json"
	metaSumFile = "meta.crc32c"
)

func openSnapshotStore(dir string, log hclog.Logger) (*snapshotStore, error) {
	store, err := raft.NewFileSnapshotStoreWithLogger(dir, snapshotsKept, log)
	if err != nil {
		return nil, fmt.Errorf("snapshots: %w", err)
	}
	return &snapshotStore{FileSnapshotStore: store, dir: dir, needed: make(chan struct{}, 1)}, nil
}

// raftSnapshots is the store as Raft sees it, which looks for snapshots when a follower needs one.
type raftSnapshots struct{ *snapshotStore }

// List implements raft.SnapshotStore.
func (s raftSnapshots) List() ([]*raft.SnapshotMeta, error) {
	list, err := s.snapshotStore.List()
	if len(list) == 0 {
		select {
		case s.needed <- struct{}{}:
		default:
		}
	}
	return list, err
}

// replaceSnapshots takes a snapshot when a follower needs one and there is none, as when somebody
// has removed the directory: the next one that is due may be hours away.
func (n *Node) replaceSnapshots(ctx context.Context) {
	snaps, ok := n.snaps.(*snapshotStore)
	if !ok {
		return
	}
	select {
	case <-snaps.needed: // by Raft's start, which also looks for one
	default:
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-snaps.needed:
		}
		if first, err := n.store.FirstIndex(); err == nil && first <= 1 {
			continue // the log has everything: Raft also looks when it forms a cluster
		}
		n.log.Warn("a follower needs a snapshot and there is none: taking one")
		if err := n.Snapshot(ctx); err != nil {
			n.log.Error("cannot take a snapshot", "error", err)
			if ctxtime.Sleep(ctx, time.Second) != nil {
				return
			}
		}
	}
}

func (s *snapshotStore) path(id string) string { return filepath.Join(s.dir, snapshotsDir, id) }

// Create implements raft.SnapshotStore.
func (s *snapshotStore) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration,
	configurationIndex uint64, trans raft.Transport,
) (raft.SnapshotSink, error) {
	sink, err := s.FileSnapshotStore.Create(version, index, term, configuration, configurationIndex, trans)
	if err != nil {
		return nil, err
	}
	return &snapshotSink{SnapshotSink: sink, store: s}, nil
}

type snapshotSink struct {
	raft.SnapshotSink
	store *snapshotStore
}

// Close completes the snapshot. It is usable without its checksum, too.
func (s *snapshotSink) Close() error {
	if err := s.SnapshotSink.Close(); err != nil {
		return err
	}
	path := s.store.path(s.ID())
	sum, err := metaSum(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was closed before, and newer ones have replaced it
	}
	if err == nil {
		err = atomicfile.Write(filepath.Join(path, metaSumFile), []byte(sum), 0o600)
	}
	return err
}

// metaSum returns the checksum of what a snapshot says about itself.
func metaSum(path string) (string, error) {
	data, err := os.ReadFile(filepath.Join(path, metaFile))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%08x\n", crc32.Checksum(data, castagnoli)), nil
}

// check returns what is wrong with a snapshot. One without a checksum was completed by a process
// that died before it wrote it.
func (s *snapshotStore) check(id string) error {
	sum, err := metaSum(s.path(id))
	if err != nil {
		return err
	}
	stored, err := os.ReadFile(filepath.Join(s.path(id), metaSumFile))
	if errors.Is(err, fs.ErrNotExist) {
		stored, err = []byte(sum), nil
	}
	if err != nil {
		return err
	}
	if string(stored) != sum {
		return &DamagedError{Path: filepath.Join(s.path(id), metaFile), What: "wrong checksum"}
	}
	_, source, err := s.Open(id)
	if err != nil {
		return err
	}
	return source.Close()
}

// setDamagedAside renames every snapshot that does not read back as it was written. Raft falls
// back to an older one only when it restores, and a leader would go on offering the damaged one
// to its followers.
func (s *snapshotStore) setDamagedAside(log hclog.Logger) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, snapshotsDir))
	if err != nil {
		return fmt.Errorf("list snapshots: %w", err)
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) == ".tmp" {
			continue // Raft removes what it did not complete
		}
		err := s.check(e.Name())
		if err == nil {
			continue
		}
		log.Error("damaged snapshot is set aside", "id", e.Name(), "error", err)
		// Beside the store's own directory, where it is not listed.
		aside := filepath.Join(s.dir, "damaged-"+e.Name())
		if err := os.Rename(s.path(e.Name()), aside); err != nil {
			return fmt.Errorf("snapshot %s: %w", e.Name(), err)
		}
	}
	return nil
}

// intactSnapshots lists only snapshots that read back as they were written, and changes nothing.
type intactSnapshots struct{ *snapshotStore }

// List implements raft.SnapshotStore.
func (s intactSnapshots) List() ([]*raft.SnapshotMeta, error) {
	list, err := s.snapshotStore.List()
	return slices.DeleteFunc(list, func(meta *raft.SnapshotMeta) bool { return s.check(meta.ID) != nil }), err
}
