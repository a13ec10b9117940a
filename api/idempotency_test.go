package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// The same key and body give the same job, another body a conflict.
func TestIdempotency_Submit(t *testing.T) {
	m := newMaster(t)
	key := []string{"Idempotency-Key", "order 66"}
	var first, second ffrtmp.Job
	m.want(201, "POST", "/jobs", `{"scenario":"720p","queue":"batch"}`, key...).decode(t, &first)
	m.want(200, "POST", "/jobs", ` { "queue":"batch", "scenario":"720p" } `, key...).decode(t, &second)
	if first.ID != second.ID {
		t.Errorf("got jobs %s and %s, want one", first.ID, second.ID)
	}
	m.want(409, "POST", "/jobs", `{"scenario":"1080p","queue":"batch"}`, key...)
	m.want(409, "POST", "/jobs/batch", `{"jobs":[{"scenario":"720p"}]}`, key...)
	if n := len(m.list("")); n != 1 {
		t.Errorf("got %d jobs, want 1", n)
	}
	m.want(201, "POST", "/jobs", `{"scenario":"720p","queue":"batch"}`, "Idempotency-Key", "order 67")

	// A refused request leaves its key free.
	other := []string{"Idempotency-Key", "order 68"}
	m.want(400, "POST", "/jobs", `{"scenario":"8K"}`, other...)
	m.want(201, "POST", "/jobs", `{"scenario":"720p"}`, other...)
}

// Concurrent requests with one key create one job.
func TestIdempotency_Concurrent(t *testing.T) {
	m := newMaster(t)
	var all sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for range 20 {
		all.Go(func() {
			r := m.request("POST", "/jobs", `{"scenario":"720p"}`, "Idempotency-Key", "k")
			mu.Lock()
			defer mu.Unlock()
			statuses[r.StatusCode]++
		})
	}
	all.Wait()
	if n := len(m.list("")); n != 1 || statuses[201] != 1 || statuses[200] != 19 {
		t.Errorf("got %d jobs, answers %v, want 1 job, one 201 and nineteen 200", n, statuses)
	}
}

// An action with a key happens once.
func TestIdempotency_Action(t *testing.T) {
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	key := []string{"Idempotency-Key", "k"}
	m.want(200, "POST", "/jobs/1/pause", "", key...)
	m.want(200, "POST", "/jobs/1/pause", "", key...) // without the key: 409
	m.want(409, "POST", "/jobs/1/pause", "")
	m.want(409, "POST", "/jobs/1/resume", "", key...) // another request
	m.want(200, "POST", "/jobs/1/resume", "")
}

// A repeated action is answered as the first time, whatever the job is now.
func TestIdempotency_RepeatedAction(t *testing.T) {
	m := newMaster(t)
	m.submit(`{"scenario":"720p"}`)
	steps := []struct{ action, want string }{
		{"pause", "paused"},
		{"resume", "pending"},
		{"cancel", "canceled"},
		{"retry", "pending"},
	}
	for round := range 2 {
		for _, step := range steps {
			var a acted
			m.want(200, "POST", "/jobs/1/"+step.action, "", "Idempotency-Key", step.action).decode(t, &a)
			if string(a.Status) != step.want {
				t.Errorf("%s: got %s, want %s", step.action, a.Status, step.want)
			}
		}
		if round == 0 {
			m.want(200, "POST", "/jobs/1/pause", "") // it stays so in the second round
		}
	}
}

// A registration with a key happens once.
func TestIdempotency_Register(t *testing.T) {
	m := newMaster(t)
	const legacy = `{"address":"old","cpu_threads":8}`
	key := []string{"Idempotency-Key", "r"}
	var n, again ffrtmp.Registered
	m.want(201, "POST", "/nodes/register", legacy, key...).decode(t, &n)
	m.submit(`{"scenario":"720p"}`)
	m.want(200, "GET", "/jobs/next?node_id="+n.ID, "")
	m.want(200, "POST", "/nodes/register", legacy, key...).decode(t, &again)
	if again.ID != n.ID {
		t.Errorf("got node %s, want %s", again.ID, n.ID)
	}
	if j := m.job("1"); j.Status != ffrtmp.Running {
		t.Errorf("got job %s after a repeated registration, want running", j.Status)
	}
	m.want(409, "POST", "/nodes/register", `{"address":"new","cpu_threads":8}`, key...)
	m.want(200, "POST", "/nodes/register", legacy)
	if j := m.job("1"); j.Status != ffrtmp.Pending {
		t.Errorf("got job %s after a new registration, want pending", j.Status)
	}
}

// A result with a key is accepted once.
func TestIdempotency_Result(t *testing.T) {
	m := newMaster(t)
	j := m.running(`{"scenario":"720p"}`)
	key := []string{"Idempotency-Key", "first"}
	failed := result(j, "failed", `,"failure_reason":"runtime_error"`)
	var first, again ffrtmp.ResultResponse
	m.want(200, "POST", "/results", failed, key...).decode(t, &first)
	m.want(409, "POST", "/results", result(j, "failed", `,"failure_reason":"hung"`), key...)
	eventually(t, "the retry is claimed", func() bool {
		return m.request("POST", "/jobs/claim", `{"node_id":"`+nodeA+`","wait":"1s"}`).StatusCode == 200 &&
			m.job("1").Attempt == 2
	})
	m.want(200, "POST", "/results", failed, key...).decode(t, &again)
	if first.Status != "retrying" || first.Retry != 1 || again != first {
		t.Errorf("got %+v, then %+v, want retry 1 twice", first, again)
	}
	if j := m.job("1"); j.Status != ffrtmp.Running || j.Attempt != 2 {
		t.Errorf("got job %s at attempt %d after a repeated result, want running at 2", j.Status, j.Attempt)
	}
	m.want(409, "POST", "/results", failed) // without the key it is stale
}

// A batch creates all of its jobs or none.
func TestSubmitBatch(t *testing.T) {
	m := newMaster(t)
	m.want(400, "POST", "/jobs/batch", `{"jobs":[{"scenario":"720p"},{"scenario":"x"}]}`)
	if n := len(m.list("")); n != 0 {
		t.Fatalf("got %d jobs of a refused batch, want none", n)
	}
	body := `{"jobs":[` + strings.Repeat(`{"scenario":"720p"},`, 9999) + `{"scenario":"720p"}]}`
	key := []string{"Idempotency-Key", "k"}
	var first, again ffrtmp.Submitted
	m.want(201, "POST", "/jobs/batch", body, key...).decode(t, &first)
	m.want(200, "POST", "/jobs/batch", body, key...).decode(t, &again)
	if first.Count != 10000 || len(first.Jobs) != 10000 || first.Jobs[9999].SequenceNumber != 10000 {
		t.Errorf("got %d jobs, want 10000", first.Count)
	}
	one, _ := json.Marshal(first)
	two, _ := json.Marshal(again)
	if string(one) != string(two) {
		t.Errorf("got another answer to the repeated batch, want the same")
	}
	m.want(http.StatusNotFound, "GET", "/jobs/10001", "")
}

// list returns all jobs of a list.
func (m *master) list(query string) []ffrtmp.Job {
	m.t.Helper()
	var l ffrtmp.List
	m.want(200, "GET", "/jobs"+query, "").decode(m.t, &l)
	if l.Count != len(l.Jobs) {
		m.t.Errorf("got count %d, want %d", l.Count, len(l.Jobs))
	}
	return l.Jobs
}

// Pages follow each other without a gap or a repeat.
func TestListJobs_Pages(t *testing.T) {
	m := newMaster(t)
	for i := range 7 {
		queue := []string{"live", "batch"}[i%2]
		m.submit(`{"scenario":"720p","queue":"` + queue + `","labels":{"n":"` + strconv.Itoa(i) + `"}}`)
	}
	var seen []uint64
	for cursor, pages := "", 1; ; pages++ {
		var l ffrtmp.List
		m.want(200, "GET", "/jobs?limit=3&order=asc&cursor="+cursor, "").decode(t, &l)
		for _, j := range l.Jobs {
			seen = append(seen, j.SequenceNumber)
		}
		if cursor = l.NextCursor; cursor == "" {
			if pages != 3 {
				t.Errorf("got %d pages, want 3", pages)
			}
			break
		}
	}
	if len(seen) != 7 || seen[0] != 1 || seen[6] != 7 {
		t.Errorf("got jobs %v, want 1 to 7", seen)
	}
	for query, want := range map[string]int{
		"?queue=live": 4, "?queue=batch&limit=2": 2, "?label=n%3D3": 1, "?label=n": 7, "?status=pending": 7,
		"?status=running": 0, "?priority=medium": 7, "?scenario=1080p": 0, "?node_id=" + nodeA: 0,
	} {
		if got := len(m.list(query)); got != want {
			t.Errorf("%s: got %d jobs, want %d", query, got, want)
		}
	}
	for query, want := range map[string]int{"?total&limit=2": 7, "?total=true&queue=live": 4, "?total&label=n%3D3": 1} {
		var page ffrtmp.List
		m.want(200, "GET", "/jobs"+query, "").decode(t, &page)
		if page.Total == nil || *page.Total != want {
			t.Errorf("%s: got total %v, want %d", query, page.Total, want)
		}
	}
	m.want(400, "GET", "/jobs?total&q=x", "")
	if newest := m.list(""); newest[0].SequenceNumber != 7 {
		t.Errorf("got job %d first, want 7", newest[0].SequenceNumber)
	}
	var canceled struct{ Count int }
	m.want(200, "POST", "/jobs/cancel", `{"filter":{"queue":"live"}}`).decode(t, &canceled)
	if canceled.Count != 4 || len(m.list("?status=canceled")) != 4 {
		t.Errorf("got %d canceled, want 4", canceled.Count)
	}
}
