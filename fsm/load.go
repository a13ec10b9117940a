package fsm

import (
	"fmt"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/fsm/store"
)

// load loads memory from the database, in a transaction.
func (s *state) load() error {
	var err error
	if s.meta, err = s.Meta(); err != nil {
		return err
	}
	if err := s.loadNodes(); err != nil {
		return err
	}
	if err := s.loadSettings(); err != nil {
		return err
	}
	if err := s.loadKeys(); err != nil {
		return err
	}
	if err := s.columns.loadNewest(s.DB, s.meta.NextSeq); err != nil {
		return err
	}
	if s.requests, err = s.Requests(); err != nil {
		return err
	}
	return s.loadActive()
}

// loading are the unfinished jobs, by sequence number, while they are loaded: job_state has the one half of each,
// job_spec the other. Their memory is allocated by the thousand.
type loading struct {
	seqs  []int64
	jobs  []*activeJob
	avoid []string
	free  []activeJob
}

func (l *loading) add(seq int64, avoid string) *activeJob {
	if len(l.free) == 0 {
		l.free = make([]activeJob, 1024)
	}
	j := &l.free[0]
	l.free = l.free[1:]
	l.seqs, l.jobs, l.avoid = append(l.seqs, seq), append(l.jobs, j), append(l.avoid, avoid)
	return j
}

// loadActive loads the unfinished jobs.
func (s *state) loadActive() error {
	states, err := s.OpenTable("job_state", "status", "queue", "priority", "max_retries", "retry_count", "losses",
		"attempt", "hold", "node", "lease", "started_at", "timeout_at", "not_before", "avoid")
	if err != nil {
		return err
	}
	l := &loading{}
	err = states.Each(nil, func(seq int64, f []store.Field) error {
		if f[0].Int >= store.StatusCompleted {
			return nil
		}
		return s.loadState(l.add(seq, string(f[13].Text)), uint64(seq), f)
	})
	if err != nil || len(l.jobs) == 0 {
		return err
	}
	s.jobs, s.outputs = make(map[uint64]*activeJob, len(l.jobs)), make(outputs, len(l.jobs))
	s.sidecars = sidecars{}
	return s.loadSpecs(l)
}

// loadState sets what job_state has of a job.
func (s *state) loadState(j *activeJob, seq uint64, f []store.Field) error {
	if f[0].Int < 0 || uint64(f[1].Int) >= uint64(len(store.QueueCodes)) ||
		uint64(f[2].Int) >= uint64(len(store.PriorityCodes)) {
		return fmt.Errorf("job %d: unknown status %d, queue %d or priority %d", seq, f[0].Int, f[1].Int, f[2].Int)
	}
	*j = activeJob{
		seq: seq, status: store.StatusCodes[f[0].Int],
		rank:       ffrtmp.Rank(store.QueueCodes[f[1].Int], store.PriorityCodes[f[2].Int]),
		maxRetries: f[3].Int, retries: f[4].Int, losses: f[5].Int, attempt: f[6].Int, hold: store.Hold(f[7].Int),
		node: s.nodes.byKey[f[8].Int], startedAt: f[10].Int, timeoutAt: f[11].Int, notBefore: f[12].Int,
	}
	copy(j.lease[:], f[9].Text)
	if j.hold != store.HoldNone && j.node == nil {
		return fmt.Errorf("job %d: node %d is unknown", seq, f[8].Int)
	}
	return nil
}

// loadSpecs sets what job_spec has of the jobs, and adds them to memory.
func (s *state) loadSpecs(l *loading) error {
	specs, err := s.OpenTable("job_spec", "id", "parameters", "requires", "timeout", "created_at")
	if err != nil {
		return err
	}
	next := 0
	err = specs.Each(l.seqs, func(seq int64, f []store.Field) (err error) {
		j := l.jobs[next]
		if j.seq != uint64(seq) {
			return fmt.Errorf("job %d has no specification", j.seq)
		}
		if j.id, err = uuid.ParseBytes(f[0].Text); err != nil {
			return fmt.Errorf("job %d: %w", seq, err)
		}
		parameters := string(f[1].Text)
		j.output, j.dirs, j.timeout, j.createdAt = outputKeyOf(parameters), dirsOf(parameters), f[3].Int, f[4].Int
		j.sidecars = sidecarKeyOf(parameters)
		key := classKey{requires: string(f[2].Text), avoid: l.avoid[next]}
		class, err := s.ready.class(s.mediaRoots.complete(key, j.dirs))
		if err != nil {
			return fmt.Errorf("job %d: %w", seq, err)
		}
		next++
		s.add(j, class)
		return nil
	})
	if err == nil && next < len(l.jobs) {
		err = fmt.Errorf("job %d has no specification", l.jobs[next].seq)
	}
	return err
}
