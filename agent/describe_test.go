package agent

import (
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// A result says once what was read and written, and neither where nor with which tags.
func TestResult_Media(t *testing.T) {
	t.Parallel()
	f, s := newMastersAndSite(t)
	s.film("film.mp4")
	s.start()
	j := f.awaitStatus(f.submit("360p-h264", `{"input":"film.mp4","output":"out.mp4","preset":"ultrafast"}`),
		ffrtmp.Completed)
	m, err := f.client.Media(t.Context(), j.ID, 0)
	f.must(err)
	if m.JobID != j.ID || m.Attempt != 1 || m.Input == nil || m.Output == nil {
		t.Fatalf("got %+v, want input and output of attempt 1", m)
	}
	in, out := m.Input.Streams[0], m.Output.Streams[0]
	if in.Type != "video" || in.Codec != "h264" || in.Width != 64 || in.Height != 36 || in.FPS != 12 ||
		m.Input.DurationSeconds != 1 {
		t.Errorf("got %+v, want a second of 64x36 at 12 fps", m.Input)
	}
	if out.Width != 640 || out.Height != 360 || m.Output.SizeBytes != j.Output.SizeBytes {
		t.Errorf("got %+v, want 640x360 and the size of the output", m.Output)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if seal := f.accepted[0]; seal.Status != ffrtmp.ResultPublishing || seal.Media != nil {
		t.Errorf("got %s with %+v, want it publishing without media", seal.Status, seal.Media)
	}
}
