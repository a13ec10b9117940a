package recipe_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// makeMixed makes a film with two audio tracks, a subtitle, an attachment and two chapters.
func makeMixed(t *testing.T, dir string) {
	t.Helper()
	meta, text := filepath.Join(dir, "meta.txt"), filepath.Join(dir, "text.srt")
	must(t, os.WriteFile(meta, []byte(";FFMETADATA1\ntitle=Mixed\n[CHAPTER]\nTIMEBASE=1/10\nSTART=0\nEND=5\n"+
		"[CHAPTER]\nTIMEBASE=1/10\nSTART=5\nEND=10\n"), 0o600))
	must(t, os.WriteFile(text, []byte("1\n00:00:00,000 --> 00:00:01,000\nText\n"), 0o600))
	makeFile(t, "-f", "lavfi", "-t", "1", "-i", "testsrc2=size=64x36:rate=5", "-f", "lavfi", "-t", "1", "-i", "sine",
		"-i", text, "-i", meta, "-map", "0", "-map", "1", "-map", "1", "-map", "2", "-map_metadata", "3",
		"-map_chapters", "3", "-c:v", "libx264", "-c:a", "aac", "-c:s", "srt", "-metadata:s:a:1", "language=fra",
		"-attach", meta, "-metadata:s:t", "mimetype=text/plain", filepath.Join(dir, "mixed.mkv"))
}

// What the output lacks of the source is a warning; chapters and metadata stay where the container holds them.
func TestBuild_Dropped(t *testing.T) {
	roots, dir := openRoots(t)
	makeMixed(t, dir)
	const others = "subtitle track 0 (subrip), 1 attachment"
	for i, c := range []struct {
		scenario, output, more, want string
		chapters                     int
	}{
		{"360p", "mp4", ``, "not in the output: audio track 1 (fra, aac), " + others, 2},
		{"360p", "ts", ``, "not in the output: audio track 1 (fra, aac), " + others + ", 2 chapters", 0},
		{"360p", "mkv", `,"audio_codec":"none"`, "not in the output: " + others, 2},
		{"remux", "mkv", `,"audio":[{"all":true}],"subtitles":[{}]`, "not in the output: 1 attachment", 2},
		{"audio-flac", "flac", ``, "not in the output: audio track 1 (fra, aac), 1 attachment, 2 chapters", 0},
		{"audio-mp3", "mp3", ``, "not in the output: audio track 1 (fra, aac), 1 attachment", 2},
	} {
		output := "out" + string(rune('0'+i)) + "." + c.output
		p := build(t, roots, c.scenario, `{"input":"mixed.mkv","output":"`+output+`"`+c.more+`}`)
		if !slices.Equal(p.Warnings, []string{c.want}) {
			t.Errorf("%s %s: got %q, want %q", c.scenario, c.output, p.Warnings, c.want)
		}
		encode(t, p)
		report, err := ffprobe.Run(t.Context(), p.Work.Path())
		must(t, err)
		if len(report.Chapters) != c.chapters {
			t.Errorf("%s %s: got %d chapters, want %d", c.scenario, c.output, len(report.Chapters), c.chapters)
		}
		if got := report.Format.Tags["title"]; got != "Mixed" && c.output == "mp4" {
			t.Errorf("%s: got title %q, want the source's", c.output, got)
		}
	}
}
