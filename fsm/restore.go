package fsm

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/raft"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/snapshot"
)

// backupPart is a part of a backup that is being restored. Number 0 begins a restore and ends any other;
// an empty one only ends it.
type backupPart struct {
	v1
	restore lease // a random id
	n       uint64
	data    []byte
}

// chunksKept is how long the chunks of a restore that was given up are kept.
const chunksKept = time.Hour

var (
	insertChunk     = store.Prepared(`INSERT INTO restore_chunk (n, restore, time, data) VALUES (?, ?, ?, ?)`)
	deleteChunks    = store.Prepared(`DELETE FROM restore_chunk`)
	deleteOldChunks = store.Prepared(`DELETE FROM restore_chunk WHERE time < ?`)
	selectLastChunk = store.Prepared(`SELECT 1 FROM restore_chunk WHERE n = ? AND restore = ?`)
	selectChunk     = store.Prepared(`SELECT data FROM restore_chunk WHERE n = ? AND restore = ?`)
)

func (*backupPart) kind() Kind { return KindChunk }

func (c *backupPart) encode(e *encoder) {
	e.fixed(c.restore[:])
	e.uint(c.n)
	e.bytes(c.data)
}

func decodeBackupPart(d *decoder) command {
	c := &backupPart{}
	d.fixed(c.restore[:])
	c.n = d.uint()
	c.data = d.view()
	return c
}

// errOtherRestore rejects what belongs to a restore that another one has ended.
var errOtherRestore = ffrtmp.Errorf(ffrtmp.Conflict, "another restore has begun, or this one took too long")

func (c *backupPart) apply(t *tx) any {
	if c.n == 0 {
		t.exec(deleteChunks)
	} else if !t.row(make([]driver.Value, 1), selectLastChunk, int64(c.n-1), c.restore[:]) {
		return errOtherRestore
	}
	if len(c.data) > 0 {
		t.exec(insertChunk, int64(c.n), c.restore[:], t.now, c.data)
	}
	return Done{}
}

// restore replaces the jobs by those of a backup, whose chunks are in the state.
type restore struct {
	v1
	restore lease
	chunks  uint64
	foreign bool   // a backup of another cluster
	cluster string // of the backup, "" if it is not known
	index   uint64 // that the backup reflects
}

func (*restore) kind() Kind { return KindRestore }

func (c *restore) encode(e *encoder) {
	e.fixed(c.restore[:])
	e.uint(c.chunks)
	e.bool(c.foreign)
	e.string(c.cluster)
	e.uint(c.index)
}

func decodeRestore(d *decoder) command {
	c := &restore{}
	d.fixed(c.restore[:])
	c.chunks, c.foreign, c.cluster, c.index = d.uint(), d.bool(), d.string(), d.uint()
	return c
}

func (c *restore) audit(*tx) entry {
	return entry{"snapshot.restore", c.cluster, details("index", strconv.FormatUint(c.index, 10))}
}

// apply replaces the jobs and ends every attempt: what ran after the backup, and what runs in it.
func (c *restore) apply(t *tx) any {
	if t.backup == nil || t.backup.of != c.restore {
		return ffrtmp.Errorf(ffrtmp.Invalid, "a restore must be alone in its entry")
	}
	if t.backup.refused != nil {
		return t.backup.refused
	}
	before := t.meta
	if t.err == nil {
		t.err = t.DB.Restore(c.foreign)
	}
	if t.err == nil {
		t.err = t.reload(before)
	}
	if t.err != nil {
		return nil
	}
	c.succeed(t)
	t.event(ffrtmp.Restored, nil)
	return Done{Count: t.fence()}
}

// reload loads memory from the replaced tables. Numbers are never used again and times never go
// back, so the larger of both states' count.
func (t *tx) reload(before store.Meta) error {
	restored, err := t.RestoredMeta()
	if err != nil {
		return err
	}
	t.jobs, t.keys, t.nodes, t.ready = map[uint64]*activeJob{}, map[string]*key{}, newNodes(), newReady()
	t.outputs, t.sidecars, t.mediaRoots = outputs{}, sidecars{}, newMediaRoots()
	t.active = [3]int{}
	if err := t.load(); err != nil {
		return err
	}
	t.meta = store.Meta{
		Index: before.Index, Term: before.Term, Time: max(before.Time, restored.Time),
		NextSeq:   max(before.NextSeq, restored.NextSeq),
		Submitted: max(before.Submitted, restored.Submitted), Completed: max(before.Completed, restored.Completed),
		Failed: max(before.Failed, restored.Failed), Canceled: max(before.Canceled, restored.Canceled),
		Retries: max(before.Retries, restored.Retries), Losses: max(before.Losses, restored.Losses),
		LeaseEpoch: max(before.LeaseEpoch, restored.LeaseEpoch) + 1,
	}
	if err := t.reloadColumns(); err != nil {
		return err
	}
	t.now = t.meta.Time
	t.ready.due(t.now)
	t.rekeyed, t.wake, t.renewed = true, true, true
	return nil
}

// reloadColumns loads what lists select by, all of it: nothing else may read the state meanwhile.
func (t *tx) reloadColumns() error {
	t.columns = newColumns()
	if err := t.columns.loadNewest(t.DB, t.meta.NextSeq); err != nil {
		return err
	}
	for t.columns.low > 0 {
		if err := t.columns.loadNext(t.DB); err != nil {
			return err
		}
	}
	close(t.columns.loaded)
	return nil
}

var updateFenced = store.Prepared(`UPDATE job_state SET status = ?, hold = ?, lease = NULL, last_activity_at = ?,
	progress = 0, progress_detail = NULL WHERE seq = ?`)

// fence ends the attempts that run in the backup. Their leases are worth nothing any more, so that no
// attempt can report twice; it is not a loss, which a job can only afford a few of.
func (t *tx) fence() (count int) {
	for _, seq := range slices.Sorted(maps.Keys(t.jobs)) {
		j := t.jobs[seq]
		if j.hold == store.HoldNone {
			continue
		}
		if j.hold.Current() {
			count++
			t.withdraw(j, "a backup was restored")
			continue
		}
		j.lease = lease{}
		t.change(j, j.status, store.HoldNone)
		t.columns.setProgress(j.seq, 0)
		t.exec(updateFenced, store.Code(store.StatusCodes, j.status), int64(store.HoldNone), t.now, int64(seq))
	}
	return count
}

// unpacked is a backup made of chunks, attached to the writer.
type unpacked struct {
	of      lease
	path    string
	refused *ffrtmp.Error // instead of path: it is not whole
}

// isRestore reports whether an entry is a restore, which is alone in its entry.
func isRestore(entry *raft.Log) bool { return aloneKind(entry) == KindRestore }

// attach unpacks and attaches what an entry restores. It commits what was collected before, because SQLite
// attaches no file within a transaction.
func (f *FSM) attach(entry *raft.Log) error {
	if err := f.commit(); err != nil {
		return err
	}
	list, err := decodeEntry(entry.Data)
	if err != nil {
		return fmt.Errorf("entry %d: %w", entry.Index, err)
	}
	c, ok := list[0].command.(*restore)
	if !ok {
		return fmt.Errorf("entry %d: %T instead of a restore", entry.Index, list[0].command)
	}
	b := &unpacked{of: c.restore}
	f.state.backup = b
	chunks := &chunkReader{db: f.state.DB, of: c.restore, end: c.chunks}
	path, m, err := snapshot.Install(chunks, f.files.Dir())
	switch {
	case chunks.err != nil:
		return chunks.err
	case errors.Is(err, snapshot.ErrCorrupt), errors.Is(err, errOtherRestore):
		b.refused = errOtherRestore
		return nil
	case err != nil:
		return err
	case m.SchemaVersion > store.SchemaVersion:
		return errors.Join(fmt.Errorf("restore: %w: schema version %d; this program supports %d", store.ErrVersion,
			m.SchemaVersion, store.SchemaVersion), store.Remove(path))
	}
	b.path = path
	if m.SchemaVersion < store.SchemaVersion {
		if _, err := tryLoad(path); err != nil { // which migrates it
			return err
		}
	}
	return f.state.Attach(path)
}

// detach undoes attach.
func (f *FSM) detach() error {
	b := f.state.backup
	f.state.backup = nil
	if b.path == "" {
		return nil
	}
	return errors.Join(f.state.Detach(), store.Remove(b.path), f.state.Shrink())
}

// chunkReader reads the chunks of a restore.
type chunkReader struct {
	db      *store.DB
	of      lease
	n, end  uint64
	current []byte
	err     error // of the database
}

func (r *chunkReader) Read(p []byte) (int, error) {
	for len(r.current) == 0 {
		if r.n == r.end {
			return 0, io.EOF
		}
		row := make([]driver.Value, 1)
		found, err := r.db.Row(row, selectChunk, int64(r.n), r.of[:])
		if err != nil {
			r.err = err
			return 0, err
		}
		if !found {
			return 0, errOtherRestore
		}
		r.current = row[0].([]byte)
		r.n++
	}
	n := copy(p, r.current)
	r.current = r.current[n:]
	return n, nil
}

// Restored returns a channel that is closed when a backup is restored.
func (f *FSM) Restored() <-chan struct{} { return f.renewed.wait() }
