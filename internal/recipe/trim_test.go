package recipe_test

import (
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// ramp is ten seconds of video that gets brighter by one step of luma a frame, with few key frames, and a tone.
func ramp(path string, args ...string) []string {
	return append(append([]string{
		"-f", "lavfi", "-i", "nullsrc=s=64x36:r=10,format=yuv420p,geq=lum='16+2*N':cb=128:cr=128", "-f", "lavfi", "-i",
		"sine", "-t", "10", "-g", "50",
	}, args...), path)
}

// A trimmed output begins at the very frame, whatever the source's index and key frames, and is as long as asked.
func TestBuild_Trim(t *testing.T) {
	roots, dir := openRoots(t)
	x264 := []string{"-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-qp", "5"}
	makeFile(t, ramp(filepath.Join(dir, "in.mkv"), x264...)...)
	for name, args := range map[string][]string{
		"in.mp4": {"-c", "copy"}, "in.flv": {"-c:v", "copy"}, "in.ts": {"-c:v", "copy"},
		"in.h264": {"-an", "-c", "copy"},
		"in.mpg":  {"-c:v", "mpeg2video", "-r", "25", "-g", "125", "-q:v", "2", "-c:a", "mp2"},
	} {
		makeFile(t, append(append([]string{"-i", filepath.Join(dir, "in.mkv")}, args...), filepath.Join(dir, name))...)
	}
	for _, c := range []struct {
		name, parameters string
		begins, length   float64
	}{
		{"in.mkv", `"start":7.3,"end":"00:00:09.300"`, 7.3, 2},
		{"in.mkv", `"start":"4.8","duration":1`, 4.8, 1},
		{"in.mkv", `"start":9`, 9, 1},
		{"in.mkv", `"end":1.5`, 0, 1.5},
		{"in.mp4", `"start":7.3,"end":9.3`, 7.3, 2},
		{"in.flv", `"start":7.3,"end":9.3`, 7.3, 2},
		{"in.ts", `"start":7.3,"end":9.3`, 7.3, 2},
		{"in.mpg", `"start":7.3,"end":9.3`, 7.3, 2},
		{"in.h264", `"start":2.4,"end":3.2`, 2.4, 0.8},
	} {
		p := build(t, roots, "360p", `{"input":"`+c.name+`","resolution":"64x36","preset":"ultrafast","crf":1,`+
			c.parameters+`}`)
		encode(t, p)
		r, err := ffprobe.Run(t.Context(), p.Work.Path())
		must(t, err)
		length, _ := ffprobe.Seconds(r.Format.Duration)
		begins := float64(brightness(t, p.Work.Path())) * 219 / 255 / 20
		if math.Abs(begins-c.begins) > 0.12 || math.Abs(length-c.length) > 0.12 {
			t.Errorf("%s %s: got %.2f s from %.2f s, want %g s from %g s", c.name, c.parameters, length, begins,
				c.length, c.begins)
		}
	}
}

// Sound is cut to the sample, also where the source has no index.
func TestBuild_TrimSound(t *testing.T) {
	roots, dir := openRoots(t)
	for _, name := range []string{"in.mp3", "in.flac", "in.m4a", "in.aac"} {
		makeFile(t, "-f", "lavfi", "-i", "sine", "-t", "10", filepath.Join(dir, name))
		p := build(t, roots, "audio-pcm", `{"input":"`+name+`","start":"00:00:03.250","end":7.75}`)
		encode(t, p)
		r, err := ffprobe.Run(t.Context(), p.Work.Path())
		must(t, err)
		if length, _ := ffprobe.Seconds(r.Format.Duration); math.Abs(length-4.5) > 0.001 {
			t.Errorf("%s: got %v s, want 4.5 s", name, length)
		}
	}
}

// A test pattern can be trimmed, too.
func TestBuild_TrimPattern(t *testing.T) {
	roots, _ := openRoots(t)
	p := build(t, roots, "360p10", `{"resolution":"64x36","preset":"ultrafast","start":30,"end":31.5}`)
	encode(t, p)
	r, err := ffprobe.Run(t.Context(), p.Work.Path())
	must(t, err)
	length, _ := ffprobe.Seconds(r.Format.Duration)
	if n := frames(t, p.Work.Path()); n != 15 || math.Abs(length-1.5) > 0.05 {
		t.Errorf("got %d frames in %v s, want 15 in 1.5 s", n, length)
	}
}

// A start beyond the end of the picture is refused before anything is encoded, and one at the end after it.
func TestBuild_TrimBeyondEnd(t *testing.T) {
	roots, dir := openRoots(t)
	makeFile(t, ramp(filepath.Join(dir, "in.mkv"), "-c:v", "libx264", "-preset", "ultrafast")...)
	makeFile(t, ramp(filepath.Join(dir, "in.ts"), "-c:v", "libx264", "-preset", "ultrafast")...)
	for _, start := range []float64{10.2, 3600, 2592000} {
		checkRefused(t, roots, "360p", `{"input":"in.mkv","start":`+strconv.FormatFloat(start, 'f', -1, 64)+`}`,
			"is beyond the input's end, at 10.")
	}
	checkRefused(t, roots, "audio-aac", `{"input":"in.mkv","start":"1:00"}`, "start: 60 s is beyond")
	checkRefused(t, roots, "360p", `{"input":"in.ts","start":5,"rtmp_url":"rtmp://h/a/b"}`, "remux it to .mkv")
	p := build(t, roots, "360p", `{"input":"in.mkv","start":9.99}`)
	if want := p.Want; !want.Missed(0, 0) || want.Missed(1, 0) || want.Rest(10) > 0.011 || want.Rest(5) != 0 {
		t.Errorf("got %+v, want a start at 9.99 s that may miss everything", want)
	}
	if args := strings.Join(p.Args, " "); !strings.Contains(args, "-ss 9.99 -protocol_whitelist") {
		t.Errorf("got %s, want -ss before the input", args)
	}
}
