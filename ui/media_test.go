package ui_test

import (
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
)

// The page of a job draws how its encoding went and shows what was read and written, as text.
func TestConsole_Media(t *testing.T) {
	b := signedIn(t)
	b.register()
	j := b.claim(ffrtmp.Spec{Scenario: "720p"})
	if text := b.get("/ui/jobs/" + j.ID).text; !strings.Contains(text, `data-live="`+j.ID+`"`) {
		t.Error("got no live chart of a running job, want one")
	}
	b.report(j, ffrtmp.Result{Output: &ffrtmp.Output{Path: "/m/a.mp4"}}, ffrtmp.ResultPublishing)
	b.report(j, ffrtmp.Result{
		Output: &ffrtmp.Output{Path: "/m/a.mp4"},
		Media: &ffrtmp.Media{
			Input: &ffrtmp.MediaFile{Format: "matroska,webm", DurationSeconds: 65, Streams: []ffrtmp.MediaStream{
				{
					Type: "video", Codec: "hevc", Width: 3840, Height: 2160, FPS: 23.98, Transfer: "smpte2084",
					Rotation: 90,
				},
				{Type: "audio", Codec: "<script>", Channels: 6, Layout: "5.1"},
			}},
			Output: &ffrtmp.MediaFile{Format: "mp4", SizeBytes: 2048},
			Series: &ffrtmp.Series{
				Seconds: []int{2, 4, 6}, FPS: []float64{20, 40, 60}, Speed: []float64{1, 2, 3},
				Kilobits: []float64{900, 1500, 2500},
			},
		},
	}, ffrtmp.ResultCompleted)
	text := b.get("/ui/jobs/" + j.ID).text
	for _, want := range []string{
		"hevc, 3840x2160, 24 fps, turned by 90°, HDR (PQ)", "&lt;script&gt;, 6 channels, 5.1", "1m 05s", "2.0 KiB",
		"Frames a second, start to 6s: last 60", "last 3×", "last 2.5 Mbit/s", "after 2s",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got no %q, want it", want)
		}
	}
	if strings.Contains(text, "<script>,") || strings.Contains(text, "data-live") {
		t.Error("got markup of a field, or a live chart of a job that has ended, want neither")
	}
}
