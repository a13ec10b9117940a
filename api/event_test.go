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
	id    string // of the last block
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
		m.t.Fatalf("got %s, headers %v, want 200 and an event stream", resp.Status, resp.Header)
	}
	return &eventReader{m.t, bufio.NewScanner(resp.Body), "", resp}
}

// block reads up to the next empty line: an event or only a position.
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
			r.t.Fatalf("got the end of the stream (%v), want an event", r.lines.Err())
		}
		if fields["data"] == "" {
			continue
		}
		var e ffrtmp.Event
		if err := json.Unmarshal([]byte(fields["data"]), &e); err != nil {
			r.t.Fatal(err)
		}
		if fields["id"] != e.ID().String() || fields["event"] != string(e.Type) {
			r.t.Fatalf("got fields %v, want those of %+v", fields, e)
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
		t.Fatalf("got first block %v, want one with an id and no data", fields)
	}
	j := m.submit(`{"scenario":"720p","parameters":` +
		`{"output_mode":"rtmp","rtmp_url":"rtmp://example.com/live","stream_key":"hush"}}`)
	if e := fromNow.next(); e.JobID != j.ID || e.Type != ffrtmp.JobSubmitted {
		t.Errorf("got %+v, want %s submitted", e, j.ID)
	}
	m.want(http.StatusOK, "POST", "/jobs/1/cancel", "")
	if e := fromNow.next(); e.SequenceNumber != 1 || e.Type != ffrtmp.JobCanceled {
		t.Errorf("got %+v, want job 1 canceled", e)
	}
	all := m.stream("?since=0")
	for i, want := range []ffrtmp.EventType{ffrtmp.JobSubmitted, ffrtmp.JobSubmitted, ffrtmp.JobCanceled} {
		if e := all.next(); e.Type != want {
			t.Errorf("event %d: got %+v, want %s", i, e, want)
		}
	}
	// A browser reconnects to its old URL with Last-Event-ID.
	again := m.stream("?since=0", "Last-Event-ID", fromNow.id)
	m.want(http.StatusOK, "POST", "/jobs/2/cancel", "")
	for _, s := range []*eventReader{fromNow, all, again} {
		if e := s.next(); e.SequenceNumber != 2 || e.Type != ffrtmp.JobCanceled {
			t.Errorf("got %+v, want job 2 canceled", e)
		}
	}
	filtered := m.stream("?since=0&type=job.canceled,job.failed&job_id=" + j.ID)
	if e := filtered.next(); e.JobID != j.ID || e.Type != ffrtmp.JobCanceled {
		t.Errorf("got %+v, want %s canceled", e, j.ID)
	}
	batch := m.want(http.StatusCreated, "POST", "/jobs/batch", `{"jobs":[{"scenario":"720p"},{"scenario":"720p"}]}`)
	index := batch.Header.Get(ffrtmp.IndexHeader)
	if first, second := again.next().ID().String(), again.next().ID().String(); first != index+".0" ||
		second != index+".1" {
		t.Errorf("got events %s and %s, want %s.0 and %[3]s.1", first, second, index)
	}
	middle := m.stream("?since=" + index + ".0")
	if got := middle.next().ID().String(); got != index+".1" {
		t.Errorf("got %s, want %s.1", got, index)
	}
}

// Malformed filters, and ids that are no longer kept.
func TestEvents_Refused(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	for _, bad := range []string{
		"?since=x", "?since=1.x", "?since=-1", "?since=1.-1", "?since=1.2.3", "?type=nothing",
		"?type=job.progress", "?progress=maybe",
		"?since=99999999999999999999.0",
	} {
		m.want(http.StatusBadRequest, "GET", "/events"+bad, "")
	}
	m.want(http.StatusBadRequest, "GET", "/events", "", "Last-Event-ID", "x")
	m.want(http.StatusServiceUnavailable, "GET", "/events?since=1000.0", "") // not reached in time
	if r := m.want(http.StatusOK, "HEAD", "/events", ""); r.Header.Get("Content-Type") != eventStreamType {
		t.Errorf("got headers %v, want Content-Type %s", r.Header, eventStreamType)
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
	received := make(chan ffrtmp.Event)
	go func() { received <- m.stream(fmt.Sprintf("?since=%d.0", next)).next() }()
	m.submit(`{"scenario":"720p"}`)
	want := m.submit(`{"scenario":"1080p"}`)
	if e := <-received; e.JobID != want.ID {
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
	m.submit(`{"scenario":"720p"}`) // filtered out
	begun := time.Now()
	for s.id == from || time.Since(begun) < 2*m.port.http.WriteTimeout {
		if s.block() == nil {
			t.Fatalf("got the end of the stream at %s (%v), want a position", s.id, s.lines.Err())
		}
	}
	if want := fmt.Sprint(m.fsm.Index(), ".0"); s.id != want {
		t.Errorf("got position %s after %s, want %s", s.id, from, want)
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
		t.Errorf("got %v from a stopping master, want a clean end", err)
	}
}
