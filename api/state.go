package api

import (
	"context"
	"time"

	"ffrtmp/fsm"
	"ffrtmp/job"
	"ffrtmp/scheduler"
)

// State is what the API reads of the replicated state; fsm.FSM has it.
type State interface {
	Index() uint64
	WaitIndex(ctx context.Context, index uint64) error
	Job(ctx context.Context, ref string) (job.Job, error)
	Summary(ctx context.Context, seq uint64) (job.Job, error)
	Jobs(ctx context.Context, filter job.Filter, page job.Page) (job.List, error)
	Seqs(ctx context.Context, filter job.Filter, after uint64, limit int) ([]uint64, error)
	AttemptLog(ctx context.Context, seq uint64, attempt int) (string, error)
	Node(id string) (job.Node, error)
	Nodes() []job.Node
	Waiting(seq uint64) fsm.Waiting
	Keys() []job.Key
	Credential(id string) (fsm.Credential, bool)
	Audit(ctx context.Context, page job.AuditPage) (job.AuditList, error)
	Events(ctx context.Context, after job.EventID) (list []job.Event, upTo job.EventID, err error)
	LastEvent(ctx context.Context) (job.EventID, error)
	Query(ctx context.Context, sql string) (job.QueryResult, error)
	KnownJobs(ctx context.Context, ids []string) (map[string]uint64, error)
	KnownNode(id, address string) string
	Submitted(ctx context.Context, id fsm.Idempotency) (bool, error)
}

// Proposer is what users change; fsm.Proposer has it. The first result is the Raft
// index of the change.
type Proposer interface {
	Submit(ctx context.Context, id fsm.Idempotency, specs []job.Spec) (uint64, fsm.Submitted, error)
	Act(ctx context.Context, id fsm.Idempotency, action job.Action, seq uint64) (uint64, fsm.Done, error)
	CancelMany(ctx context.Context, id fsm.Idempotency, filter job.Filter, seqs []uint64) (uint64, fsm.Done, error)
	Patch(ctx context.Context, id fsm.Idempotency, seq uint64, change job.Patch) (uint64, fsm.Done, error)
	Register(ctx context.Context, id fsm.Idempotency, r job.Registration) (uint64, fsm.NodeRegistered, error)
	SetEligibility(ctx context.Context, id fsm.Idempotency, nodeID string, value job.Eligibility) (uint64, fsm.Done, error)
	RemoveNode(ctx context.Context, nodeID string, force bool) (uint64, fsm.Changed, error)
	CreateKey(ctx context.Context, id fsm.Idempotency, k job.NewKey) (index uint64, created job.CreatedKey, replayed bool, err error)
	RevokeKey(ctx context.Context, id string) (uint64, job.Key, error)
	Note(ctx context.Context, action, target string) (uint64, error)
	Import(ctx context.Context, id fsm.Idempotency, batch job.Import) (uint64, fsm.Imported, error)
}

// Scheduler is the leader's memory; scheduler.Scheduler has it. Without leadership
// its methods that return an error return NoLeader, the others know nothing.
type Scheduler interface {
	Leading() bool
	Claim(ctx context.Context, nodeID string, limit int, wait time.Duration) (uint64, []job.Job, error)
	Next(ctx context.Context, nodeID, requestID string) (uint64, []job.Job, error)
	Heartbeat(ctx context.Context, nodeID string, h *job.Heartbeat) ([]job.Command, scheduler.HeartbeatTiming, error)
	Result(ctx context.Context, id fsm.Idempotency, r *job.Result) (uint64, job.ResultResponse, error)
	NodeChanged(id string)
	Changed()
	Overlay(j *job.Job) bool
	Log(jobID string, attempt int) *scheduler.Log
	LastSeen(nodeID string) (time.Time, bool)
}
