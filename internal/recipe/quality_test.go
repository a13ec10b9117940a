package recipe_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// Every value in the table of quality parameters makes a file that is what was asked for.
func TestBuild_Quality(t *testing.T) {
	for _, q := range ffrtmp.EncoderQualities {
		if !strings.HasPrefix(q.Encoder, "lib") {
			continue // no such hardware here: see TestBuild_Hardware
		}
		t.Run(q.Encoder, func(t *testing.T) {
			t.Parallel()
			for i := range max(2, len(q.Profiles), len(q.Tunes)) {
				checkQuality(t, q, i)
			}
		})
	}
}

// checkQuality encodes half a second with the i-th values of an encoder.
func checkQuality(t *testing.T, q ffrtmp.EncoderQuality, i int) {
	t.Helper()
	parameters := map[string]any{
		"codec": q.Encoder, "resolution": "64x64", "duration": 0.6, "gop_seconds": 0.3, "audio_codec": "none",
		"output": fmt.Sprint(i, ".mkv"), "crf": []int{q.CRF.Min, q.CRF.Max}[i%2], "maxrate": "300k",
	}
	want := map[string]string{"pix_fmt": at(q.PixelFormats, i)}
	if at(q.Profiles, i) == "" {
		parameters["pix_fmt"] = want["pix_fmt"]
	} else {
		parameters["profile"] = at(q.Profiles, i)
		if want["pix_fmt"] = "yuv420p"; slices.Contains([]string{"high10", "main10", "2"}, at(q.Profiles, i)) {
			want["pix_fmt"] = "yuv420p10le"
		}
		want["profile"] = map[string]string{
			"baseline": "Constrained Baseline", "main": "Main", "high": "High", "high10": "High 10",
			"main10": "Main 10", "0": "Profile 0", "2": "Profile 2",
		}[at(q.Profiles, i)]
	}
	if len(q.Tunes) > 0 {
		parameters["tune"] = at(q.Tunes, i)
	}
	if len(q.Levels) > 0 {
		parameters["level"] = at(q.Levels, 5*i)
		want["level"] = strings.ReplaceAll(at(q.Levels, 5*i), ".", "")
		if len(want["level"]) == 1 {
			want["level"] += "0"
		}
	}
	if q.FilmGrain.Max > 0 {
		parameters["film_grain"] = []int{q.FilmGrain.Min, q.FilmGrain.Max}[i%2]
	}
	raw, err := json.Marshal(parameters)
	must(t, err)
	roots, dir := openRoots(t)
	p := build(t, roots, "360p10", string(raw))
	encode(t, p)
	got, keys := stream(t, p.Work.Path())
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s %s in %s: got %s %q, want %q", q.Encoder, raw, dir, name, got[name], value)
		}
	}
	if !slices.Contains(keys, "0.300000") {
		t.Errorf("%s %s: got key frames at %v, want 0.3 among them", q.Encoder, raw, keys)
	}
}

func at(list []string, i int) string {
	if len(list) == 0 {
		return ""
	}
	return list[i%len(list)]
}

// stream returns what ffprobe shows of the video stream and the times of its key frames.
func stream(t *testing.T, path string) (got map[string]string, keys []string) {
	t.Helper()
	out, err := exec.Command("ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
		"packet=pts_time,flags:stream=pix_fmt,profile,level", "-of", "compact", path).Output()
	must(t, err)
	got = map[string]string{}
	for line := range strings.Lines(string(out)) {
		fields := map[string]string{}
		for field := range strings.SplitSeq(strings.TrimSpace(line), "|") {
			name, value, _ := strings.Cut(field, "=")
			fields[name] = value
		}
		switch {
		case strings.HasPrefix(line, "stream|"):
			got = fields
		case strings.HasPrefix(fields["flags"], "K"):
			keys = append(keys, fields["pts_time"])
		}
	}
	return got, keys
}

// A lower crf is a better picture, and maxrate holds.
func TestBuild_QualityScale(t *testing.T) {
	roots, _ := openRoots(t)
	rate := func(codec, parameters string) float64 {
		p := build(t, roots, "360p25-"+codec,
			`{"resolution":"160x90","duration":1,"audio_codec":"none",`+parameters+`}`)
		encode(t, p)
		r, err := ffprobe.Run(t.Context(), p.Work.Path())
		must(t, err)
		var seconds, size float64
		_, err = fmt.Sscan(r.Format.Duration, &seconds)
		must(t, err)
		info, err := os.Stat(p.Work.Path())
		must(t, err)
		size = float64(info.Size())
		return 8 * size / seconds
	}
	for _, codec := range []string{"h264", "vp9"} {
		good, bad := rate(codec, `"crf":15`), rate(codec, `"crf":45`)
		if limited := rate(codec, `"crf":15,"maxrate":"60k","bufsize":"30k"`); good < 2*bad || limited > 0.8*good {
			t.Errorf("%s: got %.0f bit/s at crf 15, %.0f at 45, %.0f with maxrate 60k", codec, good, bad, limited)
		}
	}
}
