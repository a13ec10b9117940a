package api

import (
	"context"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm"
	"github.com/ffrtmp/ffrtmp/leader"
)

// State is what the API reads of the replicated state; fsm.FSM has it.
type State interface {
	Index() uint64
	WaitIndex(ctx context.Context, index uint64) error
	Job(ctx context.Context, ref string) (ffrtmp.Job, error)
	Summary(ctx context.Context, seq uint64) (ffrtmp.Job, error)
	Jobs(ctx context.Context, filter ffrtmp.Filter, page ffrtmp.Page) (ffrtmp.List, error)
	Seqs(ctx context.Context, filter ffrtmp.Filter, after uint64, limit int) ([]uint64, error)
	AttemptLog(ctx context.Context, seq uint64, attempt int) (string, error)
	Node(id string) (ffrtmp.Node, error)
	Nodes() []ffrtmp.Node
	Waiting(seq uint64) fsm.Waiting
	Keys() []ffrtmp.Key
	Credential(id string) (fsm.Credential, bool)
	Audit(ctx context.Context, page ffrtmp.AuditPage) (ffrtmp.AuditList, error)
	Events(ctx context.Context, after ffrtmp.EventID) (list []ffrtmp.Event, upTo ffrtmp.EventID, err error)
	LastEvent(ctx context.Context) (ffrtmp.EventID, error)
	Query(ctx context.Context, sql string) (ffrtmp.QueryResult, error)
	KnownJobs(ctx context.Context, ids []string) (map[string]uint64, error)
	KnownNode(id, address string) string
	Submitted(ctx context.Context, id fsm.Idempotency) (bool, error)
}

// Proposer is what users change; fsm.Proposer has it. The first result is the Raft
// index of the change.
type Proposer interface {
	Submit(ctx context.Context, id fsm.Idempotency, specs []ffrtmp.Spec) (uint64, fsm.Submitted, error)
	Act(ctx context.Context, id fsm.Idempotency, action ffrtmp.Action, seq uint64) (uint64, fsm.Done, error)
	CancelMany(ctx context.Context, id fsm.Idempotency, filter ffrtmp.Filter, seqs []uint64) (uint64, fsm.Done, error)
	Patch(ctx context.Context, id fsm.Idempotency, seq uint64, change ffrtmp.Patch) (uint64, fsm.Done, error)
	Register(ctx context.Context, id fsm.Idempotency, r ffrtmp.Registration) (uint64, fsm.NodeRegistered, error)
	SetEligibility(ctx context.Context, id fsm.Idempotency, nodeID string, value ffrtmp.Eligibility) (uint64, fsm.Done, error)
	RemoveNode(ctx context.Context, nodeID string, force bool) (uint64, fsm.Changed, error)
	CreateKey(ctx context.Context, id fsm.Idempotency, k ffrtmp.NewKey) (index uint64, created ffrtmp.CreatedKey, replayed bool, err error)
	RevokeKey(ctx context.Context, id string) (uint64, ffrtmp.Key, error)
	Note(ctx context.Context, action, target string) (uint64, error)
	Import(ctx context.Context, id fsm.Idempotency, batch ffrtmp.Import) (uint64, fsm.Imported, error)
}

// Scheduler is the leader's memory; leader.Scheduler has it. Without leadership
// its methods that return an error return NoLeader, the others know nothing.
type Scheduler interface {
	Leading() bool
	Claim(ctx context.Context, nodeID string, limit int, wait time.Duration) (uint64, []ffrtmp.Job, error)
	Next(ctx context.Context, nodeID, requestID string) (uint64, []ffrtmp.Job, error)
	Heartbeat(ctx context.Context, nodeID string, h *ffrtmp.Heartbeat) ([]ffrtmp.Command, leader.HeartbeatTiming, error)
	Result(ctx context.Context, id fsm.Idempotency, r *ffrtmp.Result) (uint64, ffrtmp.ResultResponse, error)
	NodeChanged(id string)
	Changed()
	Overlay(j *ffrtmp.Job) bool
	Log(jobID string, attempt int) *leader.Log
	LastSeen(nodeID string) (time.Time, bool)
}
