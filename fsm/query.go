package fsm

import (
	"context"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

var (
	errNoState = ffrtmp.Errorf(ffrtmp.Internal, "this master has no usable state yet")
	errFailed  = ffrtmp.Errorf(ffrtmp.Internal, "this master cannot write its state")
)

// acquire returns the current database for a read that sees all applied entries.
func (f *FSM) acquire() (db *store.DB, release func(), err error) {
	if err := f.settle(); err != nil {
		return nil, nil, err
	}
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return nil, nil, errNoState
	}
	return f.state.DB, f.state.Use(), nil
}

// Query answers a user's SQL over the views jobs, nodes and attempts.
func (f *FSM) Query(ctx context.Context, sql string) (ffrtmp.QueryResult, error) {
	return f.users.Query(ctx, sql)
}
