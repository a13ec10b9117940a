package supervisor

import (
	"math"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// sounds are audio tracks, and how their loudness can be normalized.
var sounds = []struct{ source, mode, rate string }{
	{"anoisesrc=d=4:c=pink:a=0.05:r=44100", ffrtmp.LoudnessLinear, "44100"},
	{"aevalsrc='0.08*(random(0)-0.5)+0.9*eq(mod(n,40000),99)':d=4:s=48000", ffrtmp.LoudnessDynamic, "48000"},
	{"anullsrc=d=4:r=48000", ffrtmp.LoudnessUnchanged, "48000"},
	{"sine=d=0.2:r=48000", ffrtmp.LoudnessUnchanged, "48000"},
	{"aevalsrc='sgn(sin(3000*t))|sgn(sin(3000*t))':d=4:s=48000", ffrtmp.LoudnessLinear, "48000"}, // above 0 LUFS
}

// planSounds makes a film with all sounds, and a plan that normalizes each.
func planSounds(t *testing.T, target string) recipe.Plan {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10:duration=4"}
	maps := []string{"-map", "0"}
	var tracks []string
	for i, s := range sounds {
		args = append(args, "-f", "lavfi", "-i", s.source)
		maps = append(maps, "-map", strconv.Itoa(i+1))
		tracks = append(tracks, `{"index":`+strconv.Itoa(i)+`,"codec":"flac","loudness":`+target+`}`)
	}
	film := filepath.Join(dir, "film.mkv")
	out, err := exec.Command("ffmpeg", append(append(args, maps...), "-c:v", "libx264", "-preset", "ultrafast", "-c:a",
		"flac", film)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	parameters, err := ffrtmp.ParseParameters([]byte(`{"input":"film.mkv","output":"out.mkv","preset":"ultrafast",` +
		`"audio":[` + strings.Join(tracks, ",") + `]}`))
	must(t, err)
	e, err := ffrtmp.Resolve("360p", parameters)
	must(t, err)
	roots, err := media.OpenRoots([]string{dir})
	must(t, err)
	report, err := ffprobe.Run(t.Context(), film)
	must(t, err)
	p, err := recipe.Build(e, recipe.Run{JobID: "job", Attempt: 1, Lease: "0123456789abcdef"}, roots,
		recipe.Machine{}, &recipe.Source{Report: report})
	must(t, err)
	return p
}

var integrated = regexp.MustCompile(`I:\s+(-?[\d.]+|-inf) LUFS`)

// heard returns the loudness of an audio track by ffmpeg's ebur128.
func heard(t *testing.T, path string, track int) float64 {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-hide_banner", "-nostats", "-i", path, "-map", "0:a:"+strconv.Itoa(track),
		"-af", "ebur128", "-f", "null", "-").CombinedOutput()
	must(t, err)
	all := integrated.FindAllSubmatch(out, -1)
	if len(all) == 0 {
		t.Fatalf("got %s, want a loudness", out)
	}
	f, err := strconv.ParseFloat(string(all[len(all)-1][1]), 64)
	must(t, err)
	return f
}

// Each track has the loudness that was asked for, by another measure than the one that was used, at its own sample
// rate. Silence and a short sound stay as they are, and a warning says so.
func TestLoudness_Tracks(t *testing.T) {
	t.Parallel()
	p := planSounds(t, "-23")
	run := start(t, attempt(t, realFFmpeg(t), p))
	e := wait(t, run)
	if e.End != Succeeded || len(e.Loudness) != len(sounds) || e.Progress.Frame != 40 {
		t.Fatalf("got %+v, want all tracks and 40 frames\n%s", e, logText(t, run))
	}
	report, err := ffprobe.Run(t.Context(), p.Work.Path())
	must(t, err)
	for i, s := range sounds {
		got := e.Loudness[i]
		if rate := report.Streams[i+1].SampleRate; got.Mode != s.mode || rate != s.rate {
			t.Errorf("%s: got %s at %s Hz, want %s at %s", s.source, got.Mode, rate, s.mode, s.rate)
		}
		if s.mode == ffrtmp.LoudnessUnchanged {
			if got.Source != nil || got.Output != nil {
				t.Errorf("%s: got %+v, want no figures", s.source, got)
			}
			continue
		}
		if got.Source == nil || got.Output == nil {
			t.Errorf("%s: got %+v, want figures", s.source, got)
			continue
		}
		if l := heard(t, p.Work.Path(), i); math.Abs(l - -23) > 1 || math.Abs(l-got.Output.Integrated) > 0.5 {
			t.Errorf("%s: got %g LUFS, said %+v, want -23", s.source, l, got.Output)
		}
		if l := heard(t, p.Input.Path(), i); math.Abs(l-got.Source.Integrated) > 0.5 {
			t.Errorf("%s: got source %+v, want %g LUFS", s.source, got.Source, l)
		}
	}
	warnings := strings.Join(e.Warnings, "\n")
	if !strings.Contains(warnings, "audio track 2 stays as it is") ||
		!strings.Contains(warnings, "audio track 3 stays") || strings.Contains(warnings, "track 0") ||
		strings.Contains(warnings, "track 4") {
		t.Errorf("got warnings %s, want those of the tracks that cannot be measured", warnings)
	}
}

// A result that is far from its target is a warning.
func TestLoudness_Warnings(t *testing.T) {
	plan := recipe.Plan{Loudness: []recipe.Loudness{{Normal: ffrtmp.Loudness{Target: -5}}}}
	for _, c := range []struct {
		output float64
		says   string
	}{{-5.9, ""}, {-9.2, "audio track 0 has -9.2 LUFS, not -5"}} {
		got := strings.Join(loudnessWarnings(plan, []ffrtmp.TrackLoudness{{
			Mode: ffrtmp.LoudnessDynamic, Output: &ffrtmp.LoudnessLevel{Integrated: c.output},
		}}), "\n")
		if (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("%g: got %q, want %q", c.output, got, c.says)
		}
	}
}

// Beside video the measuring pass is a tenth of the run, of sound alone half.
func TestLoudness_Shares(t *testing.T) {
	for _, c := range []struct {
		plan recipe.Plan
		want float64
	}{
		{recipe.Plan{SoundFirst: true, Want: recipe.Want{Codec: "h264"}}, 0.1},
		{recipe.Plan{SoundFirst: true}, 0.5},
		{recipe.Plan{Want: recipe.Want{Codec: "h264"}}, 0.5},
	} {
		if got := firstShare(c.plan); got != c.want {
			t.Errorf("%+v: got %g, want %g", c.plan, got, c.want)
		}
	}
}

// A track's report is read from its own lines alone, whatever stands between them.
func TestLoudnessReader_Interrupted(t *testing.T) {
	var r loudnessReader
	for line := range strings.SplitSeq(`[loudnorm@1 @ 0x55d0c0ffee00]
{
	"input_i" : "-30.10",
size=N/A time=00:00:05.00
	"input_tp" : "-inf",
	"input_lra" : "1.00",
	"input_thresh" : "odd",
	"output_i" : "-23.00",
	"normalization_type" : "linear",
	"target_offset" : "inf"
}
	"input_i" : "-1.00",`, "\n") {
		r.take(line)
	}
	got, ok := r.tracks[1]
	if !ok || len(r.tracks) != 1 || got.in.Integrated != -30.1 || !math.IsInf(got.in.TruePeak, -1) ||
		!math.IsNaN(got.in.Threshold) || !got.linear || got.in.Measured() || figures(got.out) != nil {
		t.Errorf("got %+v, want track 1 with what it says", r.tracks)
	}
}
