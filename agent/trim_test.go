package agent

import (
	"strconv"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// A part of an input is encoded in two passes, verified by its own length, and leaves nothing else behind.
func TestRun_TrimmedInTwoPasses(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	s.film("film.mp4")
	s.start()
	id := f.submit("360p-h264", `{"input":"film.mp4","output":"out.mp4","start":0.25,"end":"00:00:00.750",
		"two_pass":true,"bitrate":"100k","preset":"ultrafast"}`)
	j := f.awaitStatus(id, ffrtmp.Completed)
	s.checkOutput(j, "out.mp4")
	s.checkResults(f, id, "publishing 1", "completed 1")
	r, err := ffprobe.Run(t.Context(), s.root+"/out.mp4", "-count_frames")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := strconv.Atoi(r.First("video").Frames); err != nil || n != 6 { // of 12 a second
		t.Errorf("got %d frames (%v), want 6", n, err)
	}
}
