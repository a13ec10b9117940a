package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// eventReader reads the events of one stream.
type eventReader struct {
	t     *testing.T
	lines *bufio.Scanner
	id    string // of what was read last
	resp  *http.Response
}

// stream opens a stream of events; it ends with the test.
func (m *master) stream(query string, header ...string) *eventReader {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	m.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, "GET", m.server.URL+"/events"+query, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := m.server.Client().Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		m.t.Fatalf("got %s %v", resp.Status, resp.Header)
	}
	return &eventReader{m.t, bufio.NewScanner(resp.Body), "", resp}
}

// block reads up to the next empty line: an event, or only a place.
func (r *eventReader) block() (fields map[string]string) {
	r.t.Helper()
	fields = map[string]string{}
	for r.lines.Scan() {
		if r.lines.Text() == "" {
			r.id = fields["id"]
			return fields
		}
		name, value, _ := strings.Cut(r.lines.Text(), ": ")
		fields[name] = value
	}
	return nil
}

// next reads the next event.
func (r *eventReader) next() ffrtmp.Event {
	r.t.Helper()
	for {
		fields := r.block()
		if fields == nil {
			r.t.Fatalf("the stream has ended: got %v", r.lines.Err())
		}
		if fields["data"] == "" {
			continue
		}
		var e ffrtmp.Event
		if err := json.Unmarshal([]byte(fields["data"]), &e); err != nil {
			r.t.Fatal(err)
		}
		if fields["id"] != e.ID().String() || fields["event"] != string(e.Type) {
			r.t.Fatalf("got %v", fields)
		}
		return e
	}
}

// A stream sends every event once, and resumes after any of them.
func TestEvents(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	fromNow := m.stream("")
	if fields := fromNow.block(); fields["data"] != "" || fields["id"] == "" {
		t.Fatalf("the stream begins with %v, not with its place", fields)
	}
	j := m.submit(`{"scenario":"720p","parameters":{"output_mode":"rtmp","rtmp_url":"rtmp://example.com/live","stream_key":"hush"}}`)
	if e := fromNow.next(); e.JobID != j.ID || e.Type != ffrtmp.JobSubmitted {
		t.Errorf("got %+v", e)
	}
	m.want(http.StatusOK, "POST", "/jobs/1/cancel", "")
	if e := fromNow.next(); e.SequenceNumber != 1 || e.Type != ffrtmp.JobCanceled {
		t.Errorf("got %+v", e)
	}
	all := m.stream("?since=0")
	for i, want := range []ffrtmp.EventType{ffrtmp.JobSubmitted, ffrtmp.JobSubmitted, ffrtmp.JobCanceled} {
		if e := all.next(); e.Type != want {
			t.Errorf("event %d is %+v", i, e)
		}
	}
	// A browser comes back with its old address, and says where it was.
	again := m.stream("?since=0", "Last-Event-ID", fromNow.id)
	m.want(http.StatusOK, "POST", "/jobs/2/cancel", "")
	for _, s := range []*eventReader{fromNow, all, again} {
		if e := s.next(); e.SequenceNumber != 2 || e.Type != ffrtmp.JobCanceled {
			t.Errorf("got %+v", e)
		}
	}
	filtered := m.stream("?since=0&type=job.canceled,job.failed&job_id=" + j.ID)
	if e := filtered.next(); e.JobID != j.ID || e.Type != ffrtmp.JobCanceled {
		t.Errorf("got %+v", e)
	}
	batch := m.want(http.StatusCreated, "POST", "/jobs/batch", `{"jobs":[{"scenario":"720p"},{"scenario":"720p"}]}`)
	index := batch.Header.Get(indexHeader)
	if first, second := again.next().ID().String(), again.next().ID().String(); first != index+".0" || second != index+".1" {
		t.Errorf("the batch of entry %s has events %s and %s", index, first, second)
	}
	middle := m.stream("?since=" + index + ".0")
	if got := middle.next().ID().String(); got != index+".1" {
		t.Errorf("after %s.0 comes %s", index, got)
	}
}

// Malformed filters, and ids that are no longer kept.
func TestEvents_Refused(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	for _, bad := range []string{"?since=x", "?since=1.x", "?since=-1", "?since=1.-1", "?since=1.2.3", "?type=nothing", "?since=99999999999999999999.0"} {
		m.want(http.StatusBadRequest, "GET", "/events"+bad, "")
	}
	m.want(http.StatusBadRequest, "GET", "/events", "", "Last-Event-ID", "x")
	m.want(http.StatusServiceUnavailable, "GET", "/events?since=1000.0", "") // not reached in time
	if r := m.want(http.StatusOK, "HEAD", "/events", ""); r.Header.Get("Content-Type") != eventStreamType {
		t.Errorf("got %v", r.Header)
	}
	for range maxEventStreams {
		m.api.eventStreams <- struct{}{}
	}
	m.want(http.StatusTooManyRequests, "GET", "/events", "")
}

// A stream starts after an entry that this master does not have yet.
func TestEvents_LaggingMaster(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	next := m.fsm.Index() + 1
	told := make(chan ffrtmp.Event)
	go func() { told <- m.stream(fmt.Sprintf("?since=%d.0", next)).next() }()
	m.submit(`{"scenario":"720p"}`)
	want := m.submit(`{"scenario":"1080p"}`)
	if e := <-told; e.JobID != want.ID {
		t.Errorf("got %+v, want job %s", e, want.ID)
	}
}

// An idle stream sends its position until the master stops or loses its cluster.
func TestEvents_KeepAlive(t *testing.T) {
	t.Parallel()
	m := newMaster(t, hurried)
	m.api.keepAlive = 20 * time.Millisecond
	s := m.stream("?type=job.failed")
	from := s.block()["id"]
	m.submit(`{"scenario":"720p"}`) // not what the reader wants to know
	begun := time.Now()
	for s.id == from || time.Since(begun) < 2*m.api.http.WriteTimeout {
		if s.block() == nil {
			t.Fatalf("the stream has ended at %s: %v", s.id, s.lines.Err())
		}
	}
	if want := fmt.Sprint(m.fsm.Index(), ".0"); s.id != want {
		t.Errorf("the reader was led from %s to %s, want %s", from, s.id, want)
	}
	m.cluster.setLeader(nil)
	m.cluster.mu.Lock()
	m.cluster.contact = time.Hour
	m.cluster.mu.Unlock()
	for s.block() != nil {
		s.id = ""
	}
	m.lead()
	s = m.stream("")
	s.block()
	m.api.stop()
	for s.block() != nil {
		s.id = ""
	}
	if err := s.lines.Err(); err != nil {
		t.Errorf("a stopping master does not end its streams in order: got %v", err)
	}
}
