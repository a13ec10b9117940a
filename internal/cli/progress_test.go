package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// encoding is the second attempt of a job.
func encoding() ffrtmp.Job {
	return ffrtmp.Job{
		SequenceNumber: 12,
		Status:         ffrtmp.Running,
		Progress:       52,
		NodeName:       "agent-1",
		Attempt:        2,
		ProgressDetail: &ffrtmp.Progress{
			Phase: "encoding", Frame: 900, FPS: 143.2,
			Speed: 4.77, OutTimeSeconds: 31.2, ETASeconds: 6.1,
		},
	}
}

// The line fits the width; less useful parts are left out first.
func TestProgressLine(t *testing.T) {
	running := Observation{Job: encoding()}
	pending := Observation{
		Job: ffrtmp.Job{SequenceNumber: 13, Status: ffrtmp.Pending},
		Why: ffrtmp.Explanation{Summary: "no node that can run it is free", Ahead: 4},
	}
	retrying := Observation{
		Job: ffrtmp.Job{
			SequenceNumber: 14, Status: ffrtmp.Pending, RetryCount: 2, MaxRetries: 3,
			RetryReason: "exit\x1b[2J status 1", NotBefore: time.Now().Add(90*time.Second + 999*time.Millisecond),
		},
	}
	live := Observation{
		Job: ffrtmp.Job{
			SequenceNumber: 15, Status: ffrtmp.Running, NodeName: "a",
			ProgressDetail: &ffrtmp.Progress{Phase: "encoding", FPS: 60, Speed: 1, OutTimeSeconds: 3725},
		},
	}
	paused := running
	paused.Job.Status, paused.Job.ProgressDetail = ffrtmp.Paused, &ffrtmp.Progress{Phase: "paused"}
	done := running
	done.Job.Status, done.Job.Progress, done.Job.ProgressDetail = ffrtmp.Completed, 100, nil
	for _, c := range []struct {
		name   string
		seen   Observation
		silent time.Duration
		width  int
		want   string
	}{
		{
			"wide", running, 0, 100,
			"Job 12  " + strings.Repeat("█", 20) + strings.Repeat("░", 20) +
				"   52%  0:06 left  143 fps  4.8x  agent-1  attempt 2",
		},
		{"medium", running, 0, 60, "Job 12  █████░░░░░░   52%  0:06 left  143 fps  4.8x  agent-1"},
		{"narrow", running, 0, 40, "Job 12  ███████░░░░░░░░   52%  0:06 left"},
		{"too narrow for a bar", running, 0, 20, "Job 12   52%"},
		{
			"silent", running, 5 * time.Second, 70,
			"Job 12  █████░░░░░░   52%  no answer for 5s, retrying  0:06 left  4.8x",
		},
		{"waiting", pending, 0, 80, "Job 13  pending  no node that can run it is free  4 ahead"},
		{"waiting, narrow", pending, 0, 30, "Job 13  pending  no node that…"},
		{"backing off", retrying, 0, 80, "Job 14  pending  retry 2 of 3 in 1m30s: exit?[2J status 1"},
		{"live", live, 0, 80, "Job 15  1:02:05 encoded  60 fps  1.0x  a"},
		{"paused", paused, 0, 60, "Job 12  █████████░░░░░░░░░   52%  paused  agent-1  attempt 2"},
		{"completed", done, 0, 50, "Job 12  ████████████████  100%  completed  agent-1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := progressLine(c.seen, c.silent, c.width)
			if got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
			if n := width(got); n > c.width {
				t.Errorf("got %d columns, want at most %d", n, c.width)
			}
		})
	}
}
