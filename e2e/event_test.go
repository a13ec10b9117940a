package e2e

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/devcluster"
)

// traced records which master serves the client's events.
type traced struct {
	http.RoundTripper
	host atomic.Value
}

func (r *traced) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Path == "/events" {
		r.host.Store(req.URL.Host)
	}
	return r.RoundTripper.RoundTrip(req)
}

// server returns the master that serves the stream.
func (r *traced) server(s *site) *devcluster.Master {
	s.t.Helper()
	for _, m := range s.Masters() {
		if u, err := url.Parse(m.URL()); err == nil && u.Host == r.host.Load() {
			return m
		}
	}
	s.t.Fatalf("got address %v, want one of a master", r.host.Load())
	return nil
}

// eventsUpTo reads events up to the first one of the job.
func eventsUpTo(ctx context.Context, c *client.Client, id string) (list []ffrtmp.Event, err error) {
	for e, err := range c.Events(ctx, "0") {
		if err != nil {
			return list, err
		}
		list = append(list, e)
		if e.JobID == id {
			break
		}
	}
	return list, nil
}

// A reader sees each event once and in order although the serving master is killed twice.
func TestEvents_SurviveTheirMaster(t *testing.T) {
	s := start(t, devcluster.Options{Masters: 3})
	transport := &traced{RoundTripper: &http.Transport{TLSClientConfig: s.ClientTLS(), ForceAttemptHTTP2: true}}
	reader, err := client.New(client.Config{Masters: s.URLs(), APIKey: s.APIKey(), Transport: transport})
	s.must(err)
	var received atomic.Int64
	var list []ffrtmp.Event
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for e, err := range reader.Events(ctx, "0") {
			if err != nil {
				return
			}
			list = append(list, e)
			received.Add(1)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	hears := func(n int64) {
		s.t.Helper()
		enough := received.Load() + n
		s.eventually("the reader receives more events", func() bool { return received.Load() >= enough })
	}
	w := s.write(4, "events")
	for range 2 {
		hears(100)
		m := transport.server(s)
		m.Kill()
		hears(100)
		s.restart(m)
	}
	w.verify()
	var last ffrtmp.Job
	last, err = s.client.Submit(
		s.soon(),
		ffrtmp.Spec{Scenario: "360p", Requires: &ffrtmp.Requires{Labels: map[string]string{"nowhere": "true"}}},
	)
	s.must(err)
	for _, m := range s.Masters() {
		one, err := client.New(client.Config{Masters: []string{m.URL()}, APIKey: s.APIKey(), TLS: s.ClientTLS()})
		s.must(err)
		want, err := eventsUpTo(s.soon(), one, last.ID)
		s.must(err)
		s.eventually("the reader receives all events", func() bool { return received.Load() >= int64(len(want)) })
		if diff := cmp.Diff(want, list[:len(want)]); diff != "" || received.Load() != int64(len(want)) {
			t.Fatalf(
				"got %d events, master %s sent %d (-master +reader):\n%s",
				received.Load(),
				m.URL(),
				len(want),
				diff,
			)
		}
		one.Close()
	}
}
