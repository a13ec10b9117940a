// Package fsm is the replicated state machine: it applies commands as SQL, identically
// on every master.
//
// The state is a live SQLite database. It is written in the same transaction as
// the index of the Raft entry that it reflects, so a restart applies nothing twice. The
// transaction collects entries (collect.go), and is committed before anything is read.
// Durability is the Raft log's: SQLite does not sync, and after an unclean reboot
// the database is discarded and restored from snapshot and log.
//
// Memory holds only what is derived from the database: which jobs wait for which kind
// of node, which attempts each node runs. It is loaded on opening and changed
// together with the database.
//
// The write path is Proposer (which generates times, ids, leases and random numbers),
// Raft, ApplyBatch, and a result, which is a value or a *ffrtmp.Error. An entry that
// cannot be decoded or written ends the process through Options.Fatal.
//
// Queries return jobs with their parameters as submitted, secrets included. Call
// ffrtmp.RedactParameters before showing one to anyone but the node that runs it.
package fsm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/ffrtmp/ffrtmp/fsm/store"
	"github.com/ffrtmp/ffrtmp/internal/usersql"
)

// Options of an FSM.
type Options struct {
	// Path is where the operator finds the database: a symbolic link that the FSM
	// maintains, to the current state file in Dir. Empty: the state is kept in memory (a
	// private directory in /dev/shm if that exists) and removed on Close.
	Path string
	// Dir holds the state files. The FSM owns the names state*; other packages may keep
	// files under other names there.
	Dir        string
	Logger     hclog.Logger          // nil: none
	Registerer prometheus.Registerer // nil: no metrics
	// Fatal is called when an entry cannot be applied: the process must end. The default
	// panics. If it returns, the FSM applies no more entries.
	Fatal func(error)

	bootID string // for tests; "" asks the kernel
}

// FSM is the state machine. Raft calls Apply, ApplyBatch, Snapshot and Restore
// from one goroutine; Verify and Discard come before that. Everything else may be
// called from any goroutine.
type FSM struct {
	opts    Options
	cluster func() string // see SetClusterID
	files   *store.Files
	log     hclog.Logger
	metrics metrics

	applying  sync.Mutex // held while entries are applied, and by maintenance between them
	collected collected
	committed atomic.Uint64 // the index that the database reflects

	life       context.Context // ends with Close
	end        context.CancelFunc
	background sync.WaitGroup
	vacuuming  atomic.Bool

	store.Reader
	users *usersql.Runner

	mu    sync.RWMutex // of state and everything derived in it
	state *state       // nil between a failed Verify and Discard
	fault error        // why the state on disk cannot be used

	checked  chan struct{} // closed when the check of the state that Open found has ended
	checkErr error         // its outcome; read it after checked

	tail     *tail                 // what is applied while Rebuild fetches a state; guarded by applying
	out      atomic.Pointer[error] // see Out
	summing  atomic.Bool
	sumsLock sync.Mutex
	sums     []*store.StateSum // of the last checks
	summed   *broadcast

	keys     atomic.Pointer[keyring]
	settings atomic.Pointer[map[string]string]
	index    atomic.Uint64
	changed  *broadcast  // the index
	waking   *broadcast  // what can be claimed
	renewed  *broadcast  // the state was restored from a backup
	halted   atomic.Bool // no more entries are applied
	failed   atomic.Bool // because of an error
	closing  atomic.Bool
}

// Open opens the state, or creates an empty one. A state that is corrupt or not trusted
// is not an error here, but in Verify. An error that wraps store.ErrForeign means that
// Path is not ours; it was not touched.
func Open(opts Options) (*FSM, error) {
	if opts.Logger == nil {
		opts.Logger = hclog.NewNullLogger()
	}
	if opts.Fatal == nil {
		opts.Fatal = func(err error) { panic(err) }
	}
	files, err := store.OpenFiles(opts.Path, opts.Dir, opts.bootID)
	if err != nil {
		return nil, err
	}
	f := &FSM{
		opts: opts, files: files, log: opts.Logger, changed: newBroadcast(), waking: newBroadcast(),
		renewed: newBroadcast(), summed: newBroadcast(),
	}
	f.checked = make(chan struct{})
	close(f.checked)
	f.collected = collected{alone: collectAlone, limit: collectTime, delay: checkpointDelay}
	f.Reader = store.NewReader(f.acquire)
	f.users = usersql.New(f.Reader, usersql.DefaultLimits)
	f.keys.Store(&keyring{})
	f.settings.Store(&map[string]string{})
	f.life, f.end = context.WithCancel(context.Background())
	f.metrics = newMetrics(opts.Registerer, f)
	if f.fault = files.Trust(); f.fault == nil {
		f.state, f.fault = openChecked(files.Current(), f.startCheck)
	}
	if errors.Is(f.fault, store.ErrVersion) {
		return nil, errors.Join(f.fault, files.Close(false))
	}
	if f.fault != nil {
		f.log.Warn("state on disk is unusable", "error", f.fault)
		f.state = nil
		return f, nil //nolint:nilerr // Verify returns the fault
	}
	f.publish(f.state)
	f.startColumns(f.state)
	return f, nil
}

// Applied returns the Raft index and term of the state; 0, 0 when there is no trusted
// state.
func (f *FSM) Applied() (index, term uint64) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return 0, 0
	}
	return f.state.meta.Index, f.state.meta.Term
}

// Index returns the newest Raft index that queries see.
func (f *FSM) Index() uint64 { return f.index.Load() }

// Verify returns nil when the state on disk can be trusted: it could be opened,
// was closed cleanly or written under the same boot of the machine, and passes SQLite's
// check if its process died.
func (f *FSM) Verify() error {
	if f.fault != nil {
		return f.fault
	}
	<-f.checked
	return f.checkErr
}

// startCheck checks the whole database unless it was closed cleanly. It reads beside the loading of memory, which takes
// about as long.
func (f *FSM) startCheck(db *store.DB) (wait func()) {
	if f.files.Clean() {
		return func() {}
	}
	f.checked = make(chan struct{})
	f.background.Go(func() {
		defer close(f.checked)
		f.checkErr = db.Check()
	})
	return func() { <-f.checked }
}

// Discard discards the state and starts with an empty one.
func (f *FSM) Discard() error {
	path, err := f.files.Create()
	if err != nil {
		return err
	}
	s, err := openState(path)
	if err != nil {
		return err
	}
	f.fault = nil
	return f.replace(s)
}

// replace switches to another database.
func (f *FSM) replace(s *state) error {
	<-f.checked // it reads the old one
	f.checkErr = nil
	f.applying.Lock()
	defer f.applying.Unlock()
	return f.replaceLocked(s, "")
}

// replaceLocked is replace for a caller that holds applying. The old state's files are moved into the directory
// aside, or removed if there is none.
func (f *FSM) replaceLocked(s *state, aside string) error {
	f.mu.Lock()
	old := f.state
	f.state = s
	f.mu.Unlock()
	f.collected.end()
	if old != nil {
		if err := old.Close(); err != nil {
			f.log.Warn("cannot close the replaced state", "error", err)
		}
	}
	if aside != "" {
		if err := f.files.SetAside(aside); err != nil {
			return err
		}
	}
	if err := f.files.Use(s.Path()); err != nil {
		return err
	}
	s.wake = true
	f.publish(s)
	s.wake = false
	f.startColumns(s)
	return nil
}

// Close closes the state. If it returns nil, the state is synced and will be trusted
// after a reboot.
func (f *FSM) Close() error {
	if f.closing.Swap(true) {
		return nil
	}
	f.applying.Lock()
	f.end() // no background work starts from now on
	if f.collected.checkpoint != nil {
		f.collected.checkpoint.Stop()
	}
	f.applying.Unlock()
	f.background.Wait()
	f.applying.Lock()
	defer f.applying.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.metrics.unregister()
	if f.state == nil {
		return f.files.Close(false)
	}
	if f.failed.Load() {
		return errors.Join(f.state.Close(), f.files.Close(false))
	}
	synced := f.commit()
	f.collected.end()
	if synced == nil {
		synced = f.state.Sync()
	}
	if err := errors.Join(synced, f.state.Close()); err != nil {
		return errors.Join(err, f.files.Close(false))
	}
	return f.files.Close(f.Out() == nil)
}

// halt ends the process, or at least stops applying.
func (f *FSM) halt(err error) {
	f.failed.Store(true)
	f.halted.Store(true)
	f.log.Error("cannot apply the log; stopping", "error", err)
	f.opts.Fatal(err)
}
