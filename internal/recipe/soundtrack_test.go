package recipe_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	agentprobe "github.com/ffrtmp/ffrtmp/agent/probe"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// makeTongues makes a film with tracks in English (AAC, stereo), German (AC-3, 5.1(side), the longest) and without a
// language (PCM, mono).
func makeTongues(t *testing.T, dir string) {
	t.Helper()
	sound := func(layout, seconds string) []string {
		return []string{"-f", "lavfi", "-t", seconds, "-i", "anoisesrc=a=0.1,aformat=channel_layouts=" + layout}
	}
	makeFile(t, join([]string{"-f", "lavfi", "-t", "1", "-i", "testsrc2=size=64x36:rate=10"},
		sound("stereo", "1"), sound("5.1(side)", "3"), sound("mono", "1"), []string{
			"-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:v", "libx264", "-c:a:0", "aac", "-c:a:1", "ac3",
			"-c:a:2", "pcm_s16le", "-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=ger",
			"-metadata:s:a:1", "title=Kino", "-disposition:a:0", "default", filepath.Join(dir, "tongues.mkv"),
		})...)
}

// heard describes an output's audio tracks: codec, channels, language, title, and a star for the default.
func heard(t *testing.T, path string) string {
	t.Helper()
	report, err := ffprobe.Run(t.Context(), path)
	must(t, err)
	var list []string
	for _, s := range report.Streams {
		if s.Type == "audio" {
			list = append(list, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", s.Codec, s.Channels, s.Tags.Language,
				s.Tags.Title))+strings.Repeat("*", s.Disposition.Default))
		}
	}
	return strings.Join(list, ", ")
}

// The output has the tracks that a job lists, in its order, and passes the agent's verification.
func TestBuild_AudioTracks(t *testing.T) {
	roots, dir := openRoots(t)
	makeTongues(t, dir)
	for i, c := range []struct{ scenario, output, audio, want, warning string }{
		{
			"360p", "mkv", `[{"language":"de","codec":"copy"},{"language":"en","default":true}]`,
			"ac3 6 ger Kino, aac 2 eng*", "",
		},
		{"360p", "mkv", `[{"all":true,"channels":2}]`, "aac 2 eng*, aac 2 ger Kino, aac 1", ""},
		{
			"360p", "mkv", `[{"index":1,"codec":"opus","bitrate":"600k","title":"Surround"},{"index":1,"channels":1}]`,
			"opus 6 ger Surround*, aac 1 ger Kino", "",
		},
		{"360p", "mp4", `[{"language":"und"},{"index":1,"codec":"ac3","channels":2}]`, "aac 1 und*, ac3 2 ger", ""},
		{
			"360p", "mp4", `[{},{"language":"fra","optional":true}]`, "aac 2 eng*",
			"audio[1]: the input has no audio track in language fra; it has 0 (eng, aac), 1 (ger, ac3), 2 (pcm_s16le)",
		},
		{
			"360p", "mp4", `[{"index":7,"optional":true}]`, "",
			"audio[0]: the input has no audio track 7; it has 0 (eng, aac), 1 (ger, ac3), 2 (pcm_s16le)",
		},
		{"audio-mp3", "mp3", `[{"language":"DEU","title":"Ton"}]`, "mp3 2", ""},
		{"audio-aac", "m4a", `[{"language":"deu"},{}]`, "aac 6 ger*, aac 2 eng", ""},
		{"remux", "mkv", `[{"all":true}]`, "aac 2 eng*, ac3 6 ger Kino, pcm_s16le 1", ""},
		{"remux", "mp4", `[{"language":"ger"}]`, "ac3 6 ger*", ""},
	} {
		p := build(t, roots, c.scenario, fmt.Sprintf(
			`{"input":"tongues.mkv","output":"out%d.%s","audio":%s}`, i, c.output, c.audio))
		encode(t, p)
		if got := heard(t, p.Work.Path()); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.output, c.audio, got, c.want)
		}
		warnings := slices.DeleteFunc(p.Warnings, func(w string) bool {
			return strings.HasPrefix(w, "not in the output")
		})
		if got := strings.Join(warnings, "; "); got != c.warning {
			t.Errorf("%s: got warning %q, want %q", c.audio, got, c.warning)
		}
		source := supervisor.Source{Audio: true, Seconds: 3}
		if _, err := agentprobe.Verify(t.Context(), "ffprobe", *p.Work, p.Want, source, p.Input); err != nil {
			t.Errorf("%s: got %v, want it verified", c.audio, err)
		}
	}
}

// A test pattern has one track, which can be taken more than once.
func TestBuild_AudioTracksOfPattern(t *testing.T) {
	roots, _ := openRoots(t)
	p := build(t, roots, "360p",
		`{"duration":0.2,"audio":[{"bitrate":"400k","codec":"opus"},{"index":0}],"preset":"ultrafast"}`)
	encode(t, p)
	if got, want := heard(t, p.Work.Path()), "opus 1 und*, aac 1 und"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A track that the source lacks, or that the container cannot hold, is a user error that says what there is.
func TestBuild_AudioTrackErrors(t *testing.T) {
	roots, dir := openRoots(t)
	makeTongues(t, dir)
	for _, c := range []struct{ scenario, output, audio, want string }{
		{"360p", "o.mp4", `[{},{"language":"fra"}]`, "audio[1]: the input has no audio track in language fra; it has " +
			"0 (eng, aac), 1 (ger, ac3), 2 (pcm_s16le); choose one of these, or set optional"},
		{"360p", "o.mp4", `[{"index":3}]`, "audio[0]: the input has no audio track 3; it has"},
		{"remux", "o.mp4", `[{"all":true}]`, "audio[0].codec: a .mp4 file cannot hold a copy of the input's audio " +
			"track 2 (pcm_s16le), only aac, mp3, opus, ac3, flac; encode it, or use .mkv"},
		{"audio-aac", "o.m4a", `[{"index":3,"optional":true}]`, "audio: the input has none of the tracks"},
	} {
		refuses(t, roots, c.scenario, "tongues.mkv", fmt.Sprintf(`"output":%q,"audio":%s`, c.output, c.audio), c.want)
	}
}

// Only the tracks that a copy takes need to fit into its container.
func TestBuild_CopiesChosenTrackOnly(t *testing.T) {
	roots, dir := openRoots(t)
	makeTongues(t, dir)
	makeFile(t, "-i", filepath.Join(dir, "tongues.mkv"), "-map", "0:v", "-map", "0:a:2", "-map", "0:a:0", "-c", "copy",
		filepath.Join(dir, "turned.mkv"))
	p := build(t, roots, "remux", `{"input":"turned.mkv","output":"o.mp4","audio":[{"index":1}]}`)
	encode(t, p)
	if got, want := heard(t, p.Work.Path()), "aac 2 eng*"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
