package fsm

import (
	"errors"

	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// state is one open database and what is derived from it.
type state struct {
	*store.DB

	meta    store.Meta
	jobs    map[uint64]*activeJob
	active  [3]int // unfinished jobs, by status code
	ready   ready
	outputs outputs

	sidecars sidecars
	nodes    nodes

	mediaRoots mediaRoots

	keys    map[string]*key
	columns columns

	requests map[store.RequestID]int64 // rows of idempotency keys

	settings map[string]string // of the cluster

	wake    bool // more may be claimable than before
	pruned  bool // rows have been removed
	rekeyed bool // the keys differ from the published ones
	reset   bool // the settings do
	renewed bool // a backup was restored

	check *stateCheck // applied by the last entry, or nil

	backup *unpacked // what the entry about to be applied restores, or nil
}

// openState opens a database file and loads memory from it.
func openState(path string) (*state, error) {
	return openChecked(path, func(*store.DB) func() { return func() {} })
}

// openChecked also starts a check of the database, which runs meanwhile, and may wait for its end.
func openChecked(path string, check func(*store.DB) (wait func())) (*state, error) {
	db, err := store.Open(path)
	if err != nil {
		return nil, err
	}
	wait := check(db)
	s := &state{
		DB: db, jobs: map[uint64]*activeJob{}, outputs: outputs{}, sidecars: sidecars{}, ready: newReady(),
		nodes:      newNodes(),
		mediaRoots: newMediaRoots(),
		keys:       map[string]*key{}, columns: newColumns(), settings: map[string]string{}, rekeyed: true, reset: true,
	}
	if err := s.DB.Consistently(s.load); err != nil {
		wait()
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}
