package fsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

// Backup is a backup of the whole state in a temporary file, ready to be read.
type Backup struct {
	*os.File
	Manifest snapshot.Manifest
	Bytes    int64 // length of the file
}

// Backup makes a backup of the current state. It pins one moment, which takes a fraction of a
// millisecond, and writes it while entries are applied; the temporary file keeps a slow reader
// from holding back the checkpoint of the WAL. The caller closes it.
func (f *FSM) Backup(ctx context.Context, version string, now time.Time) (_ *Backup, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	image, err := f.pin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, image.Close()) }()
	m, err := factsOf(image.QueryRowContext(ctx, store.BackupFacts))
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	m.ClusterID, m.CreatedAt, m.Version = f.clusterID(), now.UTC(), version
	file, err := store.TemporaryFile(f.files.Dir())
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	b := &Backup{File: file, Manifest: m}
	if err = image.WriteBackup(ctx, file, m); err == nil {
		b.Bytes, err = file.Seek(0, io.SeekCurrent)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("back up: %w", err), file.Close())
	}
	return b, nil
}

// pin captures the state that queries see.
func (f *FSM) pin(ctx context.Context) (*snapshot.Image, error) {
	if err := f.settle(); err != nil { //nolint:contextcheck // a commit is not canceled
		return nil, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil || f.closing.Load() {
		return nil, errors.New("back up: no usable state")
	}
	return snapshot.Pin(ctx, f.state.Pins())
}
