package fsm

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

// Out returns why this state is out of service until it is rebuilt, nil when it is not.
func (f *FSM) Out() error {
	if reason := f.out.Load(); reason != nil {
		return *reason
	}
	return nil
}

// TakeOut takes the state out of service: it differs from that of the other masters. A later process does not
// trust it, either.
func (f *FSM) TakeOut(reason error) error {
	f.applying.Lock()
	defer f.applying.Unlock()
	f.out.Store(&reason)
	return f.files.Suspect()
}

// Bounds of the entries that are kept while another state is fetched.
const (
	maxTail      = 200_000
	maxTailBytes = 256 << 20
)

// tail is the entries that are applied while a state is fetched from another master.
type tail struct {
	entries []*raft.Log
	bytes   int
}

// keep adds entries; too many are given up, which Rebuild notices.
func (t *tail) keep(entries []*raft.Log) {
	for _, e := range entries {
		t.bytes += len(e.Data)
	}
	if t.entries = append(t.entries, entries...); t.full() {
		t.entries = nil
	}
}

func (t *tail) full() bool { return t.bytes > maxTailBytes || len(t.entries) > maxTail }

var (
	errTail     = errors.New("rebuild the state: too many entries were written meanwhile")
	errReplaced = errors.New("rebuild the state: a snapshot has replaced it meanwhile")
)

// Rebuild replaces the state by that of another master, which fetch reads once it has applied the entry with an
// index. Entries are applied meanwhile. The old state's files are moved into the directory aside. Afterwards
// the state is in service again.
func (f *FSM) Rebuild(ctx context.Context, aside string,
	fetch func(ctx context.Context, index uint64) (io.ReadCloser, error),
) error {
	old, kept := f.beginTail()
	defer f.endTail()
	image, err := fetch(ctx, old.index)
	if err != nil {
		return fmt.Errorf("fetch the state: %w", err)
	}
	s, err := f.install(image) //nolint:contextcheck // the state outlives the rebuild
	if err != nil {
		return err
	}
	if s.meta.Index < old.index {
		return errors.Join(fmt.Errorf("fetch the state: got entry %d, want at least %d", s.meta.Index, old.index),
			s.Close(), store.Remove(s.Path()))
	}
	return f.exchange(old.state, s, kept, aside) //nolint:contextcheck // the state outlives the rebuild
}

// tailStart is the state before the first entry of a tail.
type tailStart struct {
	state *state
	index uint64
}

func (f *FSM) beginTail() (tailStart, *tail) {
	f.applying.Lock()
	defer f.applying.Unlock()
	f.tail = &tail{}
	if f.state == nil {
		return tailStart{}, f.tail
	}
	return tailStart{f.state, f.state.meta.Index}, f.tail
}

func (f *FSM) endTail() {
	f.applying.Lock()
	defer f.applying.Unlock()
	f.tail = nil
}

// exchange puts another state in the place of old and applies the entries of the tail to it.
func (f *FSM) exchange(old, s *state, kept *tail, aside string) error {
	f.applying.Lock()
	defer f.applying.Unlock()
	discard := func(err error) error { return errors.Join(err, s.Close(), store.Remove(s.Path())) }
	switch {
	case f.closing.Load() || f.halted.Load():
		return discard(errClosed)
	case f.state != old:
		return discard(errReplaced)
	case kept.full():
		return discard(errTail)
	}
	f.tail = nil // what it has is applied now
	if err := f.replaceLocked(s, aside); err != nil {
		return err
	}
	if len(kept.entries) > 0 {
		if err := f.applyAll(kept.entries, make([]any, len(kept.entries))); err != nil {
			f.halt(fmt.Errorf("apply entries behind a rebuilt state: %w", err))
			return err
		}
	}
	f.out.Store(nil)
	return nil
}

// install makes a state of a snapshot, in a new file.
func (f *FSM) install(r io.ReadCloser) (*state, error) {
	path, m, err := snapshot.Install(r, f.files.Dir())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("install snapshot: %w", err), r.Close())
	}
	if err := r.Close(); err != nil {
		return nil, errors.Join(err, store.Remove(path))
	}
	if err := f.checkCluster(m); err != nil {
		return nil, errors.Join(err, store.Remove(path))
	}
	if m.SchemaVersion > store.SchemaVersion {
		return nil, errors.Join(fmt.Errorf("snapshot has schema version %d; this program supports %d", m.SchemaVersion,
			store.SchemaVersion), store.Remove(path))
	}
	s, err := openState(path)
	if err != nil {
		return nil, errors.Join(err, store.Remove(path))
	}
	if s.meta.Index != m.Index || s.meta.Term != m.Term {
		return nil, errors.Join(fmt.Errorf("%w: database is at entry %d of term %d, manifest at %d of %d",
			snapshot.ErrCorrupt, s.meta.Index, s.meta.Term, m.Index, m.Term), s.Close(), store.Remove(path))
	}
	return s, nil
}

// WriteState writes a snapshot of the state once it has reached an index.
func (f *FSM) WriteState(ctx context.Context, index uint64, w io.Writer) error {
	if err := f.WaitIndex(ctx, index); err != nil {
		return fmt.Errorf("wait for entry %d: %w", index, err)
	}
	if err := f.Out(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	image, err := f.pin(ctx)
	if err != nil {
		cancel()
		return err
	}
	c := &captured{f: f, image: image, ctx: ctx, cancel: cancel}
	defer c.Release()
	return c.write(w)
}
