package agent

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/client"
	"github.com/ffrtmp/ffrtmp/internal/mastertest"
	"github.com/ffrtmp/ffrtmp/internal/testkit"
	"github.com/ffrtmp/ffrtmp/master"
)

// masters is a real master behind a proxy that records what agents send, and breaks connections.
type masters struct {
	t *testing.T
	*mastertest.Proxy
	client *client.Client

	eager     atomic.Bool  // long polls are answered at once
	loseClaim atomic.Int32 // so many answers with jobs are lost
	deaf      atomic.Bool  // no heartbeat arrives

	mu            sync.Mutex
	registrations int
	beats         []ffrtmp.Heartbeat
	claims        []ffrtmp.ClaimRequest
	accepted      []ffrtmp.Result // in order, each once
}

// newMasters starts a master that retries no failed job.
func newMasters(t *testing.T) *masters {
	return newMastersWith(t, func(*master.Config) {})
}

// newQuickMasters starts one whose leases expire soon; a job then waits for so long.
func newQuickMasters(t *testing.T, wait time.Duration) *masters {
	return newMastersWith(t, func(c *master.Config) {
		c.LeaseTTL, c.MaxRetries, c.RetryBase, c.RetryCap = 2*time.Second, 100, wait, wait
	})
}

func newMastersWith(t *testing.T, change func(*master.Config)) *masters {
	t.Helper()
	m := mastertest.Start(t, func(c *master.Config) {
		c.LeaseTTL, c.MaxRetries = time.Minute, 0
		change(c)
	})
	f := &masters{t: t, Proxy: mastertest.NewProxy(t, m), client: m.Client}
	f.Request, f.Response = f.request, f.response
	return f
}

func (f *masters) request(r *http.Request, body []byte) (changed []byte, broken bool) {
	heartbeat, claim := strings.HasSuffix(r.URL.Path, "/heartbeat"), r.URL.Path == "/jobs/claim"
	if heartbeat && f.deaf.Load() {
		return nil, true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case heartbeat:
		return f.held(body, record(f, &f.beats, body)), false
	case claim:
		return f.held(body, record(f, &f.claims, body)), false
	case r.URL.Path == "/nodes/register":
		f.registrations++
	}
	return body, false
}

// record appends what a body holds to a list.
func record[T any](f *masters, list *[]T, body []byte) *T {
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		f.t.Errorf("%s: %v", body, err)
	}
	*list = append(*list, v)
	return &v
}

// held returns the body that the master gets, without a wait if it is to answer at once.
func (f *masters) held(body []byte, v any) []byte {
	if !f.eager.Load() {
		return body
	}
	switch v := v.(type) {
	case *ffrtmp.Heartbeat:
		v.Wait = 0
	case *ffrtmp.ClaimRequest:
		v.Wait = 0
	}
	changed, err := json.Marshal(v)
	if err != nil {
		f.t.Error(err)
	}
	return changed
}

func (f *masters) response(r *http.Response, sent, received []byte) (broken bool) {
	if r.StatusCode != http.StatusOK {
		return false
	}
	switch r.Request.URL.Path {
	case "/jobs/claim":
		var claimed ffrtmp.ClaimResponse
		if err := json.Unmarshal(received, &claimed); err != nil {
			f.t.Errorf("%s: %v", received, err)
		}
		return len(claimed.Jobs) > 0 && f.loseClaim.Add(-1) >= 0
	case "/results":
		f.accept(sent)
	}
	return false
}

// accept records a result that the master has accepted, once however often it was sent.
func (f *masters) accept(body []byte) {
	var result ffrtmp.Result
	if err := json.Unmarshal(body, &result); err != nil {
		f.t.Errorf("%s: %v", body, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.ContainsFunc(f.accepted, func(a ffrtmp.Result) bool {
		return a.JobID == result.JobID && a.Attempt == result.Attempt && a.Status == result.Status
	}) {
		f.accepted = append(f.accepted, result)
	}
}

func (f *masters) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// submit adds a job and returns its id.
func (f *masters) submit(scenario, parameters string) string {
	f.t.Helper()
	j, err := f.client.Submit(testkit.Context(f.t),
		ffrtmp.Spec{Scenario: scenario, Parameters: json.RawMessage(parameters)})
	f.must(err)
	return j.ID
}

func (f *masters) cancel(id string) {
	f.t.Helper()
	f.must(f.client.Cancel(testkit.Context(f.t), id))
}

// reassign has another node claim a job's next attempt, once the lease of this one has expired, and complete it.
func (f *masters) reassign(id string) {
	f.t.Helper()
	f.deaf.Store(true)
	defer f.deaf.Store(false)
	ctx, other := testkit.Context(f.t), uuid.NewString()
	_, err := f.client.Register(ctx, ffrtmp.Registration{
		NodeID: other,
		Machine: ffrtmp.Machine{
			Name:              "other",
			Address:           "10.0.0.1",
			MaxConcurrentJobs: 1,
			Encoders:          []string{"libx264"},
		},
	})
	f.must(err)
	var claimed []ffrtmp.Job
	for len(claimed) == 0 {
		claimed, err = f.client.Claim(ctx, ffrtmp.ClaimRequest{
			NodeID: other, Max: 1,
			Wait: ffrtmp.Duration(time.Second),
		})
		f.must(err)
	}
	if claimed[0].ID != id {
		f.t.Fatalf("got job %s, want %s", claimed[0].ID, id)
	}
	_, err = f.client.Result(ctx, ffrtmp.Result{
		JobID: id, NodeID: other, Attempt: claimed[0].Attempt, Lease: claimed[0].Lease, Status: ffrtmp.ResultCompleted,
	})
	f.must(err)
}

func (f *masters) job(id string) ffrtmp.Job {
	f.t.Helper()
	j, err := f.client.Job(testkit.Context(f.t), id)
	f.must(err)
	return j
}

func (f *masters) log(id string) string {
	log, err := f.client.Logs(context.Background(), id, 0)
	if err != nil {
		return err.Error()
	}
	return log
}

// results lists what was accepted of a job, as "status attempt".
func (f *masters) results(id string) (list []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.accepted {
		if r.JobID == id {
			list = append(list, string(r.Status)+" "+strconv.Itoa(r.Attempt))
		}
	}
	return list
}

// holds reports on what was recorded.
func (f *masters) holds(cond func() bool) func() bool {
	return func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return cond()
	}
}

// await waits until the job is as wanted.
func (f *masters) await(id, what string, wanted func(ffrtmp.Job) bool) (j ffrtmp.Job) {
	f.t.Helper()
	testkit.Eventually(f.t, "job "+id+" is "+what, func() bool { j = f.job(id); return wanted(j) })
	return j
}

func (f *masters) awaitStatus(id string, s ffrtmp.Status) ffrtmp.Job {
	f.t.Helper()
	return f.await(id, string(s), func(j ffrtmp.Job) bool {
		if j.Status.Terminal() && j.Status != s {
			f.t.Fatalf("job %s is %s, want %s: %s\n%s", id, j.Status, s, j.Error, f.log(id))
		}
		return j.Status == s
	})
}
