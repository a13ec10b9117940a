package backup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// memory is a store that can be told to fail.
type memory struct {
	mu    sync.Mutex
	files map[string]int64
	err   error
}

func (m *memory) Put(_ context.Context, name string, r io.ReadSeeker, size int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return m.err
	}
	n, err := io.Copy(io.Discard, r)
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	m.files[name] = n
	return err
}

func (m *memory) List(context.Context) (list []Object, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, size := range m.files {
		list = append(list, Object{name, size})
	}
	return list, m.err
}

func (m *memory) Remove(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.files, name)
	return m.err
}

func (m *memory) names() (names []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.files {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (m *memory) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

type content struct{ *bytes.Reader }

func (content) Close() error { return nil }

// bubble is a master in a bubble of time.
type bubble struct {
	*Schedule
	store   *memory
	leads   atomic.Bool
	failed  atomic.Int32 // calls of Failed
	log     *testkit.Buffer
	metrics *Metrics
}

// newBubble runs a schedule that writes a backup every hour and keeps three.
func newBubble(t *testing.T, store *memory) *bubble {
	t.Helper()
	b := &bubble{store: store, log: &testkit.Buffer{}, metrics: NewMetrics(prometheus.NewRegistry())}
	b.leads.Store(true)
	index := uint64(7)
	s := New(Config{
		Store: store, Where: "memory", Cluster: "prod", Interval: time.Hour, Keep: 3,
		Leading: b.leads.Load,
		Make: func(context.Context) (File, error) {
			index++
			return File{content{bytes.NewReader(make([]byte, 100))}, 100, index, 5}, nil
		},
		Failed:  func(context.Context, error) { b.failed.Add(1) },
		Metrics: b.metrics, Logger: hclog.New(&hclog.LoggerOptions{Output: b.log}),
	})
	b.Schedule = s
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); s.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return b
}

// pass lets time pass, and then everything that is due happen.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// A backup is written every hour, and only the newest three are kept; files of others stay.
func TestSchedule_Interval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		others := map[string]int64{
			"notes.txt": 1, "ffrtmp-prod-x.snap": 1, "ffrtmp-test-20000101T000000Z-000000000001.snap": 1,
		}
		store := &memory{files: map[string]int64{}}
		for name, size := range others {
			store.files[name] = size
		}
		b := newBubble(t, store)
		pass(2 * time.Second)
		if n := len(store.names()) - len(others); n != 1 {
			t.Errorf("at first: got %d backups, want 1", n)
		}
		pass(10 * time.Hour)
		own := slices.DeleteFunc(store.names(), func(name string) bool { return others[name] == 1 })
		if len(own) != 3 || !strings.HasPrefix(own[0], "ffrtmp-prod-20000101T08") ||
			!strings.HasSuffix(own[2], "-000000000018.snap") || len(store.names()) != 3+len(others) {
			t.Errorf("after 10 hours: got %q, want the last three and all other files", store.names())
		}
		if got := testutil.ToFloat64(b.metrics.size); got != 100 {
			t.Errorf("got size %g, want 100", got)
		}
		if got := time.Since(time.Unix(int64(testutil.ToFloat64(b.metrics.success)), 0)); got > time.Hour {
			t.Errorf("got a last success %s ago, want at most 1h", got)
		}
		if !strings.Contains(b.log.String(), "backup written: to=memory name=ffrtmp-prod-") {
			t.Errorf("got log %s, want a line about each backup", b.log)
		}
	})
}

// A new leader continues the schedule of the old one; a follower writes nothing.
func TestSchedule_ChangeOfLeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{files: map[string]int64{}}
		first, second := newBubble(t, store), newBubble(t, store)
		second.leads.Store(false)
		pass(30 * time.Minute)
		first.leads.Store(false)
		second.leads.Store(true)
		pass(2 * time.Second)
		one, two := first.Status(), second.Status()
		if !one.Next.IsZero() || two.Next.IsZero() || two.Last != one.Last {
			t.Errorf("got status %+v of the old leader, %+v of the new one, want one backup, next by the second",
				one, two)
		}
		pass(29*time.Minute - 2*time.Second)
		if got := store.names(); len(got) != 1 {
			t.Errorf("after 59 minutes: got %q, want one backup", got)
		}
		if got := testutil.ToFloat64(second.metrics.size); got != 100 {
			t.Errorf("the new leader knows of %g bytes, want 100", got)
		}
		pass(2 * time.Minute)
		if got := store.names(); len(got) != 2 {
			t.Errorf("after 61 minutes: got %q, want two backups", got)
		}
	})
}

// A failure is counted and logged, and repeated after a minute.
func TestSchedule_Failure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memory{files: map[string]int64{}, err: errors.New("access denied")}
		b := newBubble(t, store)
		pass(150 * time.Second)
		if got := testutil.ToFloat64(b.metrics.failures); got != 3 {
			t.Errorf("got %g failures, want 3", got)
		}
		if !strings.Contains(b.log.String(), `backup failed; retrying: to=memory error="list backups: access denied"`) {
			t.Errorf("got log %s, want the reason", b.log)
		}
		if s := b.Status(); s.Error != "list backups: access denied" || s.Failed.IsZero() || !s.Last.IsZero() {
			t.Errorf("got status %+v, want the failure and no backup", s)
		}
		if got := b.failed.Load(); got != 1 {
			t.Errorf("got %d reports of three failures in a row, want 1", got)
		}
		store.fail(nil)
		pass(time.Minute)
		if s := b.Status(); s.Error != "" || !s.Failed.IsZero() || s.Bytes != 100 || s.Next.Sub(s.Last) != time.Hour {
			t.Errorf("got status %+v, want a backup and the next one in an hour", s)
		}
		if got := store.names(); len(got) != 1 {
			t.Errorf("afterwards: got %q, want one backup", got)
		}
	})
}

// Locations that cannot work are refused, and no message has a secret.
func TestOpen_Refused(t *testing.T) {
	t.Parallel()
	keys := map[string]string{"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "canary"}
	for _, tt := range []struct {
		location string
		env      map[string]string
		want     string
	}{
		{"", keys, "empty"},
		{"ftp://host/x", keys, "must be a directory or s3://BUCKET/PREFIX"},
		{"s3:///x", keys, "must be s3://BUCKET/PREFIX"},
		{"s3://id:canary@bucket", keys, "come from the environment"},
		{"s3://bucket/x", nil, "needs AWS_ACCESS_KEY_ID"},
		{"s3://bucket/x", map[string]string{
			"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "canary", "AWS_ENDPOINT_URL": "canary",
		}, "AWS_ENDPOINT_URL must be"},
	} {
		_, err := Open(tt.location, func(name string) string { return tt.env[name] })
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: got %v, want %q and no secret", tt.location, err, tt.want)
		}
	}
}

// checkStore puts, lists and removes files.
func checkStore(t *testing.T, s Store) {
	t.Helper()
	ctx := t.Context()
	if list, err := s.List(ctx); err != nil || len(list) != 0 {
		t.Errorf("an empty store: got %v, %v", list, err)
	}
	large := make([]byte, 5<<20) // the test server does not decode signed parts of an upload in several
	for name, data := range map[string][]byte{"a.snap": []byte("a"), "b.snap": large} {
		if err := s.Put(ctx, name, bytes.NewReader(data), int64(len(data))); err != nil {
			t.Fatalf("put %s: %v", name, err)
		}
	}
	list, err := s.List(ctx)
	slices.SortFunc(list, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	if err != nil || !slices.Equal(list, []Object{{"a.snap", 1}, {"b.snap", 5 << 20}}) {
		t.Errorf("got %v, %v, want both files", list, err)
	}
	if err := s.Remove(ctx, "a.snap"); err != nil {
		t.Errorf("remove: %v", err)
	}
	if list, err := s.List(ctx); err != nil || len(list) != 1 {
		t.Errorf("after a removal: got %v, %v, want one file", list, err)
	}
}

// broken fails in the middle.
type broken struct{ io.ReadSeeker }

func (broken) Read([]byte) (int, error) { return 0, errors.New("cannot read") }

// A directory keeps whole files only, which only their owner may read.
func TestDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "backups")
	s, err := Open(dir, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	checkStore(t, s)
	if err := s.Put(t.Context(), "c.snap", broken{}, 1); err == nil {
		t.Error("got no error from a source that fails")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("got %v, %v, want no partial file", entries, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "b.snap")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 0600", info, err)
	}
}
