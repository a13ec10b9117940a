package probe

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

var containers = []string{"mp4", "mov", "mkv", "webm", "ts", "flv"}

// output is a file for ffmpeg to make, and the options before its name.
type output struct {
	name    string
	options []string
}

// encode makes small, quick video of some inputs and returns the paths. One ffmpeg
// makes all of them: its start takes longer than the encoding.
func encode(t *testing.T, inputs []string, outputs ...output) []string {
	t.Helper()
	dir, args := t.TempDir(), append([]string{"-v", "error"}, inputs...)
	paths := make([]string, len(outputs))
	for i, o := range outputs {
		codecs := []string{"-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"}
		if filepath.Ext(o.name) == ".webm" {
			codecs = []string{"-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus"}
		}
		paths[i] = filepath.Join(dir, o.name)
		args = append(append(append(args, o.options...), codecs...), "-pix_fmt", "yuv420p", paths[i])
	}
	if out, err := exec.Command("ffmpeg", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return paths
}

// encodeEach makes a file of each container, in their order.
func encodeEach(t *testing.T, inputs []string, options ...string) []string {
	t.Helper()
	outputs := make([]output, len(containers))
	for i, container := range containers {
		outputs[i] = output{"made." + container, options}
	}
	return encode(t, inputs, outputs...)
}

// ffmpeg makes a file of small, quick video and returns its path.
func ffmpeg(t *testing.T, name string, args ...string) string {
	t.Helper()
	return encode(t, args, output{name: name})[0]
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
	_, err := Verify(context.Background(), tools(t).FFprobe, fileOf(path), want, source, input)
	return err
}

// opens returns an output that several checks share, as each run of ffprobe is slow.
func opens(t *testing.T, path string) opened {
	t.Helper()
	o, err := open(context.Background(), tools(t).FFprobe, fileOf(path))
	must(t, err)
	t.Cleanup(func() { must(t, o.file.Close()) })
	return o
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
	even := encodeEach(t, []string{"-i", uneven}, "-vf", "fps=24")
	slow := encodeEach(t, append(bars("10", "0.1"), tone("0.1")...))
	fast := encodeEach(t, append(bars("60000/1001", "0.5"), tone("0.5")...))
	for i, container := range containers {
		t.Run(container, func(t *testing.T) {
			t.Parallel()
			for path, c := range map[string]recipe.Want{
				slow[i]: {FPS: 10, Seconds: 0.1},
				fast[i]: {FPS: 59.94, Seconds: 0.5},
			} {
				want := wanted(container)
				want.FPS, want.Seconds, want.Pattern = c.FPS, c.Seconds, true
				if err := verify(t, path, want, supervisor.Source{}, nil); err != nil {
					t.Errorf("%g fps for %g s: got %v, want it accepted", c.FPS, c.Seconds, err)
				}
			}
			made, want, source := opens(t, even[i]), wanted(container), supervisor.Source{Seconds: 3, Audio: true}
			want.FPS = 24
			must(t, made.verify(context.Background(), want, source, nil))
			want.FPS = 30
			checkRefused(t, made.verify(context.Background(), want, source, nil), ffrtmp.RuntimeError,
				"24 frames a second, not 30")
		})
	}
}

// Video that ends before its sound fails unless the source does the same.
func TestVerify_VideoEndsEarly(t *testing.T) {
	t.Parallel()
	inputs := slices.Concat(bars("10", "6"), bars("10", "2"), []string{"-itsoffset", "2"}, bars("10", "4"), tone("6"))
	sources := encode(t, inputs, output{"whole.mkv", []string{"-map", "0", "-map", "3"}},
		output{"early.mkv", []string{"-map", "1", "-map", "3"}})
	made := encodeEach(t, inputs, "-map", "1", "-map", "3")
	late := encodeEach(t, inputs, "-map", "2", "-map", "3")
	whole, early := fileOf(sources[0]), fileOf(sources[1])
	source := supervisor.Source{Seconds: 6, Audio: true}
	for i, container := range containers {
		t.Run(container, func(t *testing.T) {
			t.Parallel()
			ctx, made, want := context.Background(), opens(t, made[i]), wanted(container)
			checkRefused(t, made.verify(ctx, want, source, &whole), ffrtmp.UserError, "video ends at 2.")
			if err := made.verify(ctx, want, source, &early); err != nil {
				t.Errorf("source that ends early: got %v, want it accepted", err)
			}
			if err := made.verify(ctx, want, source, nil); err != nil {
				t.Errorf("unknown source: got %v, want it accepted", err)
			}
			want.Pattern, want.Seconds = true, 6
			checkRefused(t, made.verify(ctx, want, supervisor.Source{}, nil), ffrtmp.RuntimeError, "video ends at 2.")
			if err := verify(t, late[i], wanted(container), source, &whole); err != nil {
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
	ofStill, ofSong := []string{"-map", "0:v:0", "-map", "0:a:0"}, []string{"-map", "1:v:0", "-map", "1:a:0"}
	for i, made := range encode(t, []string{"-i", still, "-i", song}, output{"still.mp4", ofStill},
		output{"still.mkv", ofStill}, output{"still.ts", ofStill}, output{"song.mkv", ofSong}) {
		input := fileOf(still)
		if i == 3 {
			input = fileOf(song)
		}
		if err := verify(t, made, wanted(filepath.Ext(made)[1:]), source, &input); err != nil {
			t.Errorf("%s: got %v, want it accepted", filepath.Base(made), err)
		}
	}
}
