package ui

import (
	"strings"
	"testing"
	"time"

	"github.com/ffrtmp/ffrtmp"
)

// A job counts as long as its latest attempt ran.
func TestLoadChart(t *testing.T) {
	to := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	from := to.Add(-72 * time.Minute)
	at := func(minutes int) time.Time { return from.Add(time.Duration(minutes) * time.Minute) }
	c := loadChart([]ffrtmp.Job{
		{Status: ffrtmp.Completed, StartedAt: from.Add(-time.Hour), CompletedAt: at(10)},
		{Status: ffrtmp.Failed, StartedAt: at(5), CompletedAt: at(6).Add(30 * time.Second)},
		{Status: ffrtmp.Running, StartedAt: at(70)},
		{Status: ffrtmp.Pending, StartedAt: at(1)},
		{Status: ffrtmp.Canceled},
	}, from, to)
	got := c.Series[0].Values
	for minute, want := range map[int]float64{0: 1, 5: 2, 6: 1.5, 9: 1, 10: 0, 69: 0, 70: 1, 71: 1} {
		if got[minute] != want {
			t.Errorf("minute %d: got %v slots, want %v", minute, got[minute], want)
		}
	}
	if c.From != "1h 12m ago" || c.Series[0].Last != "1" {
		t.Errorf("got %q and %q, want the window and one slot now", c.From, c.Series[0].Last)
	}
}

// A node that gets nothing says why, and until when.
func TestWhyIdle(t *testing.T) {
	soon := time.Now().Add(10*time.Minute + 500*time.Millisecond)
	for want, n := range map[string]ffrtmp.Node{
		"has stopped sending heartbeats": {Status: ffrtmp.NodeOffline},
		"finishes 2 jobs and gets no new ones. What still runs in 10m 00s is given to other nodes": {
			Eligibility: ffrtmp.Draining, EligibilityUntil: soon, Running: make([]ffrtmp.AttemptRef, 2),
		},
		"is drained": {Eligibility: ffrtmp.Draining},
		"is cordoned, because 5 attempts failed; it gets jobs again in 10m 00s.": {
			Eligibility: ffrtmp.Cordoned, EligibilityReason: "5 attempts failed", EligibilityUntil: soon,
		},
		"is cordoned.":    {Eligibility: ffrtmp.Cordoned},
		"slots are taken": {Eligibility: ffrtmp.Eligible},
	} {
		if got := whyIdle(&n); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
