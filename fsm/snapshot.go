package fsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

// Snapshot implements raft.FSM. It captures the current state.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	if f.halted.Load() || f.state == nil {
		return nil, errors.New("take snapshot: no usable state")
	}
	if err := f.settle(); err != nil {
		return nil, fmt.Errorf("take snapshot: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	image, err := snapshot.Pin(ctx, f.state.Pins())
	if err != nil {
		cancel()
		return nil, err
	}
	return &captured{f: f, files: f.state.Files(), image: image, ctx: ctx, cancel: cancel}, nil
}

// captured is a snapshot that has not been written yet.
type captured struct {
	f      *FSM
	files  []*os.File // of the state
	image  *snapshot.Image
	ctx    context.Context // bounds the image's lifetime
	cancel context.CancelFunc
}

// Persist implements raft.FSMSnapshot. It also syncs the state's files: the kernel
// reports a failed write only on sync, and after one the state is not trusted.
func (c *captured) Persist(sink raft.SnapshotSink) error {
	for _, file := range c.files {
		if err := file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
			err = fmt.Errorf("sync state: %w", err)
			c.f.halt(errors.Join(err, c.f.files.Distrust()))
			return errors.Join(err, sink.Cancel())
		}
	}
	if err := c.write(sink); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (c *captured) write(w io.Writer) error {
	m := snapshot.Manifest{SchemaVersion: store.SchemaVersion, ClusterID: c.f.clusterID()}
	var at int64
	row := c.image.QueryRowContext(c.ctx, "SELECT applied_index, applied_term, time FROM meta")
	if err := row.Scan(&m.Index, &m.Term, &at); err != nil {
		return err
	}
	m.CreatedAt = store.TimeOf(at)
	return c.image.Write(c.ctx, w, m)
}

// Release implements raft.FSMSnapshot.
func (c *captured) Release() {
	if err := c.image.Close(); err != nil {
		c.f.log.Warn("cannot release a snapshot", "error", err)
	}
	c.cancel()
}

// SnapshotIndex returns the Raft index that a stored snapshot reflects.
func (f *FSM) SnapshotIndex(r io.Reader) (uint64, error) {
	m, err := snapshot.ReadManifest(r)
	return m.Index, err
}

// Restore implements raft.FSM. It installs the snapshot as the state, in a new file.
func (f *FSM) Restore(r io.ReadCloser) error {
	s, err := f.install(r)
	if err != nil {
		return err
	}
	f.fault = nil
	f.out.Store(nil) // it was another master's
	return f.replace(s)
}
