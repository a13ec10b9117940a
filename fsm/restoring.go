package fsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

// chunkBytes is the size of a chunk: 64 entries fit into one message of Raft in any network.
const chunkBytes = 256 << 10

// discardTime bounds the removal of the chunks of a restore that failed.
const discardTime = 10 * time.Second

// RestoreSource is a backup that a master could load, in a file of its own.
type RestoreSource struct {
	Manifest snapshot.Manifest
	Foreign  bool // not known to be of this cluster or of a predecessor
	dir      string
	path     string
}

// OpenRestore checks all of a backup, or of a copy of a master's database. The caller closes it. See
// OpenBackup for the errors that are about the backup.
func (f *FSM) OpenRestore(r io.Reader) (_ *RestoreSource, err error) {
	s := &RestoreSource{}
	if s.dir, err = os.MkdirTemp(f.files.Dir(), store.RestorePrefix); err != nil {
		return nil, err
	}
	if s.path, s.Manifest, err = OpenBackup(r, s.dir); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	of := s.Manifest.ClusterID
	s.Foreign = of == "" || of != f.clusterID() && !slices.Contains(f.Predecessors(), of)
	return s, nil
}

// Close removes the file.
func (s *RestoreSource) Close() error { return os.RemoveAll(s.dir) }

// stream writes the state as Raft's snapshots are written.
func (s *RestoreSource) stream(ctx context.Context, w io.Writer) (err error) {
	db, err := store.OpenReadOnly(s.path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	image, err := snapshot.Pin(ctx, db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, image.Close()) }()
	m := s.Manifest
	m.SchemaVersion = store.SchemaVersion // OpenBackup has migrated it
	return image.Write(ctx, w, m)
}

// Restore replaces the jobs by those of a backup, on every master. The backup goes through the log in
// chunks, which change nothing; one last entry puts it in place, or nothing does. Until that entry is
// proposed, an error has the code NoLeader: it is safe to repeat.
func (p *Proposer) Restore(ctx context.Context, id Idempotency, s *RestoreSource) (index uint64, done Done, err error) {
	if p.opts.Level() < Level {
		return 0, Done{}, ffrtmp.Errorf(ffrtmp.Conflict, "cannot restore while masters run different versions: "+
			"upgrade all masters first")
	}
	c := &restore{foreign: s.Foreign, cluster: s.Manifest.ClusterID, index: s.Manifest.Index}
	if _, err := io.ReadFull(p.opts.Rand, c.restore[:]); err != nil {
		return 0, Done{}, fmt.Errorf("generate id: %w", err)
	}
	if c.chunks, err = p.sendChunks(ctx, c.restore, s); err != nil {
		p.discardChunks(ctx)
		if code := ffrtmp.CodeOf(err); code == ffrtmp.UnknownOutcome && ctx.Err() == nil {
			err = ffrtmp.Errorf(ffrtmp.NoLeader, "restore: nothing was changed: %w", err)
		}
		return 0, Done{}, err
	}
	return propose[Done](ctx, p, id, c)
}

// discardChunks removes the chunks of a restore that failed. If it cannot, the next restore does, or
// the retention.
func (p *Proposer) discardChunks(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTime)
	defer cancel()
	_, _, _ = propose[Done](ctx, p, Idempotency{}, &backupPart{})
}

// sendChunks proposes the chunks of a backup, one after the other.
func (p *Proposer) sendChunks(ctx context.Context, id lease, s *RestoreSource) (n uint64, err error) {
	ctx, cancel := context.WithCancel(WithActor(ctx, Actor{})) // only the restore itself is audited
	defer cancel()
	r, w := io.Pipe()
	packed := make(chan struct{})
	go func() {
		defer close(packed)
		w.CloseWithError(s.stream(ctx, w))
	}()
	defer func() { r.CloseWithError(err); <-packed }()
	buffer := make([]byte, chunkBytes)
	for {
		size, readErr := io.ReadFull(r, buffer)
		if readErr != nil && !errors.Is(readErr, io.EOF) && !errors.Is(readErr, io.ErrUnexpectedEOF) {
			return n, readErr
		}
		if size > 0 {
			part := &backupPart{restore: id, n: n, data: buffer[:size]}
			if _, _, err := propose[Done](ctx, p, Idempotency{}, part); err != nil {
				return n, err
			}
			n++
		}
		if readErr != nil {
			return n, nil
		}
	}
}

// Empty reports whether no job was ever submitted.
func (f *FSM) Empty() bool {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.state != nil && f.state.meta.NextSeq == 1
}

// TemporaryFile creates a file beside the state that is gone once it is closed.
func (f *FSM) TemporaryFile() (*os.File, error) { return store.TemporaryFile(f.files.Dir()) }
