package fsm

import (
	"database/sql/driver"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// submit creates jobs, all or none.
type submit struct {
	v1
	specs []spec
}

// spec is a new job.
type spec struct {
	id                                           uuid.UUID
	scenario, confidence, engine, classification string
	parameters, requires, labels                 string // JSON, or ""
	queue, priority                              int64
	maxRetries                                   int64
	timeout                                      int64 // ns, 0 for none
	origin                                       ffrtmp.Origin
}

func (*submit) kind() Kind { return KindSubmit }

func (c *submit) encode(e *encoder) {
	e.uint(uint64(len(c.specs)))
	for i := range c.specs {
		c.specs[i].encode(e)
	}
}

func decodeSubmit(d *decoder) command {
	c := &submit{specs: make([]spec, d.count(specSize))}
	for i := range c.specs {
		c.specs[i].decode(d)
	}
	return c
}

// specSize is the minimum size of an encoded spec.
const specSize = 29

func (s *spec) encode(e *encoder) {
	e.b = slices.Grow(e.b, 128+len(s.parameters)+len(s.requires)+len(s.labels))
	e.fixed(s.id[:])
	e.texts(s.scenario, s.confidence, s.engine, s.classification, s.parameters, s.requires, s.labels)
	e.uint(uint64(s.queue))
	e.uint(uint64(s.priority))
	e.uint(uint64(s.maxRetries))
	e.int(s.timeout)
	e.string(s.origin.RequestID)
	e.string(s.origin.Traceparent)
}

func (s *spec) decode(d *decoder) {
	d.fixed(s.id[:])
	d.texts(&s.scenario, &s.confidence, &s.engine, &s.classification, &s.parameters, &s.requires, &s.labels)
	s.queue = d.code(len(store.QueueCodes))
	s.priority = d.code(len(store.PriorityCodes))
	s.maxRetries = int64(d.uint())
	s.timeout = d.int()
	s.origin = ffrtmp.Origin{RequestID: d.string(), Traceparent: d.string()}
}

// Submitted is the result of a submission.
type Submitted struct {
	Jobs      []ffrtmp.SubmittedJob
	CreatedAt time.Time // zero if Replayed
	Replayed  bool      // an earlier request with the same idempotency key created them
}

var (
	insertSpec = store.Prepared(`INSERT INTO job_spec (seq, id, scenario, confidence, engine, classification,
	parameters,
	requires, labels, timeout, created_at, request_id, traceparent)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`)
	insertState = store.Prepared(`INSERT INTO job_state (seq, status, queue, priority, max_retries) VALUES (?, ?, ?, ?,
	?)`)
	selectIDs = store.Prepared(`SELECT seq, id FROM job_spec WHERE seq >= ? AND seq < ? ORDER BY seq`)
)

func (c *submit) apply(t *tx) any {
	if len(c.specs) == 0 {
		return ffrtmp.FieldErrorf("jobs", "is empty")
	}
	outputs, refused := t.checkOutputs(c.specs)
	if refused != nil {
		return refused
	}
	classes, files := make([]*class, len(c.specs)), make([]*dirs, len(c.specs))
	for i := range c.specs {
		var err error
		files[i] = dirsOf(c.specs[i].parameters)
		if classes[i], err = t.ready.class(t.mediaRoots.keyOf(c.specs[i].requires, files[i])); err != nil {
			return ffrtmp.Errorf(ffrtmp.Invalid, "%v", err)
		}
	}
	result := Submitted{Jobs: make([]ffrtmp.SubmittedJob, len(c.specs)), CreatedAt: store.TimeOf(t.now)}
	for i := range c.specs {
		s := &c.specs[i]
		seq := t.meta.NextSeq
		t.meta.NextSeq++
		t.insertSpec(seq, s, t.now)
		t.exec(insertState, int64(seq), store.StatusPending, s.queue, s.priority, s.maxRetries)
		j := &activeJob{
			seq: seq, id: s.id, status: ffrtmp.Pending, createdAt: t.now, timeout: s.timeout, maxRetries: s.maxRetries,
			rank:   ffrtmp.Rank(store.QueueCodes[s.queue], store.PriorityCodes[s.priority]),
			output: outputs[i], dirs: files[i], sidecars: sidecarKeyOf(s.parameters),
		}
		t.add(j, classes[i])
		t.columns.add(seq, s.columns(store.StatusPending, t.now))
		t.jobEvent(ffrtmp.JobSubmitted, j, 0, "")
		result.Jobs[i] = ffrtmp.SubmittedJob{ID: s.id.String(), SequenceNumber: seq}
	}
	t.meta.Submitted += int64(len(c.specs))
	return result
}

func (s Submitted) keep() kept { return kept{s.Jobs[0].SequenceNumber, int64(len(s.Jobs))} }

func (c *submit) replay(t *tx, k kept) any {
	return Submitted{Jobs: t.submitted(k.seq, int(k.count)), Replayed: true}
}

// insertSpec writes a job's spec.
func (t *tx) insertSpec(seq uint64, s *spec, createdAt int64) {
	t.exec(insertSpec, int64(seq), s.id.String(), s.scenario, s.confidence, s.engine, s.classification,
		store.Null(s.parameters), s.requires, store.Null(s.labels), s.timeout, createdAt,
		store.Null(s.origin.RequestID), store.Null(s.origin.Traceparent))
}

// submitted returns count jobs, starting at seq.
func (t *tx) submitted(seq uint64, count int) []ffrtmp.SubmittedJob {
	var jobs []ffrtmp.SubmittedJob
	row := make([]driver.Value, 2)
	if t.err == nil {
		t.err = t.DB.Each(row, func() error {
			jobs = append(jobs, ffrtmp.SubmittedJob{ID: store.Text(row[1]), SequenceNumber: uint64(row[0].(int64))})
			return nil
		}, selectIDs, int64(seq), int64(seq)+int64(count))
	}
	return jobs
}
