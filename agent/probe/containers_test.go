package probe

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

var containers = []string{"mp4", "mov", "mkv", "webm", "ts", "flv"}

// ffmpeg makes a file of small, quick video and returns its path.
func ffmpeg(t *testing.T, name string, args ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	codecs := []string{"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"}
	if filepath.Ext(name) == ".webm" {
		codecs = []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"}
	}
	all := append(append([]string{"-v", "error"}, args...), codecs...)
	if out, err := exec.Command("ffmpeg", append(all, "-pix_fmt", "yuv420p", path)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

func bars(rate, seconds string) []string {
	return []string{"-f", "lavfi", "-t", seconds, "-i", "testsrc2=size=64x36:rate=" + rate}
}

func tone(seconds string) []string {
	return []string{"-f", "lavfi", "-t", seconds, "-i", "sine=sample_rate=48000"}
}

// wanted is what a plan for the container requires.
func wanted(container string) recipe.Want {
	if container == "webm" {
		return recipe.Want{Codec: "vp9", Height: 36, Audio: "opus"}
	}
	return recipe.Want{Codec: "h264", Height: 36, Audio: "aac"}
}

func verify(t *testing.T, path string, want recipe.Want, source supervisor.Source, input *recipe.File) error {
	t.Helper()
	return Verify(context.Background(), tools(t).FFprobe, fileOf(path), want, source, input)
}

func checkRefused(t *testing.T, err error, reason ffrtmp.FailureReason, says string) {
	t.Helper()
	if err == nil || failure.Reason(err) != reason || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want a %s that says %q", err, reason, says)
	}
}

// Containers state rate and duration differently; below a second some state neither.
func TestVerify_RateByContainer(t *testing.T) {
	t.Parallel()
	uneven := ffmpeg(t, "uneven.mkv", append(append(bars("30", "3"), tone("3")...), "-vf",
		"select='not(mod(n,7))+lt(mod(n,40),13)'", "-vsync", "vfr")...)
	for _, container := range containers {
		t.Run(container, func(t *testing.T) {
			t.Parallel()
			for _, c := range []struct {
				rate, seconds string
				want          recipe.Want
			}{
				{"10", "0.1", recipe.Want{FPS: 10, Seconds: 0.1}},
				{"60000/1001", "0.5", recipe.Want{FPS: 59.94, Seconds: 0.5}},
			} {
				path := ffmpeg(t, "made."+container, append(bars(c.rate, c.seconds), tone(c.seconds)...)...)
				want := wanted(container)
				want.FPS, want.Seconds, want.Pattern = c.want.FPS, c.want.Seconds, true
				if err := verify(t, path, want, supervisor.Source{}, nil); err != nil {
					t.Errorf("%s fps for %s s: got %v, want it accepted", c.rate, c.seconds, err)
				}
			}
			path := ffmpeg(t, "even."+container, "-i", uneven, "-vf", "fps=24")
			want, source := wanted(container), supervisor.Source{Seconds: 3, Audio: true}
			want.FPS = 24
			must(t, verify(t, path, want, source, nil))
			want.FPS = 30
			checkRefused(t, verify(t, path, want, source, nil), ffrtmp.RuntimeError, "24 frames a second, not 30")
		})
	}
}

// Video that ends before its sound fails unless the source does the same.
func TestVerify_VideoEndsEarly(t *testing.T) {
	t.Parallel()
	input := func(path string) *recipe.File {
		return &recipe.File{Root: filepath.Dir(path), Name: filepath.Base(path)}
	}
	whole := input(ffmpeg(t, "whole.mkv", append(bars("10", "6"), tone("6")...)...))
	early := input(ffmpeg(t, "early.mkv", append(bars("10", "2"), tone("6")...)...))
	source := supervisor.Source{Seconds: 6, Audio: true}
	for _, container := range containers {
		t.Run(container, func(t *testing.T) {
			t.Parallel()
			path := ffmpeg(t, "made."+container, append(bars("10", "2"), tone("6")...)...)
			want := wanted(container)
			checkRefused(t, verify(t, path, want, source, whole), ffrtmp.InputError, "video ends at 2.")
			if err := verify(t, path, want, source, early); err != nil {
				t.Errorf("source that ends early: got %v, want it accepted", err)
			}
			if err := verify(t, path, want, source, nil); err != nil {
				t.Errorf("unknown source: got %v, want it accepted", err)
			}
			want.Pattern, want.Seconds = true, 6
			checkRefused(t, verify(t, path, want, supervisor.Source{}, nil), ffrtmp.RuntimeError, "video ends at 2.")

			late := ffmpeg(t, "late."+container,
				append(append([]string{"-itsoffset", "2"}, bars("10", "4")...), tone("6")...)...)
			if err := verify(t, late, wanted(container), source, whole); err != nil {
				t.Errorf("video that begins late: got %v, want it accepted", err)
			}
		})
	}
}

// A screen recorder may show its last frame for a long time.
func TestVerify_StillSource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	moving := ffmpeg(t, "moving.mp4", append(bars("10", "1"), tone("6")...)...)
	still := filepath.Join(dir, "still.mp4")
	cover, song := filepath.Join(dir, "cover.png"), filepath.Join(dir, "song.mp3")
	for _, args := range [][]string{
		{"-i", moving, "-c", "copy", "-bsf:v", `setts=duration=if(eq(N\,9)\,5/TB\,DURATION)`, still},
		append(bars("1", "1"), "-frames:v", "1", cover),
		append(tone("6"), "-i", cover, "-map", "0", "-map", "1", "-c:v", "copy", "-disposition:v", "attached_pic",
			song),
	} {
		if out, err := exec.Command("ffmpeg",
			append([]string{"-v", "error"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	source := supervisor.Source{Seconds: 6, Audio: true}
	for _, c := range []struct{ input, output string }{
		{still, "made.mp4"},
		{still, "made.mkv"},
		{still, "made.ts"},
		{song, "made.mkv"},
	} {
		made := ffmpeg(t, c.output, "-i", c.input, "-map", "0:v:0", "-map", "0:a:0")
		input := &recipe.File{Root: filepath.Dir(c.input), Name: filepath.Base(c.input)}
		if err := verify(t, made, wanted(strings.TrimPrefix(c.output, "made.")), source, input); err != nil {
			t.Errorf("%s to %s: got %v, want it accepted", filepath.Base(c.input), c.output, err)
		}
	}
}
