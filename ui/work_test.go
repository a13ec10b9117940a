package ui_test

import (
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// register adds a node with two slots.
func (b *browser) register() {
	b.Helper()
	machine := ffrtmp.Machine{
		Name: "encoder-1", Address: "10.0.0.1", CPUThreads: 8, MaxConcurrentJobs: 2, Encoders: []string{"libx264"},
	}
	r := ffrtmp.Registration{NodeID: nodeID, Machine: machine}
	if _, err := b.master.Client.Register(b.Context(), r); err != nil {
		b.Fatal(err)
	}
}

// claim starts the first attempt of a new job on the node.
func (b *browser) claim(spec ffrtmp.Spec) ffrtmp.Job {
	b.Helper()
	b.submit(spec)
	jobs, err := b.master.Client.Claim(b.Context(), ffrtmp.ClaimRequest{NodeID: nodeID, Max: 1})
	if err != nil || len(jobs) != 1 {
		b.Fatalf("got %d jobs, %v, want one", len(jobs), err)
	}
	return jobs[0]
}

// report sends results of an attempt; r has what they say.
func (b *browser) report(j ffrtmp.Job, r ffrtmp.Result, statuses ...ffrtmp.ResultStatus) {
	b.Helper()
	r.JobID, r.NodeID, r.Attempt, r.Lease = j.ID, nodeID, j.Attempt, j.Lease
	for _, r.Status = range statuses {
		if _, err := b.master.Client.Result(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}

// The overview counts jobs by queue, says why attempts failed, draws the last hours, and what needs attention.
func TestConsole_Overview(t *testing.T) {
	b := signedIn(t)
	text := b.get("/ui/").text
	if !strings.Contains(text, "No node is registered") || !strings.Contains(text, "#agents") {
		t.Error("got no hint that a node is missing, want it with a link to the runbook")
	}
	b.register()
	failed := ffrtmp.Result{Error: "no such file", FailureReason: ffrtmp.UserError}
	for range 5 {
		b.report(b.claim(ffrtmp.Spec{Scenario: "720p"}), failed, ffrtmp.ResultFailed)
	}
	done := ffrtmp.Result{Output: &ffrtmp.Output{Path: "/media/a.mp4"}}
	b.report(b.claim(ffrtmp.Spec{Scenario: "720p"}), done, ffrtmp.ResultPublishing, ffrtmp.ResultCompleted)
	for range 12 {
		b.submit(ffrtmp.Spec{Scenario: "720p", Queue: ffrtmp.Batch})
	}
	text = b.get("/ui/?window=6h").text
	for _, want := range []string{
		`<th scope="row">User error</th><td class="num">5</td>`, "5 jobs of 6 failed in the last 6h, mostly user error",
		`<a href="/ui/jobs?queue=batch">batch</a></td><td class="num">12</td>`, "completed 1, failed 5, canceled 0",
		`aria-current="true" href="/ui/?window=6h"`, "12 jobs waiting, and none runs", "<b>12</b>",
		`hx-get="/ui/?window=6h"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got no %q, want it", want)
		}
	}
	if text := b.get("/ui/?window=nonsense").text; !strings.Contains(text, "The last 1h") {
		t.Error("got another range, want an hour")
	}
}
