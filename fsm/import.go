package fsm

import (
	"database/sql/driver"
	"fmt"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// importing adds jobs and nodes of another system.
type importing struct {
	v1
	nodes []importedNode
	jobs  []importedJob
}

type importedNode struct {
	id           string
	node         ffrtmp.Registration
	registeredAt int64
	heartbeat    int64
}

type importedJob struct {
	spec
	seq                                int64 // in the other system
	status                             int64 // code
	progress                           int64
	createdAt, activityAt, completedAt int64
	retries                            int64
	retryReason, error, reason, log    string
	last                               pastAttempt
	earlier                            []pastAttempt
}

// pastAttempt is the last attempt of an imported job; number 0 is none.
type pastAttempt struct {
	attempt            int64
	node               string
	outcome            int64 // code
	startedAt, endedAt int64
	error, reason      string
	metrics            string // JSON, or ""
}

func pastAttemptOf(a *ffrtmp.Attempt) pastAttempt {
	return pastAttempt{
		int64(a.Attempt), a.NodeID, store.Code(store.OutcomeCodes, a.Outcome), store.Nanoseconds(a.StartedAt),
		store.Nanoseconds(a.EndedAt), a.Error, string(a.FailureReason), string(a.Metrics),
	}
}

func importedNodeOf(n *ffrtmp.ImportedNode) importedNode {
	return importedNode{n.ID, n.Registration, n.RegisteredAt.UnixNano(), n.LastHeartbeat.UnixNano()}
}

func importedJobOf(s spec, j *ffrtmp.ImportedJob) importedJob {
	made := importedJob{
		spec: s, seq: int64(j.SequenceNumber), status: store.Code(store.StatusCodes, j.Status),
		progress:  int64(j.Progress),
		createdAt: store.Nanoseconds(j.CreatedAt), activityAt: store.Nanoseconds(j.LastActivityAt),
		completedAt: store.Nanoseconds(j.CompletedAt),
		retries:     int64(j.RetryCount), retryReason: j.RetryReason, error: j.Error, reason: string(j.FailureReason),
		log: j.Logs,
	}
	if j.LastAttempt != nil {
		made.last = pastAttemptOf(j.LastAttempt)
	}
	for i := range j.EarlierAttempts {
		made.earlier = append(made.earlier, pastAttemptOf(&j.EarlierAttempts[i]))
	}
	return made
}

func (*importing) kind() Kind { return KindImport }

func (c *importing) encode(e *encoder) {
	e.uint(uint64(len(c.nodes)))
	for i := range c.nodes {
		n := &c.nodes[i]
		e.string(n.id)
		encodeRegistration(e, &n.node)
		e.int(n.registeredAt)
		e.int(n.heartbeat)
	}
	e.uint(uint64(len(c.jobs)))
	for i := range c.jobs {
		c.jobs[i].encode(e)
	}
}

func decodeImport(d *decoder) command {
	c := &importing{}
	if n := d.count(18); n > 0 {
		c.nodes = make([]importedNode, n)
	}
	for i := range c.nodes {
		n := &c.nodes[i]
		n.id = d.string()
		decodeRegistration(d, &n.node)
		n.registeredAt = d.int()
		n.heartbeat = d.int()
	}
	if n := d.count(specSize + 20); n > 0 {
		c.jobs = make([]importedJob, n)
	}
	for i := range c.jobs {
		c.jobs[i].decode(d)
	}
	return c
}

func (j *importedJob) encode(e *encoder) {
	j.spec.encode(e)
	e.int(j.seq)
	e.uint(uint64(j.status))
	e.ints(j.progress, j.createdAt, j.activityAt, j.completedAt, j.retries)
	e.texts(j.retryReason, j.error, j.reason, j.log)
	j.last.encode(e)
	e.uint(uint64(len(j.earlier)))
	for i := range j.earlier {
		j.earlier[i].encode(e)
	}
}

func (j *importedJob) decode(d *decoder) {
	j.spec.decode(d)
	j.seq = d.int()
	j.status = d.code(len(store.StatusCodes))
	d.ints(&j.progress, &j.createdAt, &j.activityAt, &j.completedAt, &j.retries)
	d.texts(&j.retryReason, &j.error, &j.reason, &j.log)
	j.last.decode(d)
	if n := d.count(pastAttemptSize); n > 0 {
		j.earlier = make([]pastAttempt, n)
	}
	for i := range j.earlier {
		j.earlier[i].decode(d)
	}
}

// pastAttemptSize is the least size of an encoded attempt.
const pastAttemptSize = 8

func (a *pastAttempt) encode(e *encoder) {
	e.int(a.attempt)
	e.string(a.node)
	e.uint(uint64(a.outcome))
	e.ints(a.startedAt, a.endedAt)
	e.texts(a.error, a.reason, a.metrics)
}

func (a *pastAttempt) decode(d *decoder) {
	a.attempt = d.int()
	a.node = d.string()
	a.outcome = d.code(len(store.OutcomeCodes))
	d.ints(&a.startedAt, &a.endedAt)
	d.texts(&a.error, &a.reason, &a.metrics)
}

// Imported is the result of an import, in its order. Its new jobs have the span numbers
// starting at from.
type Imported struct {
	Nodes    []ImportedNode
	Jobs     []ImportedJob
	Replayed bool // an earlier request with the same idempotency key imported them
	from     uint64
	span     uint64
}

// ImportedNode is a node's id here, which may differ from the imported one.
type ImportedNode struct {
	ID  string
	New bool
}

// ImportedJob is a job's number here.
type ImportedJob struct {
	Seq uint64
	New bool
}

var (
	selectImported = store.Prepared(`SELECT max(seq) FROM (SELECT seq FROM job_spec WHERE id = ? UNION ALL SELECT seq
	FROM imported WHERE id = ?)`)
	insertImported = store.Prepared(`INSERT INTO imported (id, seq) VALUES (?, ?)`)
	insertPast     = store.Prepared(`INSERT INTO job_state (seq, status, queue, priority, max_retries, retry_count,
	losses, attempt, hold, node, started_at, last_activity_at,
	completed_at, progress, retry_reason, error, failure_reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?,
	?)`)
)

func (c *importing) apply(t *tx) any {
	result := Imported{
		Nodes: make([]ImportedNode, len(c.nodes)), Jobs: make([]ImportedJob, len(c.jobs)),
		from: t.meta.NextSeq,
	}
	for i := range c.nodes {
		result.Nodes[i] = t.importNode(&c.nodes[i])
	}
	for i := range c.jobs {
		result.Jobs[i] = t.importJob(&c.jobs[i])
	}
	result.span = t.meta.NextSeq - result.from
	return result
}

func (c *importing) audit(*tx) entry {
	return entry{"import", "", details("jobs", fmt.Sprint(len(c.jobs)), "nodes", fmt.Sprint(len(c.nodes)))}
}

func (i Imported) keep() kept { return kept{i.from, int64(i.span)} }

// replay looks up what the import created: jobs with numbers in the stored span are its own.
func (c *importing) replay(t *tx, k kept) any {
	result := Imported{
		Nodes: make([]ImportedNode, len(c.nodes)), Jobs: make([]ImportedJob, len(c.jobs)),
		Replayed: true,
	}
	for i := range c.nodes {
		result.Nodes[i].ID = t.nodes.known(c.nodes[i].id, c.nodes[i].node.Address)
	}
	for i := range c.jobs {
		seq := t.known(&c.jobs[i])
		result.Jobs[i] = ImportedJob{Seq: seq, New: seq >= k.seq && seq < k.seq+uint64(k.count)}
	}
	return result
}

// known returns the number of a job that exists or was once imported, or 0.
func (t *tx) known(j *importedJob) uint64 {
	id := j.id.String()
	row := make([]driver.Value, 1)
	t.row(row, selectImported, id, id)
	seq, _ := row[0].(int64)
	return uint64(seq)
}

// known returns the id of the node, removed or not, that has this id, or of the one
// of v2.2 with this address, or "".
func (s *nodes) known(id, address string) string {
	if n, ok := s.byID[id]; ok {
		return n.ID
	}
	if n, ok := s.byAddress[address]; ok {
		return n.ID
	}
	return ""
}

func (t *tx) importNode(c *importedNode) ImportedNode {
	if id := t.nodes.known(c.id, c.node.Address); id != "" {
		return ImportedNode{ID: id}
	}
	n := t.nodes.make(c.id)
	n.Offline, n.Eligibility = true, ffrtmp.Eligible
	t.describe(n, &c.node)
	n.RegisteredAt, n.LastHeartbeat = store.TimeOf(c.registeredAt), store.TimeOf(c.heartbeat)
	t.nodes.add(n)
	t.write(n)
	t.event(ffrtmp.NodeRegistered, n)
	t.event(ffrtmp.NodeWentOff, n)
	return ImportedNode{ID: n.ID, New: true}
}

// statusEvents has the event of an imported job that is not pending.
var statusEvents = map[ffrtmp.Status]ffrtmp.EventType{
	ffrtmp.Paused: ffrtmp.JobPaused, ffrtmp.Completed: ffrtmp.JobCompleted, ffrtmp.Failed: ffrtmp.JobFailed,
	ffrtmp.Canceled: ffrtmp.JobCanceled,
}

// importJob adds a job that is not known yet. It keeps its number if that is not used
// yet; the numbers skipped are never used.
func (t *tx) importJob(c *importedJob) ImportedJob {
	if seq := t.known(c); seq != 0 {
		return ImportedJob{Seq: seq}
	}
	status := store.StatusCodes[c.status]
	j := &activeJob{
		seq: max(t.meta.NextSeq, uint64(max(c.seq, 0))), id: c.id, status: status,
		rank:    ffrtmp.Rank(store.QueueCodes[c.queue], store.PriorityCodes[c.priority]),
		attempt: c.last.attempt, createdAt: c.createdAt, startedAt: c.last.startedAt, timeout: c.timeout,
		retries:    c.retries,
		maxRetries: c.maxRetries, output: outputKeyOf(c.parameters), dirs: dirsOf(c.parameters),
	}
	t.meta.NextSeq = j.seq + 1
	nodeKey := int64(0)
	if j.node = t.nodes.imported(c.last.node); j.node != nil {
		nodeKey = j.node.Key
	}
	if store.OutcomeCodes[c.last.outcome] == ffrtmp.AttemptLost && status == ffrtmp.Pending && j.node != nil &&
		!j.node.Removed {
		// As after any loss, its node may report the result until the next claim.
		j.hold, j.losses = store.HoldLost, 1
	}
	t.insertSpec(j.seq, &c.spec, c.createdAt)
	t.exec(insertPast, int64(j.seq), c.status, c.queue, c.priority, c.maxRetries, c.retries, j.losses, j.attempt,
		int64(j.hold), nodeKey, j.startedAt, c.activityAt,
		c.completedAt, c.progress, store.Null(c.retryReason), store.Null(c.error), store.Null(c.reason))
	row := c.columns(c.status, c.createdAt)
	row.progress, row.node = c.progress, nodeKey
	t.columns.add(j.seq, row)
	t.exec(insertImported, c.id.String(), int64(j.seq))
	for i := range c.earlier {
		t.insertPast(j.seq, &c.earlier[i])
	}
	if a := &c.last; a.attempt > 0 {
		t.insertPast(j.seq, a)
		if c.log != "" {
			t.exec(insertLog, int64(j.seq), a.attempt, c.log, int64(0))
		}
	}
	t.countImported(j)
	t.jobEvent(ffrtmp.JobSubmitted, j, 0, "")
	if now, ok := statusEvents[status]; ok {
		t.jobEvent(now, j, 0, ffrtmp.FailureReason(c.reason))
	}
	if !status.Terminal() {
		class, err := t.ready.class(t.mediaRoots.keyOf(c.requires, j.dirs))
		if err != nil {
			t.err = err // the proposer wrote the requirements
			return ImportedJob{}
		}
		t.add(j, class)
	}
	return ImportedJob{Seq: j.seq, New: true}
}

// insertPast writes an attempt of an imported job.
func (t *tx) insertPast(seq uint64, a *pastAttempt) {
	nodeKey := int64(0)
	if n := t.nodes.imported(a.node); n != nil {
		nodeKey = n.Key
	}
	t.exec(insertAttempt, int64(seq), a.attempt, nodeKey, a.outcome, a.startedAt, a.endedAt, store.Null(a.error),
		store.Null(a.reason), nil, store.Null(a.metrics), nil, nil)
}

// imported returns the v2.2 node with an id, or nil.
func (s *nodes) imported(id string) *node {
	if n := s.byID[id]; n != nil && n.Legacy {
		return n
	}
	return nil
}

// countImported adds a job to the cumulative counts.
func (t *tx) countImported(j *activeJob) {
	t.meta.Submitted++
	t.meta.Retries += j.retries
	switch j.status {
	case ffrtmp.Completed:
		t.meta.Completed++
	case ffrtmp.Failed:
		t.meta.Failed++
	case ffrtmp.Canceled:
		t.meta.Canceled++
	}
}

// KnownNode returns the id of the node that an import would match with this one, or "".
func (f *FSM) KnownNode(id, address string) string {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.state == nil {
		return ""
	}
	return f.state.nodes.known(id, address)
}
