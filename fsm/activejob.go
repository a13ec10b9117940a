package fsm

import (
	"database/sql/driver"
	"fmt"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// activeJob is the hot part of an unfinished job. Like everything in memory it is
// derived: loaded from the database on opening and changed together with it.
type activeJob struct {
	seq        uint64
	id         uuid.UUID
	status     ffrtmp.Status
	hold       store.Hold
	rank       int
	class      *class
	attempt    int64
	node       *node // of the newest attempt, or nil
	lease      lease
	createdAt  int64
	startedAt  int64
	timeoutAt  int64
	timeout    int64
	notBefore  int64
	retries    int64
	maxRetries int64
	losses     int64
	output     outputKey
	dirs       *dirs      // nil: none
	sidecars   *outputKey // nil: none

	sameOutput *activeJob // next in outputs

	heap *heap // that it waits in, or nil
	at   int   // its index there
}

// lease is an attempt's unguessable token. The zero lease matches no attempt.
type lease [16]byte

const selectActive = `SELECT s.seq, s.id, s.requires, s.timeout, t.status, t.queue, t.priority, t.max_retries,
	t.retry_count,
	t.losses, t.attempt, t.hold, t.node, t.lease, t.started_at, t.timeout_at, t.not_before, t.avoid, s.created_at,
	s.parameters
FROM job_state t JOIN job_spec s ON s.seq = t.seq `

var selectActiveOne = store.Prepared(selectActive + `WHERE t.seq = ?`)

const activeColumns = 20

// scanActive converts a row of selectActive into a job and the key of its class.
func (s *state) scanActive(row []driver.Value) (*activeJob, classKey, error) {
	key := classKey{requires: row[2].(string), avoid: row[17].(string)}
	id, err := uuid.Parse(row[1].(string))
	if err != nil {
		return nil, key, fmt.Errorf("job %d: %w", row[0], err)
	}
	j := &activeJob{
		seq:        uint64(row[0].(int64)),
		id:         id,
		timeout:    row[3].(int64),
		status:     store.StatusCodes[row[4].(int64)],
		rank:       ffrtmp.Rank(store.QueueCodes[row[5].(int64)], store.PriorityCodes[row[6].(int64)]),
		maxRetries: row[7].(int64),
		retries:    row[8].(int64),
		losses:     row[9].(int64),
		attempt:    row[10].(int64),
		hold:       store.Hold(row[11].(int64)),
		node:       s.nodes.byKey[row[12].(int64)],
		createdAt:  row[18].(int64),
		startedAt:  row[14].(int64),
		timeoutAt:  row[15].(int64),
		notBefore:  row[16].(int64),
		output:     outputKeyOf(store.Text(row[19])),
		dirs:       dirsOf(store.Text(row[19])),
		sidecars:   sidecarKeyOf(store.Text(row[19])),
	}
	if l, ok := row[13].([]byte); ok {
		copy(j.lease[:], l)
	}
	return j, key, nil
}

// add adds an unfinished job to memory.
func (s *state) add(j *activeJob, class *class) {
	j.class = class
	class.users++
	s.jobs[j.seq] = j
	s.outputs.add(j)
	s.sidecars.add(j)
	s.mediaRoots.use(j)
	s.active[store.Code(store.StatusCodes, j.status)]++
	if j.hold != store.HoldNone {
		j.node.take(j)
	}
	s.enqueue(j)
}

// enqueue adds a pending job to the ready queue.
func (s *state) enqueue(j *activeJob) {
	if j.status == ffrtmp.Pending {
		s.wake = true
		s.ready.push(j, s.meta.Time)
	}
}

// change moves a job between states in memory; the caller writes the database.
// It updates everything derived: heaps, counts and the node's attempts.
func (s *state) change(j *activeJob, status ffrtmp.Status, h store.Hold) {
	s.ready.remove(j)
	s.active[store.Code(store.StatusCodes, j.status)]--
	if j.hold != store.HoldNone {
		j.node.drop(j)
		s.wake = s.wake || j.hold.Current() && !h.Current()
	}
	j.status, j.hold = status, h
	s.columns.setStatus(j.seq, store.Code(store.StatusCodes, status))
	if status.Terminal() {
		delete(s.jobs, j.seq)
		s.outputs.remove(j)
		s.sidecars.remove(j)
		s.mediaRoots.drop(j)
		s.ready.release(j.class)
		return
	}
	s.active[store.Code(store.StatusCodes, status)]++
	if h != store.HoldNone {
		j.node.take(j)
	}
	s.enqueue(j)
}
