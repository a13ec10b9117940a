package fsm

import (
	"context"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// acquire returns the current database for a read.
func (f *FSM) acquire() (db *store.DB, release func(), err error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return nil, nil, ffrtmp.Errorf(ffrtmp.Internal, "this master has no usable state yet")
	}
	return f.state.DB, f.state.Use(), nil
}

// activeSeqs returns the jobs of a non-terminal status that keep accepts.
func (f *FSM) activeSeqs(status ffrtmp.Status, keep func(uint64) bool) []uint64 {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return nil
	}
	seqs := make([]uint64, 0, f.state.active[store.Code(store.StatusCodes, status)])
	for seq, j := range f.state.jobs {
		if j.status == status && keep(seq) {
			seqs = append(seqs, seq)
		}
	}
	return seqs
}

// Query answers a user's SQL over the views jobs, nodes and attempts.
func (f *FSM) Query(ctx context.Context, sql string) (ffrtmp.QueryResult, error) {
	return f.users.Query(ctx, sql)
}
