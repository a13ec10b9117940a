package main

import (
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/cli"
)

// A job's loudness and the files beside its output are part of what jobs status shows.
func TestStatus_OutputText(t *testing.T) {
	tracks := []ffrtmp.TrackLoudness{
		{Track: 0, Mode: "linear", Source: &ffrtmp.LoudnessLevel{Integrated: -31.24}, Output: &ffrtmp.LoudnessLevel{
			Integrated: -23,
		}},
		{Track: 1, Mode: "unchanged"},
	}
	want := "track 0 from -31.2 to -23.0 LUFS (linear), track 1 unchanged"
	if got := loudnessText(tracks); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	fields := jobFields(ffrtmp.Job{Output: &ffrtmp.Output{
		Path: "/m/film.mp4", Loudness: tracks, Sidecars: []ffrtmp.Sidecar{{Path: "/m/film.eng.srt", SizeBytes: 2048}},
	}})
	var b strings.Builder
	if err := fields.WriteHuman(&b, cli.Terminal{}); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"/m/film.eng.srt (2.0 KiB)", want} {
		if !strings.Contains(b.String(), part) {
			t.Errorf("got %s, want %s", b.String(), part)
		}
	}
}
