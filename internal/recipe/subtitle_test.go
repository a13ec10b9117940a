package recipe_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	agentprobe "github.com/ffrtmp/ffrtmp/agent/probe"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// pgs is a Blu-ray subtitle: a white rectangle over all of a 64x36 picture, from the first second on.
func pgs() []byte {
	var b bytes.Buffer
	segment := func(seconds int, kind byte, payload ...byte) {
		b.WriteString("PG")
		_ = binary.Write(&b, binary.BigEndian, uint32(seconds*90000))
		_ = binary.Write(&b, binary.BigEndian, uint32(0))
		b.WriteByte(kind)
		_ = binary.Write(&b, binary.BigEndian, uint16(len(payload)))
		b.Write(payload)
	}
	const width, height = 64, 36
	segment(0, 0x16, 0, width, 0, height, 0x10, 0, 0, 0x80, 0, 0, 0) // nothing yet
	segment(0, 0x80)
	segment(1, 0x16, 0, width, 0, height, 0x10, 0, 1, 0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0) // composition
	segment(1, 0x17, 1, 0, 0, 0, 0, 0, 0, width, 0, height)                                  // window
	segment(1, 0x14, 0, 0, 1, 235, 128, 128, 255)                                            // palette: 1 is white
	var lines []byte
	for range height {
		lines = append(lines, 0, 0x80|width&0x3f, 1, 0, 0) // a run of color 1, end of line
	}
	lines = bytes.ReplaceAll(lines, []byte{0, 0x80, 1}, []byte{0, 0xc0, width, 1}) // 64 needs the long form
	size := len(lines) + 4
	segment(1, 0x15, append([]byte{0, 0, 0, 0xc0, 0, byte(size >> 8), byte(size), 0, width, 0, height}, lines...)...)
	segment(1, 0x80)
	segment(3, 0x16, 0, width, 0, height, 0x10, 0, 2, 0, 0, 0, 0) // nothing any more
	segment(3, 0x80)
	return b.Bytes()
}

// makeSubtitled makes a black film of three seconds with SubRip (eng), ASS (ger, default) and PGS (fra) subtitles.
func makeSubtitled(t *testing.T, dir string) {
	t.Helper()
	text, pictures := filepath.Join(dir, "text.srt"), filepath.Join(dir, "pictures.sup")
	must(t, os.WriteFile(text, []byte("1\n00:00:01,000 --> 00:00:03,000\n{\\an5}HHHHHHHH\n"), 0o600))
	must(t, os.WriteFile(pictures, pgs(), 0o600))
	makeFile(t, "-f", "lavfi", "-t", "3", "-i", "color=black:size=64x36:rate=5", "-i", text, "-i", text,
		"-i", pictures, "-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:v", "libx264", "-c:s:0", "srt",
		"-c:s:1", "ass", "-c:s:2", "copy", "-metadata:s:s:0", "language=eng", "-metadata:s:s:1", "language=ger",
		"-metadata:s:s:2", "language=fra", "-disposition:s:1", "default", filepath.Join(dir, "film.mkv"))
}

// readable describes an output's subtitles: codec, language, a star for the default, a bang for a forced one.
func readable(t *testing.T, path string) string {
	t.Helper()
	report, err := ffprobe.Run(t.Context(), path)
	must(t, err)
	var list []string
	for _, s := range report.Streams {
		if s.Type == "subtitle" {
			list = append(list, s.Codec+" "+s.Tags.Language+strings.Repeat("*", s.Disposition.Default)+
				strings.Repeat("!", s.Disposition.Forced))
		}
	}
	return strings.Join(list, ", ")
}

// brightAt returns the brightest luma of a file's picture at a time.
func brightAt(t *testing.T, path, seconds string) byte {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-v", "error", "-i", path, "-vf", "setpts=PTS-STARTPTS,trim=start="+seconds,
		"-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-").Output()
	must(t, err)
	var most byte
	for _, luma := range out {
		most = max(most, luma)
	}
	return most
}

// Subtitles are kept, converted or burnt in, and the output passes the agent's verification.
func TestBuild_Subtitles(t *testing.T) {
	roots, dir := openRoots(t)
	makeSubtitled(t, dir)
	for i, c := range []struct {
		scenario, output, subtitles, want string
		burnt                             bool
	}{
		{"360p", "mkv", `[{"all":true}]`, "subrip eng, ass ger*, hdmv_pgs_subtitle fra", false},
		{
			"360p", "mp4", `[{"language":"de"},{"language":"en","default":true,"forced":true}]`,
			"mov_text ger, mov_text eng*!", false,
		},
		{"remux", "mp4", `[{"index":0}]`, "mov_text eng*", false},
		{"remux", "mov", `[{"index":0,"title":"Text"}]`, "mov_text eng*", false},
		{"360p-vp9", "webm", `[{"language":"eng","mode":"convert","format":"webvtt"}]`, "webvtt eng", false},
		{
			"360p", "mkv", `[{"language":"ger","mode":"convert","format":"srt"},{"language":"ita","optional":true}]`,
			"subrip ger*", false,
		},
		{"360p", "mp4", `[{"language":"eng","mode":"burn"}]`, "", true},
		{"360p", "ts", `[{"index":2,"mode":"burn"}]`, "", true},
		{"360p", "mp4", `[{"language":"fra","mode":"burn"},{"language":"eng"}]`, "mov_text eng*", true},
	} {
		p := build(t, roots, c.scenario, fmt.Sprintf(
			`{"input":"film.mkv","output":"out%d.%s","subtitles":%s}`, i, c.output, c.subtitles))
		encode(t, p)
		if got := readable(t, p.Work.Path()); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.output, c.subtitles, got, c.want)
		}
		before, during := brightAt(t, p.Work.Path(), "0.4"), brightAt(t, p.Work.Path(), "2")
		if before > 60 || (during > 150) != c.burnt {
			t.Errorf("%s: got luma %d, then %d, want text in the picture: %t", c.subtitles, before, during, c.burnt)
		}
		_, err := agentprobe.Verify(t.Context(), "ffprobe", *p.Work, p.Want, supervisor.Source{}, p.Input)
		if err != nil {
			t.Errorf("%s: got %v, want it verified", c.subtitles, err)
		}
	}
}

// Text becomes files beside the output, of the same part of the film; the output has no track of it.
func TestBuild_ExtractedSubtitles(t *testing.T) {
	roots, dir := openRoots(t)
	makeSubtitled(t, dir)
	p := build(t, roots, "360p", `{"input":"film.mkv","output":"sub/o.ts","start":0.5,"preset":"ultrafast","subtitles":[
		{"language":"en","mode":"extract"},{"index":1,"mode":"extract","format":"vtt"},
		{"language":"ger","mode":"extract","format":"ass"},{"language":"ita","mode":"extract","optional":true}]}`)
	encode(t, p)
	want := []struct{ name, text string }{
		{"sub/o.en.srt", "00:00:00,500 --> 00:00:02,500"},
		{"sub/o.1.vtt", "00:00.500 --> 00:02.500"},
		{"sub/o.ger.ass", "Dialogue: 0,0:00:00.50,0:00:02.50"},
	}
	if len(p.Sidecars) != len(want) || len(p.Warnings) == 0 || !strings.Contains(p.Warnings[0], "language ita") {
		t.Fatalf("got %+v, warnings %q, want three files and a warning of the fourth", p.Sidecars, p.Warnings)
	}
	for i, w := range want {
		s := p.Sidecars[i]
		data, err := os.ReadFile(s.Work.Path())
		if err != nil || s.Final.Name != w.name || !bytes.Contains(data, []byte(w.text)) ||
			!bytes.Contains(data, []byte("HHHHHHHH")) {
			t.Errorf("got %s: %s, %v, want %s with %s", s.Final.Name, data, err, w.name, w.text)
		}
	}
	got, warned := readable(t, p.Work.Path()), strings.Contains(strings.Join(p.Warnings, " "), "subtitle track 0")
	if got != "" || warned {
		t.Errorf("got tracks %q, warnings %q, want none in the output, and none of these said to be dropped", got,
			p.Warnings)
	}
	_, err := agentprobe.Verify(t.Context(), "ffprobe", *p.Work, p.Want, supervisor.Source{}, p.Input)
	must(t, err)
}

// A subtitle long after the film's end is kept, and makes the output no failure.
func TestBuild_LateSubtitle(t *testing.T) {
	roots, dir := openRoots(t)
	late := filepath.Join(dir, "late.srt")
	must(t, os.WriteFile(late, []byte("1\n00:00:20,000 --> 00:00:30,000\nlate\n"), 0o600))
	makeFile(t, "-f", "lavfi", "-t", "2", "-i", "testsrc2=size=64x36:rate=10", "-i", late, "-map", "0", "-map", "1",
		"-c:v", "libx264", "-c:s", "srt", filepath.Join(dir, "late.mkv"))
	for _, output := range []string{"o.mkv", "o.mp4"} {
		p := build(t, roots, "360p", `{"input":"late.mkv","output":"`+output+`","preset":"ultrafast",
			"subtitles":[{},{"mode":"extract"}]}`)
		if p.Want.FrameRate != 10 || p.Want.SourceSeconds > 3 {
			t.Errorf("%s: got %+v, want the length and the rate of the video", output, p.Want)
		}
		encode(t, p)
		_, err := agentprobe.Verify(t.Context(), "ffprobe", *p.Work, p.Want, supervisor.Source{Seconds: 30}, p.Input)
		if err != nil || readable(t, p.Work.Path()) == "" {
			t.Errorf("%s: got %v, want it verified with its subtitle", output, err)
		}
	}
}

// Pictures that cannot become text, and tracks that the source lacks, are user errors.
func TestBuild_SubtitleErrors(t *testing.T) {
	roots, dir := openRoots(t)
	makeSubtitled(t, dir)
	for _, c := range []struct{ output, subtitles, want string }{
		{"o.mp4", `[{"language":"fra"}]`, "subtitles[0]: the input's track 2 (fra, hdmv_pgs_subtitle) is pictures, " +
			"which a .mp4 file cannot hold and which cannot become text; keep it in .mkv, or use mode burn"},
		{
			"o.mkv", `[{"language":"fra","mode":"convert"}]`,
			"subtitles[0]: the input's track 2 (fra, hdmv_pgs_subtitle) is",
		},
		{
			"o.mkv", `[{"language":"fra","mode":"extract"}]`,
			"subtitles[0]: the input's track 2 (fra, hdmv_pgs_subtitle) is pictures, which cannot become text",
		},
		{"o.mkv", `[{},{"language":"ita"}]`, "subtitles[1]: the input has no subtitle track in language ita; it has " +
			"0 (eng, subrip), 1 (ger, ass), 2 (fra, hdmv_pgs_subtitle); choose one of these, or set optional"},
	} {
		refuses(t, roots, "360p", "film.mkv", fmt.Sprintf(`"output":%q,"subtitles":%s`, c.output, c.subtitles), c.want)
	}
}

// Text that is burnt in appears at its time in the source, also where the output begins later.
func TestBuild_SubtitlesAfterStart(t *testing.T) {
	roots, dir := openRoots(t)
	makeSubtitled(t, dir)
	p := build(t, roots, "360p", `{"input":"film.mkv","output":"o.mp4","start":0.6,"preset":"ultrafast",
		"subtitles":[{"mode":"burn"}]}`)
	encode(t, p)
	before, during := brightAt(t, p.Work.Path(), "0"), brightAt(t, p.Work.Path(), "0.6")
	if before > 60 || during < 150 {
		t.Errorf("got luma %d, then %d, want text from 0.4 s on", before, during)
	}
}
