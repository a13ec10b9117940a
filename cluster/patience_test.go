package cluster

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// patienceTest sends heartbeats whose answers take as long as a test says.
type patienceTest struct {
	*patience
	t     *testing.T
	mu    sync.Mutex
	sent  int
	takes time.Duration
	err   error
}

func (p *patienceTest) rpc(req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	p.mu.Lock()
	p.sent++
	takes, err := p.takes, p.err
	p.mu.Unlock()
	time.Sleep(takes) // virtual
	resp.Term, resp.Success, resp.LastLog = req.Term, err == nil, 7
	return err
}

// answers makes the next answers take so long.
func (p *patienceTest) answers(takes time.Duration, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.takes, p.err = takes, err
}

// checkSent checks how many heartbeats were sent.
func (p *patienceTest) checkSent(want int) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sent != want {
		p.t.Errorf("got %d sent, want %d", p.sent, want)
	}
}

// beat sends a heartbeat and checks how long it takes and whether it counts as answered.
func (p *patienceTest) beat(what string, term uint64, want time.Duration, ok bool) {
	p.t.Helper()
	began := time.Now()
	var resp raft.AppendEntriesResponse
	err := p.heartbeat("b", &raft.AppendEntriesRequest{Term: term}, &resp, p.rpc)
	if took := time.Since(began); took != want {
		p.t.Errorf("%s: got an end after %s, want %s", what, took, want)
	}
	if got := err == nil && resp.Success && resp.Term == term; got != ok {
		p.t.Errorf("%s: got counts %v (%+v, %v), want %v", what, got, resp, err, ok)
	}
}

func testPatience(t *testing.T, limit time.Duration, test func(p *patienceTest)) {
	synctest.Test(t, func(t *testing.T) {
		p := &patienceTest{t: t}
		p.patience = newPatience(50*ms, func() time.Duration { return limit })
		test(p)
		p.wait()
	})
}

// Raft waits for every answer when there is no limit.
func TestPatience_None(t *testing.T) {
	testPatience(t, 0, func(p *patienceTest) {
		p.answers(time.Second, nil)
		p.beat("late", 1, time.Second, true)
	})
}

// A heartbeat in flight counts as long as the newest that was answered is not too old, and only one is in flight.
func TestPatience_LateAnswer(t *testing.T) {
	testPatience(t, 400*ms, func(p *patienceTest) {
		p.answers(10*ms, nil)
		p.beat("on time", 1, 10*ms, true)
		p.answers(320*ms, nil)
		for range 6 {
			p.beat("late", 1, 50*ms, true)
		}
		p.beat("late, and answered", 1, 20*ms, true)
		p.checkSent(2)
		p.answers(time.Hour, nil)
		p.beat("no answer yet", 1, 50*ms, true) // the newest answered was sent 370 ms ago
		p.beat("no answer for too long", 1, time.Hour-50*ms, true)
		p.checkSent(3)
	})
}

// An error is none the less one, and a new term begins anew.
func TestPatience_Failure(t *testing.T) {
	testPatience(t, 400*ms, func(p *patienceTest) {
		p.answers(10*ms, errors.New("refused"))
		p.beat("refused", 1, 10*ms, false)
		p.answers(time.Minute, nil)
		p.beat("in flight", 1, 50*ms, true)
		p.answers(20*ms, nil)
		p.beat("a new term's", 2, 20*ms, true)
		p.checkSent(3)
	})
}
