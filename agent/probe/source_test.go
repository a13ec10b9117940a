package probe

import (
	"os"
	"path/filepath"
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
	video := append(bars("10", "3"), tone("3")...)
	long := append(append([]string{}, video...), tone("12")...)
	part := ffmpeg(t, "part.ts", video...)
	later := ffmpeg(t, "later.ts", append(append([]string{}, video...), "-output_ts_offset", "3600")...)
	whole := ffmpeg(t, "whole.mp4", append(append(bars("10", "12"), tone("12")...), "-movflags", "+faststart", "-g",
		"10")...)
	for name, c := range map[string]struct {
		source string
		header float64
		silent bool
		reason ffrtmp.FailureReason // "" for success
	}{
		"longer second audio": {source: ffmpeg(t, "second.mkv",
			append(long, "-map", "0:v", "-map", "1:a", "-map", "2:a")...), header: 12},
		"late subtitle": {
			source: ffmpeg(t, "subtitle.mkv",
				append(append([]string{}, video...), "-i", subtitle, "-map", "0", "-map", "1", "-map", "2")...),
			header: 12,
		},
		"longer sound, not wanted": {
			source: ffmpeg(t, "sound.mkv", append(bars("10", "3"), tone("12")...)...),
			header: 12, silent: true,
		},
		"wrong header of FLV":     {source: ffmpeg(t, "wrong.flv", video...), header: 12},
		"joined TS":               {source: joined(t, part, part), header: 3},
		"joined TS, another time": {source: joined(t, part, later), header: 3603},
		"truncated":               {source: truncated(t, whole), header: 12, reason: ffrtmp.InputError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sound := []string{"-map", "0:a:0"}
			want := recipe.Want{Codec: "h264", Height: 36, Audio: "aac"}
			if c.silent {
				sound, want.Audio = []string{"-an"}, ""
			}
			made := ffmpeg(t, "made.mp4", append([]string{"-i", c.source, "-map", "0:V:0"}, sound...)...)
			source := fileOf(c.source)
			err := verify(t, made, want, supervisor.Source{Seconds: c.header, Audio: true}, &source)
			if c.reason == "" && err != nil {
				t.Errorf("got %v, want it accepted", err)
			}
			if c.reason != "" {
				checkRefused(t, err, c.reason, "s long")
			}
		})
	}
}
