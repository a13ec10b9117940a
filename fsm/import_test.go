package fsm

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ffrtmp/ffrtmp"
)

// importedJob42 is a valid job of v2.2 that has failed, its number 42.
func importedJob42(t testing.TB, change ...func(*ffrtmp.ImportedJob)) ffrtmp.ImportedJob {
	t.Helper()
	retries := 3
	j := ffrtmp.ImportedJob{
		ID: numbered(0xf42), SequenceNumber: 42, Spec: ffrtmp.Spec{
			Scenario: "720p60-h264", Confidence: "auto",
			MaxRetries: &retries, Labels: map[string]string{"from": "v2.2"},
		},
		Status: ffrtmp.Failed, Progress: 47, CreatedAt: epoch.Add(-5 * time.Hour),
		LastActivityAt: epoch.Add(-2 * time.Hour),
		CompletedAt:    epoch.Add(-2 * time.Hour),
		RetryCount:     1, RetryReason: "exit status 1", Error: "exit status 2", FailureReason: ffrtmp.RuntimeError,
		Logs: "what ffmpeg said\n",
		LastAttempt: &ffrtmp.Attempt{
			Attempt: 2, NodeID: numbered(0xe42), Outcome: ffrtmp.AttemptFailed, StartedAt: epoch.Add(-3 * time.Hour),
			EndedAt: epoch.Add(-2 * time.Hour),
			Error:   "exit status 2", FailureReason: ffrtmp.RuntimeError,
		},
	}
	for _, f := range change {
		f(&j)
	}
	if err := j.Validate(); err != nil {
		t.Fatal(err)
	}
	return j
}

func importedNode42(t testing.TB, change ...func(*ffrtmp.ImportedNode)) ffrtmp.ImportedNode {
	t.Helper()
	n := ffrtmp.ImportedNode{
		ID: numbered(0xe42),
		Registration: ffrtmp.Registration{
			Machine: ffrtmp.Machine{
				Address:       "enc-42",
				Type:          "laptop",
				CPUThreads:    8,
				CPUModel:      "Core i7",
				RAMTotalBytes: 16 << 30,
			},
		},
		RegisteredAt: epoch.Add(-9 * time.Hour), LastHeartbeat: epoch.Add(-time.Hour),
	}
	for _, f := range change {
		f(&n)
	}
	if err := n.Validate(); err != nil {
		t.Fatal(err)
	}
	return n
}

func (c *cluster) take(batch ffrtmp.Import) Imported {
	c.Helper()
	_, taken, err := c.Import(c.Context(), Idempotency{}, batch)
	if err != nil {
		c.Fatal(err)
	}
	return taken
}

func waiting(j *ffrtmp.ImportedJob) {
	j.Status, j.CompletedAt, j.Progress, j.LastAttempt, j.Logs = ffrtmp.Pending, time.Time{}, 0, nil, ""
}

// An imported job keeps its history and can be retried.
func TestImport_KeepsHistory(t *testing.T) {
	c := newCluster(t)
	was := importedJob42(t)
	taken := c.take(ffrtmp.Import{Nodes: []ffrtmp.ImportedNode{importedNode42(t)}, Jobs: []ffrtmp.ImportedJob{was}})
	if len(taken.Jobs) != 1 || taken.Jobs[0] != (ImportedJob{Seq: 42, New: true}) ||
		taken.Nodes[0] != (ImportedNode{ID: numbered(0xe42), New: true}) {
		t.Fatalf("got %+v, want job 42 and its node, both new", taken)
	}
	c.checkDerived()
	want := ffrtmp.Job{
		ID: was.ID, SequenceNumber: 42, Scenario: "720p60-h264", Confidence: "auto", Engine: "auto",
		Status: ffrtmp.Failed,
		Queue:  ffrtmp.Default, Priority: ffrtmp.Medium,
		Progress: 47, NodeID: numbered(0xe42), NodeName: "enc-42", CreatedAt: was.CreatedAt,
		StartedAt: was.LastAttempt.StartedAt, LastActivityAt: was.LastActivityAt,
		CompletedAt: was.CompletedAt, RetryCount: 1, MaxRetries: 3, RetryReason: "exit status 1",
		Error:         "exit status 2",
		FailureReason: ffrtmp.RuntimeError,
		Logs:          "what ffmpeg said\n", Attempt: 2, Attempts: []ffrtmp.Attempt{*was.LastAttempt},
		Labels: map[string]string{"from": "v2.2"}, Requires: &ffrtmp.Requires{Encoder: "libx264"},
	}
	if diff := cmp.Diff(want, c.job(42)); diff != "" {
		t.Error(diff)
	}
	if n, err := c.fsm.Node(numbered(0xe42)); err != nil || n.Status != ffrtmp.NodeOffline || !n.Legacy ||
		!n.LastHeartbeat.Equal(epoch.Add(-time.Hour)) {
		t.Errorf("got node %+v, %v, want an offline v2.2 node", n, err)
	}
	// It can be retried like any failed job.
	c.mustAct(ffrtmp.Retry, 42)
	if a := c.claimOne(c.register("node")); a.Seq != 42 || a.Attempt != 3 {
		t.Errorf("got attempt %+v, want the third of job 42", a)
	}
	c.checkDerived()
}

// All attempts of an imported job are kept, with their metrics; a retry continues their numbers.
func TestImport_Attempts(t *testing.T) {
	c := newCluster(t)
	was := importedJob42(t, func(j *ffrtmp.ImportedJob) {
		last := *j.LastAttempt
		last.Attempt, last.Metrics = 4, []byte(`{"vmaf_score":92.5}`)
		j.LastAttempt = &last
		for i := range 3 {
			a := last
			a.Attempt, a.Outcome, a.Metrics, a.Error = i+1, ffrtmp.AttemptFailed, nil, "exit status 1"
			if i == 1 {
				a.NodeID, a.FailureReason = "", ""
			}
			j.EarlierAttempts = append(j.EarlierAttempts, a)
		}
	})
	c.take(ffrtmp.Import{Nodes: []ffrtmp.ImportedNode{importedNode42(t)}, Jobs: []ffrtmp.ImportedJob{was}})
	c.checkDerived()
	want := append(slices.Clone(was.EarlierAttempts), *was.LastAttempt)
	if diff := cmp.Diff(want, c.job(42).Attempts); diff != "" {
		t.Error(diff)
	}
	c.mustAct(ffrtmp.Retry, 42)
	if a := c.claimOne(c.register("node")); a.Attempt != 5 {
		t.Errorf("got attempt %d, want the fifth", a.Attempt)
	}
	c.checkDerived()
}

// A finished job may be one that nobody can submit. If it is retried, no v2.2 node gets it.
func TestImport_OddScenario(t *testing.T) {
	c := newCluster(t)
	was := importedJob42(t, func(j *ffrtmp.ImportedJob) {
		j.Scenario, j.Engine, j.Parameters = "my-own", "gstreamer", []byte(`{"vf": "x"}`)
	})
	c.take(ffrtmp.Import{Jobs: []ffrtmp.ImportedJob{was}})
	if j := c.job(42); j.Scenario != "my-own" || j.Engine != "gstreamer" || string(j.Parameters) != `{"vf":"x"}` {
		t.Errorf("got %+v, want the job as it was", j)
	}
	c.mustAct(ffrtmp.Retry, 42)
	old := c.register("old", func(n *ffrtmp.Registration) { n.NodeID, n.MaxConcurrentJobs = "", 0 })
	if c.fsm.HasReady(old, c.now) {
		t.Error("a v2.2 node gets the job, want it to get none")
	}
	if !c.fsm.HasReady(c.register("node"), c.now) {
		t.Error("no node gets the job, want ours to get it")
	}
	waits := was
	waits.ID, waits.Status, waits.CompletedAt = numbered(0xe77), ffrtmp.Pending, time.Time{}
	waits.LastAttempt, waits.Logs = nil, ""
	if err := waits.Validate(); err == nil {
		t.Error("got no error, want a job that has yet to run to be refused")
	}
}

// Imported jobs may share an output. Nobody else gets it before the last of them has ended, in whatever order.
func TestImport_SharedOutput(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {1, 0, 2}, {2, 1, 0}} {
		c := newCluster(t)
		output := func(s *ffrtmp.Spec) { s.Parameters = []byte(`{"output":"a.mp4"}`) }
		var batch ffrtmp.Import
		for i := range 3 {
			batch.Jobs = append(batch.Jobs, importedJob42(t, waiting, func(j *ffrtmp.ImportedJob) {
				output(&j.Spec)
				j.ID, j.SequenceNumber = numbered(0xf00+i), uint64(i+1)
			}))
		}
		c.take(batch)
		c.checkDerived()
		for _, i := range order {
			_, _, err := c.Submit(c.Context(), Idempotency{}, []ffrtmp.Spec{newSpec(c, output)})
			wantCode(t, err, ffrtmp.Conflict)
			c.mustAct(ffrtmp.Cancel, uint64(i+1))
			c.checkDerived()
		}
		c.submit(output)
		for i := range 3 {
			_, _, err := c.Act(c.Context(), Idempotency{}, ffrtmp.Retry, uint64(i+1))
			wantCode(t, err, ffrtmp.Conflict)
		}
		c.checkDerived()
	}
}

// What is found as output is what the parameters decode to.
func TestOutputOf(t *testing.T) {
	for parameters, want := range map[string]string{
		``:                                              "",
		`{}`:                                            "",
		`{"output":"a.mp4","fps":30}`:                   "a.mp4",
		`{"input":"output","output":"b/a.mp4"}`:         "b/a.mp4",
		`{"output":"a.mp4","output":"b.mp4"}`:           "b.mp4",
		`{"output":"a.mp4","output":null}`:              "a.mp4",
		`{"output":""}`:                                 "",
		`{"output_mode":"file"}`:                        "",
		`{"o\u0075tput":"a.mp4"}`:                       "a.mp4",
		`{"output":"\u0061.mp4"}`:                       "a.mp4",
		`{"output":"a\"output\":\"b.mp4"}`:              `a"output":"b.mp4`,
		`{"input":"x\",\"output\":\"b","fps":30}`:       "",
		`{"input":"\\","output":"\\\"output\":\"x.ts"}`: `\"output":"x.ts`,
	} {
		if got := outputOf(parameters); got != want {
			t.Errorf("%s: got %q, want %q", parameters, got, want)
		}
	}
}

// Nothing is imported twice, not even after it was removed.
func TestImport_Replay(t *testing.T) {
	c := newCluster(t)
	batch := ffrtmp.Import{Nodes: []ffrtmp.ImportedNode{importedNode42(t)}, Jobs: []ffrtmp.ImportedJob{
		importedJob42(t),
		importedJob42(t, waiting, func(j *ffrtmp.ImportedJob) { j.ID = numbered(0xf43) }),
	}}
	id := Idempotency{Principal: "p", Key: "once"}
	ctx := WithActor(c.Context(), Actor{Principal: "p"})
	_, first, err := c.Import(ctx, id, batch)
	if err != nil {
		t.Fatal(err)
	}
	// A replay returns the same response.
	_, again, err := c.Import(ctx, id, batch)
	if err != nil || again.Jobs[0] != first.Jobs[0] || again.Jobs[1] != first.Jobs[1] {
		t.Errorf("got %+v, %v, want %+v", again, err, first)
	}
	if list, err := c.fsm.Audit(c.Context(), ffrtmp.AuditPage{Limit: 10}); err != nil || len(list.Records) != 1 ||
		list.Records[0].Action != "import" || list.Records[0].Detail != "jobs=2 nodes=1" {
		t.Errorf("got audit records %+v, %v, want one import", list, err)
	}
	c.reopen()
	second := c.take(batch)
	for i, j := range second.Jobs {
		if j.New || j.Seq != first.Jobs[i].Seq {
			t.Errorf("job %d: got %+v, want the known job of %+v", i, j, first.Jobs[i])
		}
	}
	if second.Nodes[0].New {
		t.Error("got a new node, want the known one")
	}
	counts := c.fsm.Counts()
	if counts.Submitted != 2 || counts.Jobs[ffrtmp.Failed] != 1 || counts.Jobs[ffrtmp.Pending] != 1 ||
		counts.Retries != 2 || counts.Nodes[ffrtmp.NodeOffline] != 1 {
		t.Errorf("got counts %+v, want one failed and one pending job", counts)
	}
	// Removed jobs and nodes are not imported again.
	if _, err := c.sqlite().ExecContext(c.Context(), `DELETE FROM job_spec WHERE seq = 42; DELETE FROM job_state
	WHERE seq = 42`); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.RemoveNode(c.Context(), numbered(0xe42), false); err != nil {
		t.Fatal(err)
	}
	if third := c.take(batch); third.Jobs[0].New || third.Nodes[0].New {
		t.Errorf("imported again: got %+v", third)
	}
	if known, err := c.fsm.KnownJobs(c.Context(), []string{
		numbered(0xf42), numbered(0xf43),
		numbered(0xfff),
	}); err != nil || known[numbered(0xf42)] != 42 || known[numbered(0xf43)] != 43 || len(known) != 2 {
		t.Errorf("got %v, %v, want jobs 42 and 43", known, err)
	}
}

// A job keeps its number only if the cluster has not passed it.
func TestImport_Numbers(t *testing.T) {
	c := newCluster(t)
	c.submit()
	numbers := []uint64{1, 2, 10, 0, 11}
	want := []uint64{2, 3, 10, 11, 12}
	var batch ffrtmp.Import
	for i, n := range numbers {
		batch.Jobs = append(batch.Jobs, importedJob42(t, waiting, func(j *ffrtmp.ImportedJob) {
			j.ID,
				j.SequenceNumber = numbered(0xf00+i), n
		}))
	}
	for i, j := range c.take(batch).Jobs {
		if j.Seq != want[i] {
			t.Errorf("number %d: got %d, want %d", numbers[i], j.Seq, want[i])
		}
	}
	if seq := c.submit(); seq != 13 {
		t.Errorf("got next job %d, want 13", seq)
	}
	node := c.register("node")
	for _, want := range []uint64{1, 2, 3, 10} {
		if a := c.claimOne(node); a.Seq != want {
			t.Errorf("got job %d, want %d", a.Seq, want)
		}
	}
}

// The agent that ran the job under v2.2 may report its result until the job is claimed.
func TestImport_OldAgentFinishes(t *testing.T) {
	for _, claimed := range []bool{false, true} {
		c := newCluster(t)
		c.take(ffrtmp.Import{
			Nodes: []ffrtmp.ImportedNode{importedNode42(t)},
			Jobs: []ffrtmp.ImportedJob{importedJob42(t,
				waiting, func(j *ffrtmp.ImportedJob) {
					j.LastAttempt = &ffrtmp.Attempt{
						Attempt: 1, NodeID: numbered(0xe42), Outcome: ffrtmp.AttemptLost, StartedAt: epoch,
						EndedAt: epoch,
					}
				})},
		})
		c.checkDerived()
		if j := c.job(42); j.Status != ffrtmp.Pending || j.Attempt != 1 {
			t.Fatalf("got %+v, want a pending job after one attempt", j)
		}
		if claimed {
			c.claimOne(c.register("node"))
		}
		_, _, err := c.Result(c.Context(), Idempotency{}, 42, ffrtmp.Result{
			JobID: numbered(0xf42), NodeID: numbered(0xe42),
			Status: ffrtmp.ResultCompleted,
		})
		if claimed {
			wantCode(t, err, ffrtmp.StaleAttempt)
		} else if j := c.job(42); err != nil || j.Status != ffrtmp.Completed || len(j.Attempts) != 1 {
			t.Errorf("got %v, %+v, want a completed job", err, j)
		}
		c.checkDerived()
	}
}

// A v2.2 node that registers with an imported node's address is that node.
func TestImport_NodeByAddress(t *testing.T) {
	c := newCluster(t)
	c.take(ffrtmp.Import{Nodes: []ffrtmp.ImportedNode{importedNode42(t)}})
	if id := c.register("enc-42", func(r *ffrtmp.Registration) {
		r.NodeID, r.Address = "",
			"enc-42"
	}); id != numbered(0xe42) {
		t.Errorf("got node %s, want the imported one", id)
	}
	taken := c.take(ffrtmp.Import{Nodes: []ffrtmp.ImportedNode{importedNode42(t,
		func(n *ffrtmp.ImportedNode) { n.ID = numbered(0xe43) })}})
	if taken.Nodes[0] != (ImportedNode{ID: numbered(0xe42)}) || c.fsm.KnownNode(numbered(0xe43),
		"enc-42") != numbered(0xe42) {
		t.Errorf("same address: got %+v, want the known node", taken.Nodes)
	}
	if n, err := c.fsm.Node(numbered(0xe42)); err != nil || n.Status != ffrtmp.NodeAvailable ||
		n.Eligibility != ffrtmp.Eligible {
		t.Errorf("got node %+v, %v, want an available one", n, err)
	}
	c.checkDerived()
}

// An import emits events and is audited.
func TestImport_EventsAndAudit(t *testing.T) {
	c := newCluster(t)
	ctx := WithActor(c.Context(), Actor{Principal: "bootstrap", Source: "192.0.2.1", RequestID: "r"})
	batch := ffrtmp.Import{
		Nodes: []ffrtmp.ImportedNode{importedNode42(t)},
		Jobs:  []ffrtmp.ImportedJob{importedJob42(t)},
	}
	for range 2 { // the second one takes nothing
		if _, _, err := c.Import(ctx, Idempotency{}, batch); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff("1.0 node.registered on a node\n1.1 node.offline on a node\n"+
		"1.2 job.submitted 42.2 on a node\n1.3 job.failed 42.2 on a node runtime_error\n",
		formatEvents(c.allEvents(ffrtmp.EventID{}))); diff != "" {
		t.Error(diff)
	}
	list, err := c.fsm.Audit(t.Context(), ffrtmp.AuditPage{Limit: 10})
	if err != nil || len(list.Records) != 2 || list.Records[0].Action != "import" ||
		list.Records[0].Detail != "jobs=1 nodes=1" {
		t.Errorf("audit log: %+v, %v", list, err)
	}
}
