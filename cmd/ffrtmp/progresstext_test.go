package main

import (
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A source without a duration has no percentage: frames and speed are shown.
func TestProgressText(t *testing.T) {
	for _, c := range []struct {
		percent int
		detail  ffrtmp.Progress
		want    string
	}{
		{
			0,
			ffrtmp.Progress{Phase: "encoding", Frame: 250, FPS: 50, Speed: 2},
			"250 frames, no percentage (the source's length is unknown), 50 fps, 2.0x",
		},
		{
			0,
			ffrtmp.Progress{Phase: "encoding", Frame: 5, FPS: 50, Speed: 2, ETASeconds: 61},
			"0%, 1:01 left, 50 fps, 2.0x",
		},
		{0, ffrtmp.Progress{Phase: "starting"}, "0%, starting"},
		{99, ffrtmp.Progress{Phase: "verifying", Frame: 250}, "99%, verifying"},
	} {
		j := ffrtmp.Job{Status: ffrtmp.Running, Progress: c.percent, ProgressDetail: &c.detail}
		if got := progressText(j); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
