package api

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

const (
	statsKept     = 24 * time.Hour // as long as events are kept
	statsDefault  = time.Hour
	statsBuckets  = 60              // about that many in an answer
	statsPatience = 2 * time.Second // how long a request reads older events before it answers without the rest
)

// maxWaiting bounds the jobs whose time of submission is kept from their events. Of others it is asked for when they
// start, and of those that have ended by then it is known to the second.
const maxWaiting = 100_000

// statistics are the counts of each minute of the last 24 hours. They are read from the replicated events when
// somebody asks, first all that are kept, then only the new ones; so every master has the same, also after a
// restart. They take about a kilobyte a minute.
type statistics struct {
	mu      sync.Mutex
	begun   bool
	after   ffrtmp.EventID       // what has been read
	minutes map[int64]*minute    // by Unix minute
	waiting map[uint64]time.Time // when a job was submitted that has not started; at most maxWaiting
	running map[uint64]time.Time // when the running attempt of a job started
}

// minute is what happened in a minute.
type minute struct {
	counts    ffrtmp.StatsBucket // without percentiles
	failures  map[ffrtmp.FailureReason]int
	wait, run histogram
}

// stats returns what happened in the last window.
func (s *Server) stats(c *call) (*answer, error) {
	window := statsDefault
	if q := c.URL.Query(); q.Has("window") {
		var err error
		if window, err = queryDuration(q, "window", statsKept); err != nil {
			return nil, err
		}
		if window < time.Minute {
			return nil, ffrtmp.FieldErrorf("window", "must be between 1m and %s", statsKept)
		}
	}
	now := time.Now().UTC()
	complete, err := s.statistics.read(c.Context(), s, now)
	if err != nil {
		return nil, err
	}
	result := s.statistics.window(now, window)
	result.Complete = complete
	result.Jobs, err = s.cfg.State.Tally(c.Context())
	return &answer{body: result}, err
}

// read adds the events that have been added to the state since it was read last. It is false if there are more.
func (k *statistics) read(ctx context.Context, s *Server, now time.Time) (complete bool, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	index := s.cfg.State.Index()
	for !k.begun || k.after.Index < index {
		if !k.begun {
			if k.after, err = s.cfg.State.OldestEvent(ctx); err != nil {
				return false, err
			}
			k.begun, k.minutes = true, map[int64]*minute{}
			k.waiting, k.running = map[uint64]time.Time{}, map[uint64]time.Time{}
		}
		list, upTo, err := s.cfg.State.Events(ctx, k.after)
		switch {
		case ffrtmp.CodeOf(err) == ffrtmp.Compacted: // nobody has asked for 24 hours, or a backup was restored
			k.begun = false
			continue
		case err != nil:
			return false, err
		}
		for i := range list {
			k.add(&list[i], s.cfg.State.CreatedAt)
		}
		k.after = upTo
		if time.Since(now) > statsPatience {
			break
		}
	}
	oldest := now.Add(-statsKept).Unix() / 60
	maps.DeleteFunc(k.minutes, func(at int64, _ *minute) bool { return at < oldest })
	return k.after.Index >= index, nil
}

// add counts an event. created returns when a job was created, if it is known.
func (k *statistics) add(e *ffrtmp.Event, created func(uint64) (time.Time, bool)) {
	at := e.Time.Unix() / 60
	m := k.minutes[at]
	if m == nil {
		m = &minute{failures: map[ffrtmp.FailureReason]int{}}
		k.minutes[at] = m
	}
	switch e.Type {
	case ffrtmp.JobSubmitted:
		m.counts.Submitted++
		if len(k.waiting) < maxWaiting {
			k.waiting[e.SequenceNumber] = e.Time
		}
		return
	case ffrtmp.JobStarted:
		m.counts.Started++
		since, ok := k.waiting[e.SequenceNumber]
		if !ok {
			since, ok = created(e.SequenceNumber)
		}
		if ok && e.Attempt == 1 {
			m.wait.add(e.Time.Sub(since))
		}
		delete(k.waiting, e.SequenceNumber)
		k.running[e.SequenceNumber] = e.Time
		return
	case ffrtmp.JobCompleted:
		m.counts.Completed++
		if since, ok := k.running[e.SequenceNumber]; ok {
			m.run.add(e.Time.Sub(since))
		}
	case ffrtmp.JobFailed:
		m.counts.Failed++
		m.failures[e.FailureReason]++
	case ffrtmp.JobRetrying:
		m.counts.Retried++
		m.failures[e.FailureReason]++
	case ffrtmp.JobCanceled:
		m.counts.Canceled++
	case ffrtmp.JobLost:
		m.counts.Lost++
		return // its node may reclaim it
	case ffrtmp.Restored:
		clear(k.waiting)
		clear(k.running)
		return
	default:
		return
	}
	delete(k.waiting, e.SequenceNumber)
	delete(k.running, e.SequenceNumber)
}

// window adds up the minutes of a window, in about statsBuckets buckets.
func (k *statistics) window(now time.Time, window time.Duration) ffrtmp.Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	step := max((window+statsBuckets*time.Minute-1).Truncate(statsBuckets*time.Minute)/statsBuckets, time.Minute)
	from, to := now.Add(-window).Truncate(step), now.Truncate(step).Add(step)
	result := ffrtmp.Stats{
		From: from, To: to, StepSeconds: int(step / time.Second), Failures: map[ffrtmp.FailureReason]int{},
		PerMinute: map[string]float64{}, Buckets: []ffrtmp.StatsBucket{},
	}
	var all minute
	for at := from; at.Before(to); at = at.Add(step) {
		var m minute
		for i := at.Unix() / 60; i < at.Add(step).Unix()/60; i++ {
			if one := k.minutes[i]; one != nil {
				m.merge(one)
				for reason, n := range one.failures {
					result.Failures[reason] += n
				}
			}
		}
		all.merge(&m)
		result.Buckets = append(result.Buckets, m.bucket(at))
	}
	result.Totals = all.bucket(from)
	minutes := now.Sub(from).Minutes()
	for name, n := range map[string]int{
		"submitted": all.counts.Submitted, "started": all.counts.Started, "completed": all.counts.Completed,
		"failed": all.counts.Failed,
	} {
		result.PerMinute[name] = float64(n) / minutes
	}
	return result
}

func (m *minute) merge(other *minute) {
	a, b := &m.counts, &other.counts
	for _, n := range []struct {
		sum *int
		add int
	}{
		{&a.Submitted, b.Submitted},
		{&a.Started, b.Started},
		{&a.Completed, b.Completed},
		{&a.Failed, b.Failed},
		{&a.Canceled, b.Canceled},
		{&a.Retried, b.Retried},
		{&a.Lost, b.Lost},
	} {
		*n.sum += n.add
	}
	m.wait.merge(&other.wait)
	m.run.merge(&other.run)
}

func (m *minute) bucket(at time.Time) ffrtmp.StatsBucket {
	b := m.counts
	b.Time, b.Wait, b.Run = at, m.wait.percentiles(), m.run.percentiles()
	return b
}
