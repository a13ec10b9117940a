// Package backup writes a backup of the state at an interval, to a directory or an S3 bucket, and removes old ones.
// Only the leader does; the times of the backups that exist tell a new leader when the next one is due.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Store keeps backups under their names.
type Store interface {
	// Put stores all of r, which has size bytes, or nothing. r is read from its beginning.
	Put(ctx context.Context, name string, r io.ReadSeeker, size int64) error
	List(ctx context.Context) ([]Object, error)
	Remove(ctx context.Context, name string) error
}

// Object is a file of a store.
type Object struct {
	Name string
	Size int64
}

// File is a backup to store.
type File struct {
	io.ReadSeekCloser
	Bytes int64
	Index uint64 // that it reflects
	Jobs  int64
}

// Config configures a Schedule.
type Config struct {
	Store    Store
	Where    string // the store, for the log
	Cluster  string // name of the cluster: others may use the same store
	Interval time.Duration
	Keep     int // backups to keep; 0 keeps all

	Leading func() bool
	Make    func(context.Context) (File, error)
	// Failed is called when backups begin to fail: not again until one has succeeded.
	Failed  func(ctx context.Context, err error)
	Metrics *Metrics
	Logger  hclog.Logger
}

const (
	// leadTick is how often leadership is looked at.
	leadTick = time.Second
	// retryAfter is the wait after a failure, unless the interval is shorter.
	retryAfter = time.Minute
	// timeout bounds a backup and its removal of old ones: a store that hangs must not end all backups.
	timeout = time.Hour
)

// Schedule writes backups while this master leads.
type Schedule struct {
	cfg  Config
	next time.Time // the zero time: not known, the store must be listed

	mu     sync.Mutex
	status Status
}

// Status is how backups go, as far as this master knows.
type Status struct {
	Last     time.Time // of the newest backup; zero: none is known
	Bytes    int64     // its size
	Next     time.Time // when the next one is due; zero: this master does not lead
	Failed   time.Time // of the last failure since then; zero: none
	Error    string    // of that failure
	Interval time.Duration
}

// Status returns how backups go.
func (s *Schedule) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	status := s.status
	status.Interval = s.cfg.Interval
	return status
}

func (s *Schedule) note(change func(*Status)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.status)
}

// written takes in the newest backup.
func (s *Schedule) written(at time.Time, bytes int64) {
	s.cfg.Metrics.written(at, bytes)
	s.note(func(status *Status) { status.Last, status.Bytes = at, bytes })
}

// due sets when the next backup is due.
func (s *Schedule) due(next time.Time) {
	s.next = next
	s.note(func(status *Status) { status.Next = next })
}

// New returns a Schedule.
func New(cfg Config) *Schedule {
	cfg.Metrics.interval.Set(cfg.Interval.Seconds())
	return &Schedule{cfg: cfg}
}

// Run writes backups until ctx ends.
func (s *Schedule) Run(ctx context.Context) {
	tick := time.NewTicker(leadTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !s.cfg.Leading() {
			s.due(time.Time{}) // another master may write the next one
			continue
		}
		if time.Now().Before(s.next) {
			continue
		}
		if err := s.step(ctx); err != nil && ctx.Err() == nil {
			s.failed(ctx, err)
		} else if err == nil {
			s.note(func(status *Status) { status.Failed, status.Error = time.Time{}, "" })
		}
	}
}

// failed repeats a backup later.
func (s *Schedule) failed(ctx context.Context, err error) {
	s.cfg.Metrics.failures.Inc()
	s.cfg.Logger.Error("backup failed; retrying", "to", s.cfg.Where, "error", err)
	s.due(time.Now().Add(min(s.cfg.Interval, retryAfter)))
	first := s.Status().Failed.IsZero()
	s.note(func(status *Status) { status.Failed, status.Error = time.Now(), err.Error() })
	if first {
		s.cfg.Failed(ctx, err)
	}
}

// step writes a backup if one is due, removes old ones, and sets when the next one is due.
func (s *Schedule) step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	kept, err := s.list(ctx)
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		newest := kept[len(kept)-1]
		s.written(newest.at, newest.Size)
		if s.due(newest.at.Add(s.cfg.Interval)); time.Now().Before(s.next) {
			return nil
		}
	}
	written, err := s.write(ctx)
	if err != nil {
		return err
	}
	s.due(written.at.Add(s.cfg.Interval))
	return s.prune(ctx, append(kept, written))
}

// object is a backup of this cluster.
type object struct {
	Object
	at time.Time
}

// timeForm is that of the time in a backup's name, in UTC.
const timeForm = "20060102T150405Z"

var nameForm = regexp.MustCompile(`^(\d{8}T\d{6}Z)-\d+\.snap$`)

func (s *Schedule) prefix() string { return "ffrtmp-" + s.cfg.Cluster + "-" }

// list returns this cluster's backups in the store, the oldest first. Other files are none of its business.
func (s *Schedule) list(ctx context.Context) (kept []object, err error) {
	all, err := s.cfg.Store.List(ctx)
	if err != nil {
		return nil, fmt.Errorf("list backups: %w", err)
	}
	for _, o := range all {
		rest, own := strings.CutPrefix(o.Name, s.prefix())
		m := nameForm.FindStringSubmatch(rest)
		if !own || m == nil {
			continue
		}
		if at, err := time.Parse(timeForm, m[1]); err == nil {
			kept = append(kept, object{o, at})
		}
	}
	slices.SortFunc(kept, func(a, b object) int { return strings.Compare(a.Name, b.Name) })
	return kept, nil
}

func (s *Schedule) write(ctx context.Context) (_ object, err error) {
	began := time.Now()
	f, err := s.cfg.Make(ctx)
	if err != nil {
		return object{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	at := began.UTC().Truncate(time.Second)
	// The index has the same length in all names, so that they sort by age.
	name := fmt.Sprintf("%s%s-%012d.snap", s.prefix(), at.Format(timeForm), f.Index)
	if err := s.cfg.Store.Put(ctx, name, f, f.Bytes); err != nil {
		return object{}, fmt.Errorf("store %s: %w", name, err)
	}
	s.written(at, f.Bytes)
	s.cfg.Logger.Info("backup written", "to", s.cfg.Where, "name", name, "bytes", f.Bytes, "jobs", f.Jobs,
		"index", f.Index, "took", time.Since(began))
	return object{Object{name, f.Bytes}, at}, nil
}

// prune removes the oldest backups until as many are left as are kept.
func (s *Schedule) prune(ctx context.Context, kept []object) error {
	if s.cfg.Keep == 0 {
		return nil
	}
	for _, o := range kept[:max(0, len(kept)-s.cfg.Keep)] {
		if err := s.cfg.Store.Remove(ctx, o.Name); err != nil {
			return fmt.Errorf("remove the old backup %s: %w", o.Name, err)
		}
		s.cfg.Logger.Info("old backup removed", "to", s.cfg.Where, "name", o.Name)
	}
	return nil
}
