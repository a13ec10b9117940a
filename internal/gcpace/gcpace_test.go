package gcpace

import (
	"runtime/debug"
	"testing"
)

// A small heap is collected rarely, a large one at least as often as by default.
func TestPercent(t *testing.T) {
	for live, want := range map[uint64]int{
		0: 400, 10 << 20: 400, 32 << 20: 400, 33 << 20: 200, 100 << 20: 100, 200 << 20: 60, 2 << 30: 60,
	} {
		if got := percent(live); got != want {
			t.Errorf("%d MiB: got %d, want %d", live>>20, got, want)
		}
	}
}

// Stopping restores the setting, and an operator's own is left alone.
func TestStart(t *testing.T) {
	before := debug.SetGCPercent(77)
	defer debug.SetGCPercent(before)
	for _, tt := range []struct {
		env  string
		want int
	}{{"", most}, {"50", 77}} {
		t.Setenv("GOGC", tt.env)
		stop := Start(t.Context())
		got := debug.SetGCPercent(tt.want)
		stop()
		if got != tt.want {
			t.Errorf("GOGC=%q: got %d, want %d", tt.env, got, tt.want)
		}
		if got := debug.SetGCPercent(77); got != 77 {
			t.Errorf("GOGC=%q: got %d after stop, want 77", tt.env, got)
		}
	}
}
