package ffprobe

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	r, err := Parse([]byte(`{"streams":[{"codec_type":"audio","codec_name":"aac"},
		{"codec_type":"video","codec_name":"h264","width":1280,"height":720,"start_time":"1.5","duration":"10"}],
		"format":{"start_time":"1.0","duration":"N/A"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := r.First("video"); got.Codec != "h264" || got.Size() != "1280x720" {
		t.Errorf("got %+v", got)
	}
	if got := r.First("subtitle"); got.Type != "" {
		t.Errorf("got %+v, want none", got)
	}
	if end, ok := r.VideoEnd(); !ok || end != 10.5 {
		t.Errorf("got %v %v, want 10.5", end, ok)
	}
	if _, err := Parse([]byte("{")); err == nil {
		t.Error("got no error for a part of a document")
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		name string
		read func(string) (float64, bool)
		text string
		want float64
		ok   bool
	}{
		{"Seconds", Seconds, " 1.25 ", 1.25, true},
		{"Seconds", Seconds, "N/A", 0, false},
		{"Clock", Clock, "01:02:03.5", 3723.5, true},
		{"Clock", Clock, "", 0, false},
		{"Rate", Rate, "30000/1001", 30000.0 / 1001, true},
		{"Rate", Rate, "0/0", 0, false},
		{"Rate", Rate, "25", 0, false},
	} {
		if got, ok := c.read(c.text); ok != c.ok || ok && got != c.want {
			t.Errorf("%s(%q): got %v %v, want %v %v", c.name, c.text, got, ok, c.want, c.ok)
		}
	}
}

func TestRun(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clip.mp4")
	make := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-f", "lavfi", "-i",
		"testsrc2=size=64x48:rate=10:duration=1", path)
	if out, err := make.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r, err := Run(t.Context(), path, "-count_frames")
	if err != nil {
		t.Fatal(err)
	}
	if v := r.First("video"); v.Size() != "64x48" || v.Frames != "10" || v.AverageRate != "10/1" {
		t.Errorf("got %+v", v)
	}
	if _, err := Run(context.Background(), path+".missing"); err == nil ||
		!strings.Contains(err.Error(), "No such file") {
		t.Errorf("got %v, want ffprobe's own message", err)
	}
}
