package recipe_test

import (
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// The first pass measures the sound alone, from the same part of the input; with two_pass it encodes the video, too.
func TestBuild_LoudnessFirst(t *testing.T) {
	roots, dir := openRoots(t)
	makeTongues(t, dir)
	for _, c := range []struct {
		parameters string
		alone      bool
	}{
		{`{"input":"tongues.mkv","start":0.25,"duration":0.5,"loudness":-23}`, true},
		{`{"input":"tongues.mkv","start":0.25,"duration":0.5,"loudness":-23,"two_pass":true,"bitrate":"100k"}`, false},
	} {
		p := build(t, roots, "360p", c.parameters)
		first := strings.Join(p.First, " ")
		if p.SoundFirst != c.alone || strings.Contains(first, "0:V:0") == c.alone ||
			!strings.Contains(first, "-ss 0.25 ") || !strings.Contains(first, "-map 0:a:0") ||
			!strings.HasSuffix(first, "print_format=json -t 0.5 -f null -") {
			t.Errorf("%s: got first pass %s", c.parameters, first)
		}
	}
}

// The second pass gets what was measured, in values that loudnorm takes; what could not be measured stays as it is.
func TestPlan_Normalize(t *testing.T) {
	roots, dir := openRoots(t)
	makeTongues(t, dir)
	for _, c := range []struct {
		name, parameters string
		levels           recipe.Levels
		has              []string
		lacks            string
	}{
		{
			"quiet", `"loudness":-23`,
			recipe.Levels{Integrated: -41.75, TruePeak: -38, Range: 12.3, Threshold: -51.75},
			[]string{
				"I=-23:TP=-1:LRA=13:measured_I=-41.75:measured_TP=-38.00:measured_LRA=12.30:measured_thresh=-51.75:" +
					"linear=true", ",aresample=",
			},
			"volume",
		},
		{
			"no range", `"loudness":-23,"loudness_range":3`,
			recipe.Levels{Integrated: -40, TruePeak: -30, Threshold: -50},
			[]string{"LRA=3:", "measured_LRA=0.01"},
			"volume",
		},
		{
			"above full scale", `"loudness":-16`,
			recipe.Levels{Integrated: 2, TruePeak: 0.5, Range: 1, Threshold: -8},
			[]string{"volume=-20dB,loudnorm", "measured_I=-18.00:measured_TP=-19.50", "measured_thresh=-28.00"},
			"nosuch",
		},
		{
			"silent", `"loudness":-23`,
			recipe.Levels{Integrated: math.Inf(-1), TruePeak: math.Inf(-1), Threshold: -70},
			[]string{"aformat"},
			"loudnorm",
		},
		{"unread", `"loudness":-23`, recipe.Levels{Integrated: math.NaN()}, []string{"aformat"}, "loudnorm"},
	} {
		p := build(t, roots, "360p", `{"input":"tongues.mkv",`+c.parameters+`}`)
		before := slices.Clone(p.Args)
		got := strings.Join(p.Normalize(map[int]recipe.Levels{0: c.levels}).Args, " ")
		for _, part := range c.has {
			if !strings.Contains(got, part) {
				t.Errorf("%s: got %s, want %s", c.name, got, part)
			}
		}
		if strings.Contains(got, c.lacks) || !slices.Equal(before, p.Args) {
			t.Errorf("%s: got %s, want no %s, and the plan unchanged", c.name, got, c.lacks)
		}
	}
}

// Layouts and sample rates are the same with and without loudness, whatever the source and the encoder have.
func TestBuild_LoudnessLayouts(t *testing.T) {
	roots, dir := openRoots(t)
	layouts := []string{"mono", "3.0", "quad", "5.1(side)", "6.1", "7.1"}
	args, maps := []string{}, []string{}
	for i, layout := range layouts {
		args = append(args, "-f", "lavfi", "-t", "0.2", "-i",
			"anoisesrc=a=0.05:r=44100,aformat=channel_layouts="+layout)
		maps = append(maps, "-map", strconv.Itoa(i))
	}
	makeFile(t, append(append(args, maps...), "-c:a", "flac", "-strict", "-2", filepath.Join(dir, "sounds.mkv"))...)
	levels := recipe.Levels{Integrated: -40, TruePeak: -0.5, Range: 1, Threshold: -50} // dynamic: at 192 kHz
	for scenario, name := range map[string]string{"audio-opus": "o.mkv", "audio-aac": "a.mkv", "audio-mp3": "m.mkv"} {
		var found []string
		for _, loudness := range []string{"", `,"loudness":-23`} {
			var tracks []string
			measured := map[int]recipe.Levels{}
			for i := range layouts {
				tracks = append(tracks, `{"index":`+strconv.Itoa(i)+loudness+`}`)
				measured[i] = levels
			}
			p := build(t, roots, scenario, `{"input":"sounds.mkv","output":"`+name+`","audio":[`+
				strings.Join(tracks, ",")+`]}`)
			encode(t, p.Normalize(measured))
			report, err := ffprobe.Run(t.Context(), p.Work.Path())
			must(t, err)
			var said []string
			for _, s := range report.Streams {
				said = append(said, s.Layout+" "+s.SampleRate)
			}
			found = append(found, strings.Join(said, ", "))
		}
		if found[0] != found[1] {
			t.Errorf("%s: got %s with loudness, want %s", scenario, found[1], found[0])
		}
	}
}
