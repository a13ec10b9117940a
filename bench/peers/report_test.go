package main

import (
	"strings"
	"testing"
)

// Ratios are of the measurements of one round, not of the medians.
func TestSummarize_RatiosWithinARound(t *testing.T) {
	results := []result{
		{system: "a", clients: 1, perSecond: 100, cpu: 10},
		{system: "b", clients: 1, perSecond: 50, cpu: 20},
		{system: "a", clients: 1, perSecond: 10, cpu: 100},
		{system: "b", clients: 1, perSecond: 30, cpu: 100},
		{system: "a", clients: 1, perSecond: 40, cpu: 40},
		{system: "b", clients: 1, perSecond: 40, cpu: 20},
	}
	rows := summarize(results)
	if len(rows) != 2 || rows[0].Rate != nil || rows[1].Rate == nil {
		t.Fatalf("got %+v, want two rows, and ratios for the second", rows)
	}
	if got, want := *rows[1].Rate, (figure{Median: 1, Least: 0.5, Most: 3}); got != want {
		t.Errorf("rate ratio: got %+v, want %+v", got, want)
	}
	if got, want := *rows[1].CPURatio, (figure{Median: 1, Least: 0.5, Most: 2}); got != want {
		t.Errorf("CPU ratio: got %+v, want %+v", got, want)
	}
	if got, want := rows[0].PerSecond, (figure{Median: 40, Least: 10, Most: 100}); got != want {
		t.Errorf("rate: got %+v, want %+v", got, want)
	}
}

// A job's body has the size that was asked for.
func TestJob_Size(t *testing.T) {
	if got := len(job(600)); got != 600 {
		t.Errorf("got %d bytes, want 600", got)
	}
	if got := string(job(0)); !strings.Contains(got, `"input":"x"`) {
		t.Errorf("got %s, want an input of one letter", got)
	}
}
