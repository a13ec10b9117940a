package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// progressInterval is how often a stream sends progress, and the least time between two reads of it.
const progressInterval = time.Second

// progressTicks is how many reads of progress are kept for streams that fall behind.
const progressTicks = 4

// progressFeed is the live progress of running jobs, which only the leader knows, for the streams of this
// master. It is read when a stream asks, at most once an interval however many ask: here, or from the leader
// with the key of the stream that asks.
type progressFeed struct {
	mu       sync.Mutex
	ticks    []progressTick // the newest last
	next     time.Time      // no earlier read
	servedBy string         // the leader that the newest is from
	newest   time.Time      // of its reports
}

// progressTick is what one read returned.
type progressTick struct {
	number  uint64
	changes []progressChange
}

// progressChange is one event, encoded once for all streams.
type progressChange struct {
	ffrtmp.ProgressEvent
	text []byte
}

// liveProgress returns the progress that the leader has received since a time.
func (s *Server) liveProgress(c *call) (*answer, error) {
	var since time.Time
	if q := c.URL.Query(); q.Has("since") {
		var err error
		if since, err = parseTime("since", q.Get("since")); err != nil {
			return nil, err
		}
	}
	return &answer{body: ffrtmp.LiveProgress{Jobs: s.cfg.Leader.LiveProgress(since)}}, nil
}

// after returns the events of the ticks after seen, the newest of each job, and the number of the newest tick.
func (f *progressFeed) after(seen uint64) ([]progressChange, uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var list []progressChange
	for _, t := range f.ticks {
		if t.number <= seen {
			continue
		}
		seen = t.number
		if len(list) > 0 {
			newer := make(map[uint64]bool, len(t.changes))
			for i := range t.changes {
				newer[t.changes[i].SequenceNumber] = true
			}
			list = slices.DeleteFunc(list, func(c progressChange) bool { return newer[c.SequenceNumber] })
		}
		list = append(list, t.changes...)
	}
	return list, seen
}

// refreshProgress reads progress unless another stream has just done so. Without a leader it stays as it is.
func (s *Server) refreshProgress(ctx context.Context, c *call) {
	f := &s.progress
	f.mu.Lock()
	now := time.Now()
	due := !now.Before(f.next)
	if due {
		f.next = now.Add(progressInterval)
	}
	since, from := f.newest, f.servedBy
	f.mu.Unlock()
	if !due {
		return
	}
	jobs, servedBy, err := s.readProgress(ctx, c, since, from)
	if err != nil {
		s.cfg.Logger.Debug("cannot read progress from the leader; retrying", "error", err)
		return
	}
	f.add(jobs, servedBy)
}

// add adds a tick.
func (f *progressFeed) add(jobs []ffrtmp.ProgressEvent, servedBy string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if servedBy != f.servedBy {
		f.servedBy, f.newest = servedBy, time.Time{} // the clocks of two masters differ
	}
	t := progressTick{number: 1}
	if n := len(f.ticks); n > 0 {
		t.number = f.ticks[n-1].number + 1
	}
	for _, e := range jobs {
		data, err := json.Marshal(e)
		if err != nil {
			continue // no number, string or time of it can fail
		}
		text := fmt.Appendf(nil, "event: %s\ndata: %s\n\n", e.Type, data)
		t.changes = append(t.changes, progressChange{e, text})
		if e.Time.After(f.newest) {
			f.newest = e.Time
		}
	}
	f.ticks = append(f.ticks, t)
	if len(f.ticks) > progressTicks {
		f.ticks = slices.Delete(f.ticks, 0, 1)
	}
}

// readProgress reads what the leader has received since a time; all of it from another leader than before.
func (s *Server) readProgress(ctx context.Context, c *call, since time.Time, from string) (jobs []ffrtmp.ProgressEvent,
	servedBy string, err error,
) {
	if id := s.cfg.Cluster.ID(); s.cfg.Leader.Leading() {
		if id != from {
			since = time.Time{}
		}
		return s.cfg.Leader.LiveProgress(since), id, nil
	}
	leader, ok := s.cfg.Cluster.Leader()
	if !ok {
		return nil, "", ffrtmp.Errorf(ffrtmp.NoLeader, "no leader is known")
	}
	query := url.Values{}
	if leader.ID == from && !since.IsZero() {
		query.Set("since", since.Format(time.RFC3339Nano))
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	out := s.outgoing(ctx, c)
	out.URL = &url.URL{Scheme: "https", Host: "leader", Path: "/jobs/progress", RawQuery: query.Encode()}
	resp, err := leaderTransport{s.cfg.Cluster}.RoundTrip(out)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	var live ffrtmp.LiveProgress
	if resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("the leader answered %s", resp.Status)
	}
	if err := json.NewDecoder(resp.Body).Decode(&live); err != nil {
		return nil, "", fmt.Errorf("read the leader's answer: %w", err)
	}
	return live.Jobs, leader.ID, nil
}

// progressSender sends progress to one stream.
type progressSender struct {
	server *Server
	call   *call
	seen   uint64
	next   time.Time
}

// text returns the events that are due, of jobs that still run by this master's state: none comes after
// the event that ended its attempt. It is nil-safe for streams without progress.
func (p *progressSender) text(ctx context.Context, filter *eventFilter) []byte {
	if p == nil || time.Now().Before(p.next) {
		return nil
	}
	p.next = time.Now().Add(progressInterval)
	p.server.refreshProgress(ctx, p.call)
	changes, seen := p.server.progress.after(p.seen)
	p.seen = seen
	var b bytes.Buffer
	for i := range changes {
		e := &changes[i]
		if (filter.job == "" || e.JobID == filter.job || strconv.FormatUint(e.SequenceNumber, 10) == filter.job) &&
			p.server.cfg.State.Runs(e.SequenceNumber, e.Attempt) {
			b.Write(e.text)
		}
	}
	return b.Bytes()
}

// until is when the stream must look again: at an interval's end, or when it would be silent for too long.
func (p *progressSender) until(silent time.Time) time.Time {
	if p != nil && p.next.Before(silent) {
		return p.next
	}
	return silent
}
