package api

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// nextProgress reads up to the next event of progress.
func (r *eventReader) nextProgress() ffrtmp.Event {
	r.t.Helper()
	for {
		fields := r.block()
		if fields == nil {
			r.t.Fatalf("got the end of the stream (%v), want progress", r.lines.Err())
		}
		if fields["event"] != string(ffrtmp.JobProgress) {
			continue
		}
		if _, ok := fields["id"]; ok {
			r.t.Errorf("got id %q, want none", fields["id"])
		}
		var e ffrtmp.Event
		if err := json.Unmarshal([]byte(fields["data"]), &e); err != nil {
			r.t.Fatal(err)
		}
		return e
	}
}

func (m *master) reportProgress(j ffrtmp.Job, percent float64) {
	m.t.Helper()
	m.want(200, "POST", "/nodes/"+j.NodeID+"/heartbeat", fmt.Sprintf(`{"attempts":[{"job_id":%q,"attempt":%d,`+
		`"lease":%q,"progress":%g,"progress_detail":{"phase":"encoding","fps":25}}]}`, j.ID, j.Attempt, j.Lease,
		percent))
}

// Streams that ask for progress get it, on the leader and on a follower, and no others do.
func TestProgress(t *testing.T) {
	t.Parallel()
	leader, follower, _ := pair(t)
	j := leader.running(`{"scenario":"720p"}`)
	other := leader.submit(`{"scenario":"720p"}`)
	streams := []*eventReader{
		leader.stream("?progress=true"), follower.stream("?progress"),
		follower.stream("?progress=true&type=job.failed&job_id=" + j.ID),
	}
	without := follower.stream("")
	otherJob := leader.stream("?progress=true&job_id=" + other.ID)
	leader.reportProgress(j, 12.5)
	for i, s := range streams {
		e := s.nextProgress()
		if e.JobID != j.ID || e.Attempt != 1 || e.NodeID != nodeA || e.Progress != 12 || e.Detail == nil ||
			e.Detail.FPS != 25 || e.Time.IsZero() {
			t.Errorf("stream %d: got %+v, want 12 %% of job %s at 25 fps", i, e, j.ID)
		}
	}
	leader.reportProgress(j, 50)
	for i, s := range streams {
		if e := s.nextProgress(); e.Progress != 50 {
			t.Errorf("stream %d: got %+v, want 50 %%", i, e)
		}
	}
	leader.want(200, "POST", "/jobs/2/cancel", "")
	for i, s := range []*eventReader{without, otherJob} {
		if e := s.next(); e.Type != ffrtmp.JobCanceled {
			t.Errorf("stream %d: got %+v, want job 2 canceled and nothing before", i, e)
		}
	}
}

// What is sent of an attempt that has ended is its end, not progress that was received before.
func TestProgress_NoneAfterTheEnd(t *testing.T) {
	t.Parallel()
	m := newMaster(t)
	j := m.running(`{"scenario":"720p"}`)
	m.reportProgress(j, 12.5)
	m.api.refreshProgress(t.Context(), nil)
	sender := &progressSender{server: m.api, next: time.Time{}}
	begun := time.Now()
	text := sender.text(t.Context(), &eventFilter{})
	if len(text) == 0 || sender.next.Before(begun.Add(progressInterval)) {
		t.Errorf("got %q, the next %s later, want one event and a second", text, sender.next.Sub(begun))
	}
	m.want(200, "POST", "/jobs/1/cancel", "")
	late := &progressSender{server: m.api}
	if text := late.text(t.Context(), &eventFilter{}); len(text) > 0 {
		t.Errorf("got %q of a canceled job, want nothing", text)
	}
}

// A stream that falls behind gets the newest event of each job.
func TestProgressFeed_Coalesces(t *testing.T) {
	f := &progressFeed{}
	event := func(seq uint64, percent int) ffrtmp.ProgressEvent {
		return ffrtmp.ProgressEvent{SequenceNumber: seq, Progress: percent, Time: time.Unix(int64(percent), 0)}
	}
	f.add([]ffrtmp.ProgressEvent{event(1, 10), event(2, 10)}, "m1")
	_, first := f.after(0)
	f.add([]ffrtmp.ProgressEvent{event(1, 20)}, "m1")
	f.add(nil, "m1")
	for seen, want := range map[uint64]string{0: "[2:10 1:20]", first: "[1:20]", first + 2: "[]"} {
		list, upTo := f.after(seen)
		var got []string
		for _, c := range list {
			got = append(got, fmt.Sprintf("%d:%d", c.SequenceNumber, c.Progress))
		}
		if fmt.Sprint(got) != want || upTo != first+2 {
			t.Errorf("after %d: got %v up to %d, want %s up to %d", seen, got, upTo, want, first+2)
		}
	}
	if f.newest != time.Unix(20, 0) {
		t.Errorf("got newest %v, want that of job 1", f.newest)
	}
	for range 2 * progressTicks {
		f.add([]ffrtmp.ProgressEvent{event(3, 5)}, "m2") // whose clock is behind
	}
	if f.newest != time.Unix(5, 0) || len(f.ticks) != progressTicks {
		t.Errorf("got newest %v and %d ticks, want the new leader's and %d", f.newest, len(f.ticks), progressTicks)
	}
}
