package probe

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// joined returns a file that holds all others, one after the other.
func joined(t *testing.T, parts ...string) string {
	t.Helper()
	var all []byte
	for _, part := range parts {
		data, err := os.ReadFile(part)
		must(t, err)
		all = append(all, data...)
	}
	path := filepath.Join(t.TempDir(), "joined"+filepath.Ext(parts[0]))
	must(t, os.WriteFile(path, all, 0o600))
	return path
}

// truncated returns a file that lost its second half.
func truncated(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	short := filepath.Join(t.TempDir(), "truncated"+filepath.Ext(path))
	must(t, os.WriteFile(short, data[:len(data)/2], 0o600))
	return short
}

// An output is as long as the streams it was made of, whatever the header of the source says.
func TestVerify_SourceHeader(t *testing.T) {
	t.Parallel()
	subtitle := filepath.Join(t.TempDir(), "late.srt")
	must(t, os.WriteFile(subtitle, []byte("1\n00:00:09,000 --> 00:00:12,000\nlate\n"), 0o600))
	inputs := slices.Concat(bars("10", "3"), tone("3"), bars("10", "12"), tone("12"), []string{"-i", subtitle})
	video := []string{"-map", "0", "-map", "1"}
	and := func(more ...string) []string { return slices.Concat(video, more) }
	sources := encode(t, inputs, output{"part.ts", video}, output{"later.ts", and("-output_ts_offset", "3600")},
		output{"whole.mp4", []string{"-map", "2", "-map", "3", "-movflags", "+faststart", "-g", "10"}},
		output{"second.mkv", and("-map", "3")}, output{"subtitle.mkv", and("-map", "4")},
		output{"sound.mkv", []string{"-map", "0", "-map", "3"}}, output{"wrong.flv", video})
	part, later, whole := sources[0], sources[1], sources[2]
	cases := []struct {
		name   string
		source string
		header float64
		silent bool
		start  float64              // of the job
		reason ffrtmp.FailureReason // "" for success
	}{
		{name: "longer second audio", source: sources[3], header: 12},
		{name: "late subtitle", source: sources[4], header: 12},
		{name: "longer sound, not wanted", source: sources[5], header: 12, silent: true},
		{name: "wrong header of FLV", source: sources[6], header: 12},
		{name: "joined TS", source: joined(t, part, part), header: 3},
		{name: "joined TS, another time", source: joined(t, part, later), header: 3603},
		{name: "truncated", source: truncated(t, whole), header: 12, reason: ffrtmp.UserError},
		{name: "trimmed", source: whole, header: 12, start: 9},
		{name: "trimmed, wrong header", source: sources[6], header: 12, start: 1},
		{name: "trimmed, truncated", source: truncated(t, whole), header: 12, start: 2, reason: ffrtmp.UserError},
	}
	var used []string
	var outputs []output
	for i, c := range cases {
		sound := []string{"-map", fmt.Sprintf("%d:a:0", i)}
		if c.silent {
			sound = []string{"-an"}
		}
		used = append(used, "-ss", fmt.Sprint(c.start), "-i", c.source)
		outputs = append(outputs, output{fmt.Sprintf("%d.mp4", i), append(sound, "-map", fmt.Sprintf("%d:V:0", i))})
	}
	for i, made := range encode(t, used, outputs...) {
		c := cases[i]
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			want := recipe.Want{Codec: "h264", Height: 36, Audio: "aac", Start: c.start}
			if c.silent {
				want.Audio = ""
			}
			source := fileOf(c.source)
			err := verify(t, made, want, supervisor.Source{Seconds: c.header, Audio: true}, &source)
			if c.reason == "" && err != nil {
				t.Errorf("got %v, want it accepted", err)
			}
			if c.reason != "" {
				checkRefused(t, err, c.reason, "the input is truncated")
			}
		})
	}
}
