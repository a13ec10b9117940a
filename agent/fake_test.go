package agent

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/ffrtmp/ffrtmp"
)

// fake is the masters of a cluster as an agent sees them, over real TLS.
type fake struct {
	t         *testing.T
	clusterID string
	ttl       float64 // seconds
	report    float64 // seconds
	down      atomic.Bool
	eager     bool         // answers long polls at once
	lose      atomic.Int32 // so many claims are carried out and not answered
	loseBeats atomic.Int32 // so many heartbeats do not arrive

	mu        sync.Mutex
	urls      []string
	leaderURL string
	nodes     map[string]ffrtmp.Registration
	jobs      []*fakeJob
	beats     []ffrtmp.Heartbeat
	accepted  []ffrtmp.Result // in order
	refused   []ffrtmp.Result
	claims    []ffrtmp.ClaimRequest
	joins     int
	changed   chan struct{} // closed and replaced at every change
}

type fakeJob struct {
	ffrtmp.Job
	sealed, listed bool
	log            string
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, clusterID: uuid.NewString(), ttl: 6, report: 0.2, nodes: map[string]ffrtmp.Registration{}, changed: make(chan struct{})}
	f.serve()
	f.leaderURL = f.urls[0]
	return f
}

// serve starts one more master of the cluster.
func (f *fake) serve() *httptest.Server {
	mux := http.NewServeMux()
	handle := func(pattern string, h func(r *http.Request) (int, any)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if f.down.Load() {
				panic(http.ErrAbortHandler)
			}
			if strings.HasSuffix(r.URL.Path, "/heartbeat") && f.loseBeats.Add(-1) >= 0 {
				panic(http.ErrAbortHandler)
			}
			status, v := h(r)
			if f.down.Load() {
				panic(http.ErrAbortHandler)
			}
			if c, ok := v.(ffrtmp.ClaimResponse); ok && len(c.Jobs) > 0 && f.lose.Add(-1) >= 0 {
				panic(http.ErrAbortHandler)
			}
			f.mu.Lock()
			w.Header().Set("X-Ffrtmp-Leader", f.leaderURL)
			f.mu.Unlock()
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = json.NewEncoder(w).Encode(v)
		})
	}
	handle("POST /nodes/register", f.register)
	handle("POST /nodes/{id}/heartbeat", f.heartbeat)
	handle("POST /jobs/claim", f.claim)
	handle("POST /results", f.result)
	s := httptest.NewUnstartedServer(mux)
	s.EnableHTTP2 = true
	s.StartTLS()
	f.t.Cleanup(func() { f.down.Store(true); f.poke(); s.CloseClientConnections(); s.Close() })
	f.mu.Lock()
	defer f.mu.Unlock()
	f.urls = append(f.urls, s.URL)
	return s
}

func (f *fake) poke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notify()
}

func (f *fake) notify() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// hold waits for a change, at most until the deadline.
func (f *fake) hold(ctx context.Context, changed <-chan struct{}, until time.Time) bool {
	if f.eager {
		return false
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case <-changed:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (f *fake) refuse(status int, code ffrtmp.Code) (int, any) {
	return status, map[string]any{"error": "refused: " + string(code), "code": code, "status": status}
}

func (f *fake) register(r *http.Request) (int, any) {
	var in ffrtmp.Registration
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return f.refuse(400, ffrtmp.Invalid)
	}
	if err := in.Validate(); err != nil {
		return f.refuse(400, ffrtmp.Invalid)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nodes[in.NodeID] = in
	f.joins++
	return 200, ffrtmp.Registered{LeaseTTLSeconds: f.ttl, Masters: slices.Clone(f.urls), ClusterID: f.clusterID}
}

func (f *fake) heartbeat(r *http.Request) (int, any) {
	var in ffrtmp.Heartbeat
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return f.refuse(400, ffrtmp.Invalid)
	}
	until := time.Now().Add(time.Duration(in.Wait))
	for first := true; ; first = false {
		f.mu.Lock()
		if _, ok := f.nodes[r.PathValue("id")]; !ok {
			f.mu.Unlock()
			return f.refuse(404, ffrtmp.NotFound)
		}
		answer := ffrtmp.HeartbeatResponse{Masters: slices.Clone(f.urls), LeaseTTLSeconds: f.ttl, ReportSeconds: f.report, ClusterID: f.clusterID}
		if first {
			f.beats = append(f.beats, in)
		}
		for _, rep := range in.Attempts {
			if verb := f.take(rep, first); verb != "" {
				answer.Commands = append(answer.Commands, ffrtmp.Command{Command: verb, JobID: rep.JobID, Attempt: rep.Attempt})
			}
		}
		changed := f.changed
		f.mu.Unlock()
		if len(answer.Commands) > 0 || !f.hold(r.Context(), changed, until) {
			return 200, answer
		}
	}
}

// take notes a report and returns the command that is due.
func (f *fake) take(rep ffrtmp.AttemptReport, first bool) ffrtmp.Verb {
	j := f.find(rep.JobID)
	switch {
	case j == nil || j.Attempt != rep.Attempt || j.Lease != rep.Lease:
		return ffrtmp.CommandStop
	case j.Status == ffrtmp.Pending: // its lease had run out, and nobody has claimed it since
		j.Status = ffrtmp.Running
	case j.Status == ffrtmp.Canceled:
		return ffrtmp.CommandCancel
	case j.Status.Terminal():
		return ""
	}
	if first {
		j.listed, j.Progress, j.ProgressDetail = true, int(rep.Progress), rep.Detail
		if at := rep.LogOffset; at != nil && *at <= int64(len(j.log)) {
			j.log = j.log[:*at] + rep.LogTail
		}
	}
	if paused := j.Status == ffrtmp.Paused; paused && !rep.Paused {
		return ffrtmp.CommandPause
	} else if !paused && rep.Paused {
		return ffrtmp.CommandResume
	}
	return ""
}

func (f *fake) find(id string) *fakeJob {
	for _, j := range f.jobs {
		if j.ID == id {
			return j
		}
	}
	return nil
}

func (f *fake) claim(r *http.Request) (int, any) {
	var in ffrtmp.ClaimRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return f.refuse(400, ffrtmp.Invalid)
	}
	until := time.Now().Add(time.Duration(in.Wait))
	for first := true; ; first = false {
		f.mu.Lock()
		if _, ok := f.nodes[in.NodeID]; !ok {
			f.mu.Unlock()
			return f.refuse(404, ffrtmp.NotFound)
		}
		if first {
			f.claims = append(f.claims, in)
		}
		out := ffrtmp.ClaimResponse{Jobs: []ffrtmp.Job{}}
		for _, j := range f.jobs {
			if len(out.Jobs) == in.Max {
				break
			}
			switch {
			case j.Status == ffrtmp.Pending:
				j.Status, j.Attempt, j.Lease = ffrtmp.Running, j.Attempt+1, strings.ReplaceAll(uuid.NewString(), "-", "")
				j.NodeID, j.listed, j.sealed, j.log = in.NodeID, false, false, ""
			case j.Status != ffrtmp.Running || j.NodeID != in.NodeID || j.listed:
				continue
			}
			out.Jobs = append(out.Jobs, j.Job)
		}
		changed := f.changed
		f.mu.Unlock()
		if len(out.Jobs) > 0 || !f.hold(r.Context(), changed, until) {
			return 200, out
		}
	}
}

func (f *fake) result(r *http.Request) (int, any) {
	var in ffrtmp.Result
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		return f.refuse(400, ffrtmp.Invalid)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	j := f.find(in.JobID)
	if j == nil || in.Validate() != nil || j.Attempt != in.Attempt || j.Lease != in.Lease || j.NodeID != in.NodeID {
		f.refused = append(f.refused, in)
		return f.refuse(409, ffrtmp.StaleAttempt)
	}
	again := map[ffrtmp.ResultStatus]ffrtmp.Status{ffrtmp.ResultCompleted: ffrtmp.Completed, ffrtmp.ResultFailed: ffrtmp.Failed, ffrtmp.ResultCanceled: ffrtmp.Canceled}
	switch {
	case j.Status == again[in.Status] || in.Status == ffrtmp.ResultPublishing && j.sealed && !j.Status.Terminal():
	case j.Status.Terminal():
		f.refused = append(f.refused, in)
		return f.refuse(409, ffrtmp.StaleAttempt)
	case in.Status == ffrtmp.ResultPublishing:
		j.sealed = true
		f.accepted = append(f.accepted, in)
	default:
		j.Status, j.Output, j.Error, j.FailureReason, j.Logs = again[in.Status], in.Output, in.Error, in.FailureReason, in.Logs
		f.accepted = append(f.accepted, in)
	}
	f.notify()
	return 200, ffrtmp.ResultResponse{Status: "success"}
}

// submit adds a job and returns its id.
func (f *fake) submit(scenario, parameters string) string {
	f.t.Helper()
	spec := ffrtmp.Spec{Scenario: scenario, Parameters: json.RawMessage(parameters)}
	if err := spec.Validate(); err != nil {
		f.t.Fatal(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := uuid.Must(uuid.NewV7()).String()
	f.jobs = append(f.jobs, &fakeJob{Job: ffrtmp.Job{ID: id, SequenceNumber: uint64(len(f.jobs) + 1), Scenario: scenario, Parameters: spec.Parameters, Status: ffrtmp.Pending}})
	f.notify()
	return id
}

// set changes a job's status as a user would.
func (f *fake) set(id string, s ffrtmp.Status) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.find(id).Status = s
	f.notify()
}

// reassign gives the job's next attempt to another node.
func (f *fake) reassign(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	j := f.find(id)
	j.Attempt, j.Lease, j.NodeID, j.sealed = j.Attempt+1, "another", "another", false
	f.notify()
}

func (f *fake) job(id string) fakeJob {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *f.find(id)
}

// results lists what was taken, as job status.
func (f *fake) results(id string) (list []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.accepted {
		if r.JobID == id {
			list = append(list, string(r.Status)+" "+strconv.Itoa(r.Attempt))
		}
	}
	return list
}

// await waits until the job is as wanted.
func (f *fake) await(id string, what string, wanted func(fakeJob) bool) fakeJob {
	f.t.Helper()
	var j fakeJob
	if !eventually(func() bool { j = f.job(id); return wanted(j) }) {
		f.t.Fatalf("job %s is not %s but %s, %d %%: %s", id, what, j.Status, j.Progress, j.Error)
	}
	return j
}

func (f *fake) awaitStatus(id string, s ffrtmp.Status) fakeJob {
	f.t.Helper()
	return f.await(id, string(s), func(j fakeJob) bool {
		if j.Status.Terminal() && j.Status != s {
			f.t.Fatalf("job %s is %s: %s\n%s", id, j.Status, j.Error, j.Logs)
		}
		return j.Status == s
	})
}

// patience bounds every single wait. It is long because machines are busy; what has to
// be quick is measured.
const patience = time.Minute

// eventually asks until the answer is yes or patience is over.
func eventually(yes func() bool) bool {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for end := time.Now().Add(patience); time.Now().Before(end); <-ticker.C {
		if yes() {
			return true
		}
	}
	return yes()
}
