package recipe_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Frames that are interlaced without being flagged so are deinterlaced on request only; flagged ones stay on request.
func TestBuild_Deinterlace(t *testing.T) {
	roots, dir := openRoots(t)
	fields50 := []string{
		"-f", "lavfi", "-i", "testsrc2=size=320x240:rate=50", "-t", "1", "-vf", "tinterlace=interleave_top",
		"-c:v", "mpeg2video", "-q:v", "2",
	}
	makeFile(t, append(fields50, filepath.Join(dir, "unflagged.ts"))...)
	makeFile(t, append(fields50, "-flags", "+ilme+ildct", "-top", "1", filepath.Join(dir, "flagged.ts"))...)
	for _, c := range []struct {
		input, parameters string
		combed            bool
	}{
		{"unflagged.ts", `"deinterlace":"on"`, false},
		{"unflagged.ts", `"deinterlace":"auto"`, true},
		{"flagged.ts", `"deinterlace":"off"`, true},
	} {
		p := build(t, roots, "360p", `{"input":"`+c.input+`","resolution":"320x240","preset":"ultrafast",`+
			`"bitrate":"4M",`+c.parameters+`}`)
		encode(t, p)
		out, err := exec.Command("ffmpeg", "-hide_banner", "-i", p.Work.Path(), "-vf", "idet", "-f", "null",
			"-").CombinedOutput()
		must(t, err)
		m := fields.FindStringSubmatch(string(out))
		if m == nil || (len(m[3]) < 2) != c.combed { // of 25 frames, ten or more are progressive
			t.Errorf("%s %s: got top, bottom, progressive %q, want combed: %t", c.input, c.parameters, m, c.combed)
		}
	}
}

// The stronger the noise filter, the smaller the file at one quality.
func TestBuild_Denoise(t *testing.T) {
	roots, dir := openRoots(t)
	makeFile(t, "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10", "-t", "1", "-vf", "noise=alls=12:allf=t,"+
		"format=yuv420p", "-c:v", "ffv1", filepath.Join(dir, "noisy.mkv"))
	before := int64(1 << 40)
	for _, strength := range []string{"off", "light", "medium", "strong"} {
		p := build(t, roots, "360p", `{"input":"noisy.mkv","preset":"ultrafast","resolution":"320x180","denoise":"`+
			strength+`"}`)
		encode(t, p)
		info, err := os.Stat(p.Work.Path())
		must(t, err)
		if info.Size() >= before {
			t.Errorf("%s: got %d bytes, want fewer than %d", strength, info.Size(), before)
		}
		before = info.Size()
	}
}
