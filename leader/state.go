package leader

import (
	"context"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
)

// State is what the scheduler reads of the replicated state; fsm.FSM has it.
type State interface {
	Job(ctx context.Context, ref string) (ffrtmp.Job, error)
	Resolve(ctx context.Context, ref string) (seq uint64, err error)
	Claims(ctx context.Context, claimed []fsm.Claimed) ([]ffrtmp.Job, error)
	Running() []fsm.RunningAttempt
	NodeAttempts(nodeID string) []fsm.RunningAttempt
	Node(id string) (ffrtmp.Node, error)
	Nodes() []ffrtmp.Node

	// HasReady reports whether a claim would give the node a job.
	HasReady(nodeID string, now time.Time) bool
	// ReadyCount is how many jobs could be claimed, whatever nodes they need.
	ReadyCount(now time.Time) int
	// ReadyChanged returns a channel that is closed when HasReady may have
	// turned true for some node.
	ReadyChanged() <-chan struct{}
	// NextNotBefore is when the next job that waits out its backoff is ready.
	NextNotBefore() (time.Time, bool)

	// What is old, for Proposer.Prune.
	OldJobs(ctx context.Context, before time.Time, after uint64, limit int) (seqs []uint64, err error)
	OldKeys(ctx context.Context, before time.Time, after fsm.RequestKey, limit int) (old []fsm.RequestKey, next fsm.RequestKey, err error)
	HasOldEvents(ctx context.Context, before time.Time) (bool, error)
}

// Proposer is what the scheduler proposes; fsm.Proposer has it. The first result is
// the Raft index of the command.
type Proposer interface {
	Claim(ctx context.Context, nodeID string, limit int) (uint64, []fsm.Claimed, error)
	ClaimAs(ctx context.Context, nodeID, lease string) (uint64, []fsm.Claimed, error)
	Result(ctx context.Context, id fsm.Idempotency, seq uint64, r ffrtmp.Result) (uint64, fsm.Resulted, error)
	Expire(ctx context.Context, attempts []fsm.AttemptID) (uint64, fsm.Changed, error)
	TimeOut(ctx context.Context, attempts []fsm.AttemptID) (uint64, fsm.Changed, error)
	TakeBack(ctx context.Context, nodeID string, attempts []fsm.RunningAttempt) (uint64, fsm.Changed, error)
	SetOffline(ctx context.Context, nodeIDs []string, offline bool) (uint64, fsm.Done, error)
	Progress(ctx context.Context, reports []fsm.Report) (uint64, fsm.Done, error)
	Prune(ctx context.Context, r fsm.PruneRequest) (uint64, fsm.Pruned, error)
}
