package api

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/limits"
)

// A client that sends nothing, or never reads, is disconnected.
func TestServer_Timeouts(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	conn, err := tls.Dial("tcp", m.server.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /jobs HTTP/1.1\r\nHost: x\r\nX-Slow"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := conn.SetReadDeadline(start.Add(limits.HeaderTime + 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatalf("got a connection still open after %s, want it closed: %v", time.Since(start), err)
	}
	if took := time.Since(start); took < limits.HeaderTime-time.Second {
		t.Errorf("got the end after %s, want %s", took, limits.HeaderTime)
	}
	for _, d := range []struct {
		name      string
		got, want time.Duration
	}{
		{"header", m.port.http.ReadHeaderTimeout, 5 * time.Second},
		{"read", m.port.http.ReadTimeout, 30 * time.Second},
		{"write", m.port.http.WriteTimeout, 30 * time.Second},
		{"idle", m.port.http.IdleTimeout, 120 * time.Second},
	} {
		if d.got != d.want {
			t.Errorf("got %s timeout %s, want %s", d.name, d.got, d.want)
		}
	}
}

// hurry is short for a client, but enough for an ordinary request on a slow machine.
const hurry = 2 * time.Second

// hurried shortens the time limits. Answers are not checked against the document, which takes
// ten times as long as answering.
func hurried(s *http.Server) {
	s.ReadTimeout, s.WriteTimeout = hurry, hurry
	if c, ok := s.Handler.(*conformance); ok {
		s.Handler = c.next
	}
}

// A long poll outlives the server's timeouts, over HTTP/1.1 and HTTP/2.
func TestServer_LongPoll(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("http2 ", http2), func(t *testing.T) {
			t.Parallel()
			m := newMaster(t, hurried)
			m.register(nodeA)
			client := &http.Client{
				Transport: &http.Transport{
					TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
					ForceAttemptHTTP2: http2,
				},
			}
			defer client.CloseIdleConnections()
			req, err := http.NewRequestWithContext(t.Context(), "POST", m.server.URL+"/jobs/claim",
				strings.NewReader(`{"node_id":"`+nodeA+`","wait":"3s"}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Bearer "+testKey)
			start := time.Now()
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != "{\"jobs\":[]}\n" || time.Since(start) < 3*time.Second {
				t.Errorf("got %q, %v after %s, want no job after 3s", body, err, time.Since(start))
			}
			if want := map[bool]int{false: 1, true: 2}[http2]; resp.ProtoMajor != want {
				t.Errorf("got HTTP/%d, want HTTP/%d", resp.ProtoMajor, want)
			}
		})
	}
}

// A read that waits for an index outlives the server's timeouts.
func TestServer_IndexWait(t *testing.T) {
	t.Parallel()
	m := newMaster(t, hurried)
	m.want(503, "GET", "/jobs?index=1000&wait=3s", "")
}

// A log may be silent for longer than the write timeout.
func TestServer_IdleStream(t *testing.T) {
	t.Parallel()
	m := newMaster(t, hurried)
	m.register(nodeA)
	id := m.submit(`{"scenario":"720p"}`).ID
	lines := m.followLog(id) // begins before the job is claimed
	j := m.claim(nodeA)
	<-time.After(hurry + hurry/4)
	m.want(200, "POST", "/nodes/"+nodeA+"/heartbeat",
		fmt.Sprintf(`{"attempts":[{"job_id":%q,"attempt":1,"lease":%q,"log_tail":"one\n"}]}`, id, j.Lease))
	wantLine(t, lines, "one\n")
	<-time.After(hurry + hurry/4)
	m.want(200, "POST", "/results", result(j, "completed", `,"logs":"one\ntwo\n"`))
	wantLine(t, lines, "two\n")
	if text, ok := <-lines; ok {
		t.Errorf("got %q after the end, want nothing", text)
	}
	// From the state, and from an offset.
	if r := m.want(200, "GET", "/jobs/1/logs?follow&offset=4", ""); string(r.body) != "two\n" {
		t.Errorf("got %q, want the second line", r.body)
	}
}

// A shutdown ends reads that wait for an index.
func TestShutdown_IndexWait(t *testing.T) {
	for _, path := range []string{"/jobs?index=1000&wait=60s", "/jobs?stale&index=1000&wait=60s"} {
		for _, leads := range []bool{false, true} {
			m, follower, peer := pair(t)
			if !leads {
				m = follower
			}
			forwarded := !leads && !strings.Contains(path, "stale")
			answer, down := m.stopDuring("GET", path, "",
				func() bool { return m.isBusy() && (!forwarded || peer.seen.Load() > 0) })
			select {
			case r := <-answer:
				var p problem
				if r.decode(t, &p); p.Code != ffrtmp.NoLeader || p.Field != "" {
					t.Errorf("%s: got %d %s, want no_leader", path, r.StatusCode, r.body)
				}
			case <-time.After(20 * time.Second):
				t.Fatalf("%s: got no answer within 20s, want one", path)
			}
			if err := <-down; err != nil {
				t.Error(err)
			}
		}
	}
}

// A shutdown ends long polls and finishes other requests.
func TestShutdown(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	poll := m.start("POST", "/jobs/claim", `{"node_id":"`+nodeA+`","wait":"30s"}`)
	m.log.mu.Lock() // a write that is in flight
	write := m.start("POST", "/jobs", `{"scenario":"720p"}`)
	eventually(t, "both are in flight", func() bool {
		m.api.inFlight.mu.Lock()
		defer m.api.inFlight.mu.Unlock()
		return m.api.inFlight.n == 2
	})
	<-time.After(100 * time.Millisecond)
	down := make(chan error, 1)
	go func() { down <- m.api.Shutdown(context.Background()) }()
	if r := <-poll; r.StatusCode != 503 || !strings.Contains(string(r.body), "no_leader") {
		t.Errorf("got %d %s from a long poll, want 503 no_leader", r.StatusCode, r.body)
	}
	select {
	case err := <-down:
		t.Fatalf("got a shutdown before the write was answered (%v), want it after", err)
	case <-time.After(100 * time.Millisecond):
	}
	m.log.mu.Unlock()
	if r := <-write; r.StatusCode != 201 {
		t.Errorf("got %d %s, want 201", r.StatusCode, r.body)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", m.server.Listener.Addr().String()); err == nil {
		conn.Close()
		t.Error("got a connection after the shutdown, want a refusal")
	}
}

// A client that keeps a connection busy while no request is in flight does not hold up a shutdown.
func TestShutdown_BusyConnection(t *testing.T) {
	m := newMaster(t)
	m.api.grace = time.Millisecond
	began := make(chan struct{})
	m.api.cfg.Port.Open(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { // not counted
		close(began)
		<-r.Context().Done()
	}))
	answer := make(chan error, 1)
	go func() {
		_, err := m.try(context.Background(), "GET", "/jobs", "")
		answer <- err
	}()
	<-began
	if err := m.api.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if <-answer == nil {
		t.Error("got an answer, want a closed connection")
	}
}

// A stopping master transfers leadership first and learns of its successor a moment later, which
// must serve the requests in flight.
func TestShutdown_ForwardsToTheNextLeader(t *testing.T) {
	for path, body := range map[string]string{
		"/jobs": `{"scenario":"720p"}`, "/jobs/batch": `{"jobs":[{"scenario":"720p"}]}`,
	} {
		t.Run("held for a leader: "+path, func(t *testing.T) {
			leader, follower, _ := pair(t)
			follower.cluster.setLeader(nil)
			answer, down := follower.stopDuring("POST", path, body, follower.isBusy)
			follower.follow(leader)
			wantFinished(t, answer, down)
		})
		t.Run("sent to the leader: "+path, func(t *testing.T) {
			leader, follower, peer := pair(t)
			leader.log.mu.Lock()
			answer, down := follower.stopDuring("POST", path, body, func() bool { return peer.seen.Load() == 1 })
			leader.log.mu.Unlock()
			wantFinished(t, answer, down)
		})
	}
}

// isBusy reports whether a request is in flight.
func (m *master) isBusy() bool {
	m.api.inFlight.mu.Lock()
	defer m.api.inFlight.mu.Unlock()
	return m.api.inFlight.n > 0
}

// stopDuring makes a request that cannot be answered yet, and shuts the master down once
// active returns true.
func (m *master) stopDuring(method, path, body string, active func() bool) (answer <-chan response, down <-chan error) {
	answer = m.start(method, path, body)
	downs := make(chan error, 1)
	eventually(m.t, "the request is active", active)
	go func() { downs <- m.api.Shutdown(context.Background()) }()
	<-m.api.stopping.Done()
	return answer, downs
}

func wantFinished(t *testing.T, answer <-chan response, down <-chan error) {
	t.Helper()
	if r := <-answer; r.Response == nil || r.StatusCode != 201 {
		t.Errorf("got %v %s, want 201", r.Response, r.body)
	}
	if err := <-down; err != nil {
		t.Error(err)
	}
}

// While the disks are nearly full, only new jobs are refused.
func TestDiskFull(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	m.submit(`{"scenario":"720p"}`)
	m.want(201, "POST", "/jobs", `{"scenario":"720p"}`, "Idempotency-Key", "before")
	full := func(err error) {
		m.cluster.mu.Lock()
		defer m.cluster.mu.Unlock()
		m.cluster.diskErr, m.cluster.diskLow = err, err != nil
	}
	warnings := func() []string {
		var h ffrtmp.Health
		m.want(200, "GET", "/health/ready", "").decode(t, &h)
		return h.Warnings
	}
	if got := warnings(); got != nil {
		t.Errorf("got warnings %q, want none", got)
	}
	full(errors.New("less than 512 MiB are free"))
	const imported = `{"jobs":[{"id":"01985f3a-0000-7000-8000-000000000001","scenario":"720p",` +
		`"status":"pending","created_at":"2026-01-02T03:04:05Z"}]}`
	for path, body := range map[string]string{
		"/jobs":       `{"scenario":"720p"}`,
		"/jobs/batch": `{"jobs":[{"scenario":"720p"}]}`,
		"/import":     imported,
	} {
		var p problem
		m.want(507, "POST", path, body).decode(t, &p)
		if p.Code != ffrtmp.InsufficientStorage || p.Error != "new jobs are refused: less than 512 MiB are free" {
			t.Errorf("%s: got %+v, want insufficient_storage", path, p)
		}
	}
	m.want(200, "POST", "/jobs", `{"scenario":"720p"}`, "Idempotency-Key", "before")
	m.want(409, "POST", "/jobs", `{"scenario":"1080p"}`, "Idempotency-Key", "before")
	m.want(507, "POST", "/jobs", `{"scenario":"720p"}`, "Idempotency-Key", "new")
	m.want(400, "POST", "/jobs", `{}`)
	m.want(200, "POST", "/import?dry_run", imported)
	claimed := m.claim(nodeA)
	m.want(200, "POST", "/results", result(claimed, "publishing", ""))
	m.want(200, "POST", "/results", result(claimed, "completed", ""))
	m.want(200, "POST", "/jobs/2/cancel", "")
	if got := warnings(); len(got) != 1 || got[0] != "the disk is nearly full" {
		t.Errorf("got warnings %q, want one", got)
	}
	full(nil)
	m.submit(`{"scenario":"720p"}`)
}

// Only the node gets the secrets of a job: no other answer or log line has them.
func TestSecrets(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	const canary = "c4n4ry"
	inURL := `{"scenario":"720p","parameters":{"rtmp_url":"rtmp://example.com/live/` + canary + `"}}`
	asKey := `{"scenario":"720p","parameters":{"rtmp_url":"rtmp://user:` + canary +
		`@example.com/live","stream_key":"` + canary + `"}}`
	for _, c := range []struct{ method, path, body string }{
		{"POST", "/jobs", asKey},
		{"POST", "/jobs", inURL},
		{"GET", "/jobs", ""},
		{"GET", "/jobs/1", ""},
		{"GET", "/jobs/2", ""},
		{"GET", "/api/v1/jobs/1", ""},
		{"PATCH", "/jobs/1", `{"priority":"high"}`},
		{"GET", "/jobs/1/explain", ""},
		{"POST", "/jobs", strings.Replace(asKey, "720p", "8K", 1)},
	} {
		if r := m.request(c.method, c.path, c.body); strings.Contains(string(r.body), canary) {
			t.Errorf("%s %s: got an answer with the secret, want none: %s", c.method, c.path, r.body)
		}
	}
	j := m.claim(nodeA)
	if n := strings.Count(string(j.Parameters), canary); n != 2 {
		t.Errorf("got parameters %s, want both secrets", j.Parameters)
	}
	m.want(200, "POST", "/results", result(j, "failed", ""))
	for _, secret := range []string{canary, j.Lease, testKey} {
		if strings.Contains(m.logs.String(), secret) {
			t.Error("got a secret in the log, want none")
		}
	}
	if r := m.request("GET", "/jobs/1", ""); strings.Contains(string(r.body), j.Lease) {
		t.Error("got the lease in a job, want none")
	}
}

// The metrics port serves the documented series.
func TestMetrics(t *testing.T) {
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	m.want(404, "GET", "/jobs/99", "")
	m.want(404, "GET", "/x/y/z", "")
	m.want(401, "GET", "/jobs", "", "Authorization", "")
	rec := newScrape(t, m)
	for _, want := range []string{
		`ffmpeg_master_http_requests_total{code="201",method="POST",route="/jobs"} 1`,
		`ffmpeg_master_http_requests_total{code="404",method="GET",route="/jobs/{id}"} 1`,
		`ffmpeg_master_http_requests_total{code="404",method="other",route="other"} 1`,
		`ffmpeg_master_auth_failures_total 1`,
		`ffmpeg_master_jobs_total 1`,
		`ffmpeg_master_uptime_seconds `,
	} {
		if !strings.Contains(rec, want) {
			t.Errorf("got no %s, want it in\n%s", want, rec)
		}
	}
	if strings.Contains(rec, "/jobs/99") || strings.Contains(rec, "/x/y") {
		t.Error("got a path as a label, want its pattern")
	}
}

func newScrape(t *testing.T, m *master) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: m.api.MetricsHandler(), ReadHeaderTimeout: time.Second}
	go func() { _ = server.Serve(l) }() // ends with Close
	defer server.Close()
	resp, err := http.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(bufio.NewReader(resp.Body))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
