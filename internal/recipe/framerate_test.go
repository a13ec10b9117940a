package recipe_test

import (
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// timesOf returns the times at which a file's video frames are shown.
func timesOf(t *testing.T, path string) []float64 {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "V:0", "-show_entries", "packet=pts_time",
		"-of", "csv=p=0", path).Output()
	must(t, err)
	var times []float64
	for _, line := range strings.Fields(string(out)) {
		at, err := strconv.ParseFloat(strings.Trim(line, ","), 64)
		must(t, err)
		times = append(times, at)
	}
	slices.Sort(times)
	return times
}

// A variable frame rate stays as it is in Matroska. fps makes it constant: frames are repeated or dropped, and the
// length stays.
func TestBuild_FrameRate(t *testing.T) {
	roots, dir := openRoots(t)
	phone := filepath.Join(dir, "phone.mp4")
	makeFile(t, "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=30", "-t", "2", "-vf",
		"select=not(mod(n\\,3))+gt(t\\,1)", "-vsync", "vfr", "-c:v", "libx264", phone)
	before := timesOf(t, phone)
	for _, c := range []struct {
		parameters string
		frames     int // 0: the source's, at its times
	}{{`,"output":"out.mkv"`, 0}, {`,"fps":30`, 60}, {`,"fps":12.5`, 25}} {
		p := build(t, roots, "360p", `{"input":"phone.mp4","resolution":"64x36","preset":"ultrafast"`+c.parameters+`}`)
		encode(t, p)
		after := timesOf(t, p.Work.Path())
		want := c.frames
		if want == 0 {
			want = len(before)
		}
		if n := len(after); n < want-1 || n > want+1 {
			t.Errorf("%s: got %d frames, want %d", c.parameters, n, want)
			continue
		}
		for i := range min(len(after), len(before)) {
			at := before[i]
			if c.frames > 0 {
				at = float64(i) * 2 / float64(c.frames)
			}
			if math.Abs(after[i]-at) > 0.002 {
				t.Errorf("%s: got frame %d at %.3f s, want %.3f s", c.parameters, i, after[i], at)
			}
		}
	}
}
