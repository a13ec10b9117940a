package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
)

// An agent that knows only the contract reports new text without offsets.
func TestFollow_WithoutOffsets(t *testing.T) {
	m := newMaster(t)
	j := m.running(`{"scenario":"720p"}`)
	report := func(more string) {
		t.Helper()
		m.want(200, "POST", "/nodes/"+nodeA+"/heartbeat",
			fmt.Sprintf(`{"attempts":[{"job_id":%q,"attempt":1,"lease":%q%s}]}`, j.ID, j.Lease, more))
	}
	lines := m.followLog(j.ID)
	report(`,"log_tail":"one\n"`)
	wantLine(t, lines, "one\n")
	report(`,"log_tail":"two\n"`)
	wantLine(t, lines, "two\n")
	report(`,"log_tail":"two\n"`) // repeated, because its answer was lost
	report(`,"log_tail":"wo\nthree\n","log_offset":5`)
	wantLine(t, lines, "three\n")
	var log attemptLog
	if m.want(200, "GET", "/jobs/1/logs", "").decode(t, &log); log.Logs != "one\ntwo\nthree\n" {
		t.Errorf("got log %q, want three lines", log.Logs)
	}
}

// The log is followed when the claim is in the state, but not yet known to the leader.
func TestFollow_FromTheClaimOn(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	m.submit(`{"scenario":"720p"}`)
	_, claimed, err := m.proposer.Claim(t.Context(), nodeA, 1)
	if err != nil || len(claimed) != 1 {
		t.Fatalf("got %v (%v), want one attempt", claimed, err)
	}
	j := claimed[0]
	lines := m.followLog(j.JobID)
	m.want(200, "POST", "/nodes/"+nodeA+"/heartbeat",
		fmt.Sprintf(`{"attempts":[{"job_id":%q,"attempt":1,"lease":%q,"log_tail":"one\n"}]}`, j.JobID, j.Lease))
	wantLine(t, lines, "one\n")
}

// The stream breaks: after a clean end the log would seem complete.
func TestFollow_LeadershipLost(t *testing.T) {
	m := newMaster(t)
	m.register(nodeA)
	id := m.submit(`{"scenario":"720p"}`).ID
	lines := m.followLog(id)
	m.cluster.setLeader(nil)
	select {
	case text := <-lines:
		if !strings.HasPrefix(text, "broken: ") {
			t.Errorf("got %q, want a broken stream", text)
		}
	case <-time.After(10 * time.Second):
		t.Error("got no end of the stream within 10s, want one")
	}
}

// longLog returns a log that exceeds the limit, and the offset of the part that is kept.
func longLog() (text string, start int) {
	var b strings.Builder
	for n := 0; b.Len() < ffrtmp.MaxLogBytes+10_000; n++ {
		fmt.Fprintf(&b, "frame=%d\n", n)
	}
	return b.String(), b.Len() - ffrtmp.MaxLogBytes
}

// The position of a log that is longer than its kept tail.
func TestLogs_Offsets(t *testing.T) {
	text, start := longLog()
	for _, state := range []string{"running", "completed"} {
		t.Run(state, func(t *testing.T) {
			m := newMaster(t)
			j := m.running(`{"scenario":"720p"}`)
			m.reportLog(j, 0, text)
			if state == "completed" {
				m.completeWithLog(j, text[start:], fmt.Sprintf(`,"log_offset":%d`, start))
			}
			for _, test := range []struct{ offset, from int }{
				{0, start},
				{start - 1, start},
				{start, start},
				{start + 1000, start + 1000},
				{len(text), len(text)},
				{len(text) + 5, len(text) + 5},
			} {
				r := m.want(200, "GET", fmt.Sprintf("/jobs/1/logs?offset=%d", test.offset), "")
				wantLogHeader(t, r.Header, test.from)
				want := attemptLog{j.ID, text[min(test.from, len(text)):], int64(test.from)}
				var got attemptLog
				if r.decode(t, &got); got != want {
					t.Errorf("offset %d: got %d bytes from %d, want %d from %d", test.offset, len(got.Logs), got.Offset,
						len(want.Logs), want.Offset)
				}
				if state == "completed" {
					r := m.want(200, "GET", fmt.Sprintf("/jobs/1/logs?follow&offset=%d", test.offset), "")
					wantLogHeader(t, r.Header, test.from)
					if got := string(r.body); got != want.Logs {
						t.Errorf("follow, offset %d: got %d bytes, want %d", test.offset, len(got), len(want.Logs))
					}
				}
			}
		})
	}
}

// A stream breaks off at a gap instead of skipping it.
func TestFollow_Gap(t *testing.T) {
	m := newMaster(t)
	j := m.running(`{"scenario":"720p"}`)
	lines := m.followLog(j.ID)
	m.reportLog(j, 0, "one\n")
	wantLine(t, lines, "one\n")
	m.reportLog(j, 100, "two\n")
	if text := <-lines; !strings.HasPrefix(text, "broken: ") {
		t.Fatalf("got %q, want a broken stream", text)
	}
	r := m.want(200, "GET", "/jobs/1/logs?offset=4", "")
	wantLogHeader(t, r.Header, 100)
}

// A client follows a log that is longer than 64 KiB. Its connection breaks, the attempt ends, and the
// client resumes. If it lost more than is kept, it learns how many bytes are missing.
func TestFollow_BrokenConnection(t *testing.T) {
	text, start := longLog()
	early := strings.LastIndex(text[:start/2], "\n")
	for _, test := range []struct{ name, received, gap string }{
		{"the rest is kept", text[:len(text)-20], text[len(text)-20:]},
		{
			"the rest is not kept", text[:early],
			fmt.Sprintf("\n[%d bytes of the log are no longer kept]\n", start-early) + text[start:],
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := newMaster(t)
			j := m.running(`{"scenario":"720p"}`)
			network := &network{address: m.server.Listener.Addr().String()}
			c := network.client(t, m)
			got := &testkit.Buffer{}
			done := make(chan error, 1)
			go func() { done <- c.FollowLogs(t.Context(), "1", 0, got) }()
			const step = 10_000
			for sent := 0; sent < len(test.received); sent += step {
				end := min(sent+step, len(test.received))
				m.reportLog(j, sent, text[sent:end])
				eventually(t, "the client has the report", func() bool { return got.String() == text[:end] })
			}
			network.fail()
			m.completeWithLog(j, text[start:], fmt.Sprintf(`,"log_offset":%d`, start))
			network.recover()
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if got, want := got.String(), test.received+test.gap; got != want {
				t.Errorf("got %d bytes that end in %.40q, want %d", len(got), got[max(0, len(got)-40):], len(want))
			}
		})
	}
}

// network connects a client to one master, and can fail.
type network struct {
	address string
	mu      sync.Mutex
	failed  bool
	conns   []net.Conn
}

func (n *network) dial(ctx context.Context, kind, _ string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.failed {
		return nil, syscall.ECONNREFUSED
	}
	conn, err := new(net.Dialer).DialContext(ctx, kind, n.address)
	if err == nil {
		n.conns = append(n.conns, conn)
	}
	return conn, err
}

// fail breaks all connections and refuses new ones.
func (n *network) fail() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed = true
	for _, conn := range n.conns {
		conn.Close()
	}
}

func (n *network) recover() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.failed = false
}

// client returns a client that reaches m over the network.
func (n *network) client(t *testing.T, m *master) *client.Client {
	t.Helper()
	trusted := x509.NewCertPool()
	trusted.AddCert(m.server.Certificate())
	transport := &http.Transport{
		DialContext: n.dial, TLSClientConfig: &tls.Config{RootCAs: trusted, ServerName: "example.com"},
	}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := client.New(client.Config{Masters: []string{m.server.URL}, APIKey: testKey, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The connection breaks, the attempt ends, and the reader resumes.
func TestFollow_ResumedAfterTheEnd(t *testing.T) {
	text, start := longLog()
	m := newMaster(t)
	j := m.running(`{"scenario":"720p"}`)
	position := len(text) - 20
	m.reportLog(j, 0, text[:position])
	// This agent does not report the offset of the log in its result.
	m.completeWithLog(j, text[start:], "")
	r := m.want(200, "GET", fmt.Sprintf("/jobs/1/logs?follow&attempt=1&offset=%d", position), "")
	wantLogHeader(t, r.Header, position)
	if got := string(r.body); got != text[position:] {
		t.Errorf("got %q, want %q", got, text[position:])
	}
}

func wantLogHeader(t *testing.T, h http.Header, from int) {
	t.Helper()
	got, want := h.Get(ffrtmp.LogAttemptHeader)+" "+h.Get(ffrtmp.LogOffsetHeader), fmt.Sprint(1, " ", from)
	if got != want {
		t.Errorf("got attempt and offset %s, want %s", got, want)
	}
}

// reportLog sends a heartbeat with a part of the log.
func (m *master) reportLog(j ffrtmp.Job, offset int, text string) {
	m.t.Helper()
	part, err := json.Marshal(text)
	if err != nil {
		m.t.Fatal(err)
	}
	m.want(200, "POST", "/nodes/"+nodeA+"/heartbeat", fmt.Sprintf(
		`{"attempts":[{"job_id":%q,"attempt":%d,"lease":%q,"log_tail":%s,"log_offset":%d}]}`,
		j.ID,
		j.Attempt,
		j.Lease,
		part,
		offset,
	))
}

// completeWithLog sends a result with the tail of the log, and more fields.
func (m *master) completeWithLog(j ffrtmp.Job, tail, more string) {
	m.t.Helper()
	logs, err := json.Marshal(tail)
	if err != nil {
		m.t.Fatal(err)
	}
	m.want(200, "POST", "/results", result(j, "completed", `,"logs":`+string(logs)+more))
}
