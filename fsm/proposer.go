package fsm

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// ProposerOptions are a Proposer's sources of what the FSM must not generate.
type ProposerOptions struct {
	Now   func() time.Time // nil: the clock
	NewID func() string    // a new UUID, ordered by time; nil: UUIDv7
	Rand  io.Reader        // unguessable; nil: crypto/rand

	MaxRetries int           // default
	RetryBase  time.Duration // wait before the first retry; 0: 5 s
	RetryCap   time.Duration // 0: 5 min

	Level func() int // that every master can apply; nil: this build's
}

// Proposer turns requests into commands and proposes them. Only it generates times, ids,
// leases and random numbers. Every method returns the Raft index of its entry, which
// is visible to queries by then, and a *ffrtmp.Error: NoLeader when it is safe to retry,
// UnknownOutcome when it may have happened. Arguments must have been validated. All methods may
// be called from any goroutine.
type Proposer struct {
	opts  ProposerOptions
	batch batcher
}

// NewProposer returns a Proposer on a log.
func NewProposer(log Log, opts ProposerOptions) *Proposer {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.NewID == nil {
		opts.NewID = func() string { return uuid.Must(uuid.NewV7()).String() }
	}
	if opts.Rand == nil {
		opts.Rand = rand.Reader
	}
	if opts.RetryBase == 0 {
		opts.RetryBase = 5 * time.Second
	}
	if opts.RetryCap == 0 {
		opts.RetryCap = 5 * time.Minute
	}
	if opts.Level == nil {
		opts.Level = func() int { return Level }
	}
	return &Proposer{opts: opts, batch: batcher{log: log}}
}

// propose sends a command and returns its result as a T.
func propose[T any](ctx context.Context, p *Proposer, id Idempotency, c command) (index uint64, result T, err error) {
	env := envelope{time: p.opts.Now().UnixNano(), idempotency: id, actor: actorOf(ctx)}
	if err := p.checkLevel(c); err != nil {
		return 0, result, err
	}
	send := p.batch.propose
	if kind := c.kind(); kind == KindRestore || kind == KindCheck {
		send = p.batch.proposeAlone
	}
	index, answer, err := send(ctx, encodeCommand(env, c))
	if err != nil {
		return 0, result, err
	}
	if refused, ok := answer.(*ffrtmp.Error); ok {
		return index, result, refused
	}
	result, ok := answer.(T)
	if !ok {
		return index, result, ffrtmp.Errorf(ffrtmp.Conflict,
			"the idempotency key %q was used for another kind of request",
			id.Key)
	}
	return index, result, nil
}

// checkLevel rejects a command that an older master could not apply, while a cluster is upgraded.
func (p *Proposer) checkLevel(c command) error {
	if p.opts.Level() < kinds[c.kind()][c.version()-1].level {
		return ffrtmp.Errorf(ffrtmp.Conflict, "not supported by every master yet: upgrade all masters first")
	}
	return nil
}

// Submit creates jobs, all or none.
func (p *Proposer) Submit(ctx context.Context, id Idempotency, specs []ffrtmp.Spec) (uint64, Submitted, error) {
	c := &submit{specs: make([]spec, len(specs))}
	for i := range specs {
		id, err := uuid.Parse(p.opts.NewID())
		if err != nil {
			return 0, Submitted{}, ffrtmp.Errorf(ffrtmp.Internal, "generate id: %w", err)
		}
		if c.specs[i], err = p.spec(id, &specs[i]); err != nil {
			return 0, Submitted{}, err
		}
	}
	return propose[Submitted](ctx, p, id, c)
}

// Job is a job of a submission that was not replayed, as it was created: what a query at
// the submission's index returns.
func (p *Proposer) Job(s *ffrtmp.Spec, made ffrtmp.SubmittedJob, createdAt time.Time) ffrtmp.Job {
	j := ffrtmp.Job{
		ID: made.ID, SequenceNumber: made.SequenceNumber,
		Scenario: s.Scenario, Confidence: s.Confidence, Engine: s.Engine, Classification: s.Classification,
		Parameters: s.Parameters, Status: ffrtmp.Pending, Queue: s.Queue, Priority: s.Priority,
		CreatedAt: createdAt, MaxRetries: p.maxRetries(s), Labels: s.Labels, Origin: s.Origin,
	}
	if !s.Requires.IsZero() {
		j.Requires = s.Requires
	}
	return j
}

func (p *Proposer) maxRetries(s *ffrtmp.Spec) int {
	if s.MaxRetries != nil {
		return *s.MaxRetries
	}
	return p.opts.MaxRetries
}

// spec is a submission as a job with the given id.
func (p *Proposer) spec(id uuid.UUID, s *ffrtmp.Spec) (spec, error) {
	timeout, err := timeoutOf(s.Parameters)
	if err != nil {
		return spec{}, err
	}
	made := spec{
		id: id, scenario: s.Scenario, confidence: s.Confidence, engine: s.Engine, classification: s.Classification,
		parameters: string(s.Parameters), labels: store.Marshal(s.Labels, len(s.Labels) == 0),
		requires: store.Marshal(s.Requires, s.Requires.IsZero()),
		queue:    store.Code(store.QueueCodes, s.Queue), priority: store.Code(store.PriorityCodes, s.Priority),
		maxRetries: int64(p.maxRetries(s)), timeout: int64(timeout),
		origin: s.Origin,
	}
	return made, nil
}

// Import adds jobs and nodes of another system, with their state there. Those that are
// known are not changed.
func (p *Proposer) Import(ctx context.Context, id Idempotency, batch ffrtmp.Import) (uint64, Imported, error) {
	c := &importing{nodes: make([]importedNode, len(batch.Nodes)), jobs: make([]importedJob, len(batch.Jobs))}
	for i := range batch.Nodes {
		c.nodes[i] = importedNodeOf(&batch.Nodes[i])
	}
	for i := range batch.Jobs {
		j := &batch.Jobs[i]
		known, err := uuid.Parse(j.ID)
		if err != nil {
			return 0, Imported{}, ffrtmp.FieldErrorf("id", "%v", err)
		}
		made, err := p.spec(known, &j.Spec)
		if err != nil {
			return 0, Imported{}, err
		}
		c.jobs[i] = importedJobOf(made, j)
	}
	return propose[Imported](ctx, p, id, c)
}

// timeoutOf returns an attempt's timeout, 0 for none. It parses the parameters only if
// they have one, because every submission calls it.
func timeoutOf(parameters json.RawMessage) (time.Duration, error) {
	if !bytes.Contains(parameters, []byte(`"timeout_sec"`)) {
		return 0, nil
	}
	var p struct {
		Limits struct {
			Seconds int64 `json:"timeout_sec"`
		} `json:"resource_limits"`
	}
	if err := json.Unmarshal(parameters, &p); err != nil {
		return 0, ffrtmp.FieldErrorf("parameters.resource_limits.timeout_sec", "%v", err)
	}
	return time.Duration(p.Limits.Seconds) * time.Second, nil
}

// maxClaim bounds the attempts of one claim.
const maxClaim = 1024

// Claim assigns a node up to limit attempts, at most one for each free slot.
func (p *Proposer) Claim(ctx context.Context, nodeID string, limit int) (uint64, []store.Attempt, error) {
	leases := make([]lease, max(0, min(limit, maxClaim)))
	for i := range leases {
		if _, err := io.ReadFull(p.opts.Rand, leases[i][:]); err != nil {
			return 0, nil, fmt.Errorf("generate lease: %w", err)
		}
	}
	return p.claim(ctx, &claim{node: nodeID, leases: leases})
}

// ClaimAs assigns a node at most one attempt, with this lease.
func (p *Proposer) ClaimAs(ctx context.Context, nodeID, as string) (uint64, []store.Attempt, error) {
	return p.claim(ctx, &claim{node: nodeID, leases: []lease{parseLease(as)}})
}

func (p *Proposer) claim(ctx context.Context, c *claim) (uint64, []store.Attempt, error) {
	index, attempts, err := propose[[]claimed](ctx, p, Idempotency{}, c)
	claimed := make([]store.Attempt, len(attempts))
	for i, g := range attempts {
		claimed[i] = g.row()
	}
	return index, claimed, err
}

// Result reports a node's result for an attempt of the job with this number.
func (p *Proposer) Result(ctx context.Context, id Idempotency, seq uint64, r ffrtmp.Result) (uint64, Resulted, error) {
	c := &result{
		seq: seq, node: r.NodeID, attempt: int64(r.Attempt), lease: parseLease(r.Lease), status: r.Status,
		unseen: r.InputUnseen,
		Result: store.Result{
			Error: r.Error, Reason: r.FailureReason, Log: r.Logs, LogOffset: r.LogOffset,
			Output: store.Marshal(r.Output, r.Output == nil), Metrics: string(r.Metrics),
			AnalyzerOutput: string(r.AnalyzerOutput), Warnings: store.Marshal(r.Warnings, len(r.Warnings) == 0),
			Media: store.Marshal(r.Media, r.Media == nil),
		},
	}
	var err error
	if c.backoff, err = p.backoff(); err != nil {
		return 0, Resulted{}, err
	}
	return propose[Resulted](ctx, p, id, c)
}

func (p *Proposer) backoff() (backoff, error) {
	jitter, err := rand.Int(p.opts.Rand, big.NewInt(500))
	if err != nil {
		return backoff{}, fmt.Errorf("generate jitter: %w", err)
	}
	return backoff{base: int64(p.opts.RetryBase), limit: int64(p.opts.RetryCap), jitter: jitter.Int64()}, nil
}

// Expire ends attempts whose leases have expired. It ignores attempts that have ended
// meanwhile, are sealed or are not current.
func (p *Proposer) Expire(ctx context.Context, attempts []store.AttemptID) (uint64, Changed, error) {
	return propose[Changed](ctx, p, Idempotency{}, &expire{ids: attempts})
}

// TimeOut fails attempts that have exceeded their timeout.
func (p *Proposer) TimeOut(ctx context.Context, attempts []store.AttemptID) (uint64, Changed, error) {
	b, err := p.backoff()
	if err != nil {
		return 0, Changed{}, err
	}
	return propose[Changed](ctx, p, Idempotency{}, &timeOut{ids: attempts, backoff: b})
}

// Reclaim restores lost attempts that a node is still running, unless a newer
// attempt was claimed. It uses only an attempt's Seq, Attempt and Lease.
func (p *Proposer) Reclaim(ctx context.Context, nodeID string, attempts []store.Attempt) (uint64, Changed, error) {
	c := &reclaim{node: nodeID, attempts: make([]leasedRef, len(attempts))}
	for i, a := range attempts {
		c.attempts[i] = leasedRef{a.AttemptID, parseLease(a.Lease)}
	}
	return propose[Changed](ctx, p, Idempotency{}, c)
}

// Act cancels, pauses, resumes or retries a job.
func (p *Proposer) Act(ctx context.Context, id Idempotency, action ffrtmp.Action, seq uint64) (uint64, Done, error) {
	return propose[Done](ctx, p, id, &act{action: action, seq: seq})
}

// Patch changes a pending job.
func (p *Proposer) Patch(ctx context.Context, id Idempotency, seq uint64, change ffrtmp.Patch) (uint64, Done, error) {
	c := &patch{
		seq: seq, queue: -1, priority: -1, maxRetries: -1, relabel: change.Labels != nil,
		labels: store.Marshal(change.Labels, len(change.Labels) == 0),
	}
	if change.Queue != nil {
		c.queue = store.Code(store.QueueCodes, *change.Queue)
	}
	if change.Priority != nil {
		c.priority = store.Code(store.PriorityCodes, *change.Priority)
	}
	if change.MaxRetries != nil {
		c.maxRetries = int64(*change.MaxRetries)
	}
	return propose[Done](ctx, p, id, c)
}

// Register registers a node. A v2.2 node, which has no id, gets a new one, or the one
// that its address has.
func (p *Proposer) Register(ctx context.Context, id Idempotency, r ffrtmp.Registration) (uint64, Registered, error) {
	nodeID := r.NodeID
	if nodeID == "" {
		nodeID = p.opts.NewID()
	}
	return propose[Registered](ctx, p, id, &register{id: nodeID, node: r})
}

// SetEligibility sets whether a node gets new attempts. What a draining node still runs is requeued
// after a time, unless that is 0.
func (p *Proposer) SetEligibility(ctx context.Context, id Idempotency, nodeID string,
	value ffrtmp.Eligibility, after time.Duration,
) (uint64, Done, error) {
	return propose[Done](ctx, p, id, &eligibility{node: nodeID, value: value, after: int64(after)})
}

// EndPlacements ends drains and cordons whose time has come. It returns the attempts that it has ended.
func (p *Proposer) EndPlacements(ctx context.Context, nodeIDs []string) (uint64, Changed, error) {
	return propose[Changed](ctx, p, Idempotency{}, &placementDue{nodes: nodeIDs})
}

// RemoveNode removes a node. A busy one needs force; its attempts, sealed ones included,
// are then lost and cannot be reclaimed.
func (p *Proposer) RemoveNode(ctx context.Context, nodeID string, force bool) (uint64, Changed, error) {
	return propose[Changed](ctx, p, Idempotency{}, &removeNode{node: nodeID, force: force})
}

// SetOffline records that nodes have stopped or resumed their heartbeats.
func (p *Proposer) SetOffline(ctx context.Context, nodeIDs []string, offline bool) (uint64, Done, error) {
	return propose[Done](ctx, p, Idempotency{}, &liveness{nodes: nodeIDs, offline: offline})
}

// Report is a stored sample of an attempt's progress.
type Report struct {
	store.AttemptID
	Percent int
	Detail  *ffrtmp.Progress
	At      time.Time
}

// Seen is a node's newest heartbeat.
type Seen struct {
	NodeID string
	At     time.Time
}

// Progress stores reports of many attempts and the heartbeats of many nodes.
func (p *Proposer) Progress(ctx context.Context, reports []Report, nodes []Seen) (uint64, Done, error) {
	c := &progress{reports: make([]progressReport, len(reports)), nodes: make([]nodeSeen, len(nodes))}
	for i, n := range nodes {
		c.nodes[i] = nodeSeen{n.NodeID, n.At.UnixNano()}
	}
	for i, r := range reports {
		c.reports[i] = progressReport{
			r.AttemptID, int64(r.Percent), store.Marshal(r.Detail, r.Detail == nil),
			r.At.UnixNano(),
		}
	}
	return propose[Done](ctx, p, Idempotency{}, c)
}
