package recipe_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	agentprobe "github.com/ffrtmp/ffrtmp/agent/probe"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openRoots(t *testing.T) (*media.Roots, string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	roots, err := media.OpenRoots([]string{dir})
	must(t, err)
	return roots, dir
}

var run = recipe.Run{
	JobID: "0198c0de-0000-7000-8000-000000000001", Attempt: 2,
	Lease: "00112233445566778899aabbccddeeff",
}

func build(t *testing.T, roots *media.Roots, scenario, parameters string) recipe.Plan {
	t.Helper()
	params, err := ffrtmp.ParseParameters(json.RawMessage(parameters))
	must(t, err)
	e, err := ffrtmp.Resolve(scenario, params)
	must(t, err)
	p, err := recipe.Build(e, run, roots, recipe.Machine{VAAPIDevice: "/dev/dri/renderD128"}, sourceOf(t, roots,
		e.Input))
	must(t, err)
	return p
}

// refuses fails the test unless the parameters beside the input, which decode well, are a user error of the build.
func refuses(t *testing.T, roots *media.Roots, scenario, input, parameters, want string) {
	t.Helper()
	params, err := ffrtmp.ParseParameters(json.RawMessage(fmt.Sprintf(`{"input":%q,%s}`, input, parameters)))
	must(t, err)
	e, err := ffrtmp.Resolve(scenario, params)
	must(t, err)
	_, err = recipe.Build(e, run, roots, recipe.Machine{}, sourceOf(t, roots, input))
	if err == nil || !strings.Contains(err.Error(), want) || failure.Reason(err) != ffrtmp.UserError {
		t.Errorf("%s: got %v, want a user error: %s", parameters, err, want)
	}
}

// sourceOf returns what an input holds, or nil for one that agents would refuse: its plan is made all the same.
func sourceOf(t *testing.T, roots *media.Roots, input string) *recipe.Source {
	t.Helper()
	file, err := roots.Input("input", input)
	if err != nil {
		return nil
	}
	if info, err := os.Stat(file.Path()); err != nil || info.Size() == 0 {
		return nil
	}
	s, err := agentprobe.File(t.Context(), "ffprobe", file)
	if err != nil {
		return nil
	}
	return s
}

// encode runs a plan that needs neither endpoint nor option file.
func encode(t *testing.T, p recipe.Plan) {
	t.Helper()
	cmd := exec.Command("ffmpeg", p.Args...)
	progress, err := os.CreateTemp(t.TempDir(), "progress")
	must(t, err)
	defer progress.Close()
	cmd.ExtraFiles = inherited(t, p)
	cmd.ExtraFiles[recipe.ProgressFD-3] = progress
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, strings.Join(p.Args, " "), stderr.String())
	}
	if said, err := os.ReadFile(progress.Name()); err != nil || !bytes.Contains(said, []byte("progress=end")) {
		t.Errorf("progress: %q, %v", said, err)
	}
}

// inherited opens the files of a plan under its numbers, until the test ends.
func inherited(t *testing.T, p recipe.Plan) []*os.File {
	t.Helper()
	files := make([]*os.File, recipe.LastFD+1-3)
	var err error
	for fd, input := range map[int]*recipe.File{
		recipe.InputFD: p.Input, recipe.WatermarkFD: p.Mark, recipe.PictureFD: p.Picture,
	} {
		if input != nil {
			files[fd-3], err = media.Open(*input)
			must(t, err)
		}
	}
	if p.Work != nil {
		files[recipe.OutputFD-3], err = media.Create(*p.Work)
		must(t, err)
	}
	for _, s := range p.Sidecars {
		file, err := media.Create(s.Work)
		must(t, err)
		files = append(files, file)
	}
	t.Cleanup(func() {
		for _, f := range files {
			if f != nil {
				f.Close()
			}
		}
	})
	return files
}

// probed is ffprobe's account of a file's first video and audio stream.
type probed struct {
	Video, Rate, Size, Audio string
}

func probe(t *testing.T, path string) probed {
	t.Helper()
	r, err := ffprobe.Run(t.Context(), path)
	must(t, err)
	video := r.First("video")
	return probed{Video: video.Codec, Rate: video.BaseRate, Size: video.Size(), Audio: r.First("audio").Codec}
}

// Every size, rate and codec of a scenario comes out as named.
func TestBuild_Scenarios(t *testing.T) {
	const quick = `{"duration":0.1,"preset":"ultrafast"}`
	for _, c := range []struct {
		scenario, parameters string
		want                 probed
	}{
		{"4K60-h264", quick, probed{"h264", "60/1", "3840x2160", "aac"}},
		{"2160p30", quick, probed{"h264", "30/1", "3840x2160", "aac"}},
		{"1440p", quick, probed{"h264", "30/1", "2560x1440", "aac"}},
		{"1080p60-h264", quick, probed{"h264", "60/1", "1920x1080", "aac"}},
		{"720p25", quick, probed{"h264", "25/1", "1280x720", "aac"}},
		{"live-480p30-h264", quick, probed{"h264", "30/1", "854x480", "aac"}},
		{"360p", quick, probed{"h264", "30/1", "640x360", "aac"}},
		{"360p24-h265", quick, probed{"hevc", "24/1", "640x360", "aac"}},
		{"360p24-hevc", quick, probed{"hevc", "24/1", "640x360", "aac"}},
		{"360p24-vp9", `{"duration":0.1}`, probed{"vp9", "24/1", "640x360", "aac"}},
		{"360p24-av1", `{"duration":0.1}`, probed{"av1", "24/1", "640x360", "aac"}},
		{"360p24", `{"duration":0.1,"codec":"libaom-av1","bitrate":"300k"}`, probed{"av1", "24/1", "640x360", "aac"}},
		{"360p24-av1", `{"duration":0.1,"bitrate":"300k","preset":"12"}`, probed{"av1", "24/1", "640x360", "aac"}},
		{"360p24-vp9", `{"duration":0.1,"bitrate":"300k","output":"o.webm"}`, probed{"vp9", "24/1", "640x360", "opus"}},
		{"1080p60", `{"duration":0.1,"resolution":"128x96","fps":12.5,"bitrate":"1.5M","audio_codec":"mp3",
			"audio_bitrate":"96k","threads":1,"output":"sub/o.mkv"}`, probed{"h264", "25/2", "128x96", "mp3"}},
		{"360p", `{"duration":0.1,"audio_codec":"none","output":"o.ts"}`, probed{"h264", "30/1", "640x360", ""}},
		{"360p", `{"duration":0.1,"audio_codec":"ac3","output":"o.mov"}`, probed{"h264", "30/1", "640x360", "ac3"}},
		{"360p", `{"duration":0.1,"output":"o.flv"}`, probed{"h264", "1k/1k", "640x360", "aac"}},
	} {
		t.Run(c.scenario+c.parameters, func(t *testing.T) {
			roots, _ := openRoots(t)
			p := build(t, roots, c.scenario, c.parameters)
			encode(t, p)
			got := probe(t, p.Work.Path())
			if c.want.Rate == "1k/1k" { // flv keeps milliseconds, so the rate is a guess
				c.want.Rate = got.Rate
			}
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if p.Want.Codec != got.Video || p.Want.Audio != got.Audio {
				t.Errorf("wants %+v", p.Want)
			}
		})
	}
}

// A source keeps its rate and shape unless the job changes them.
func TestBuild_KeepsSource(t *testing.T) {
	roots, dir := openRoots(t)
	must(t, exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=90x160:rate=12", "-t", "0.5",
		"-c:v", "libx264", "-pix_fmt", "yuv444p", "-metadata", "title=The title", filepath.Join(dir, "tall.mkv")).Run())
	for _, c := range []struct {
		scenario, parameters string
		want                 probed
	}{
		{"360p", `{"input":"tall.mkv","preset":"ultrafast"}`, probed{"h264", "12/1", "360x640", ""}},
		{"360p24", `{"input":"tall.mkv","preset":"ultrafast","duration":0.2}`, probed{"h264", "24/1", "360x640", ""}},
		{"360p", `{"input":"tall.mkv","preset":"ultrafast","resolution":"64x64"}`, probed{"h264", "12/1", "36x64", ""}},
	} {
		t.Run(c.scenario+c.parameters, func(t *testing.T) {
			p := build(t, roots, c.scenario, c.parameters)
			encode(t, p)
			if got := probe(t, p.Work.Path()); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			r, err := ffprobe.Run(t.Context(), p.Work.Path())
			must(t, err)
			if format, title := r.First("video").PixelFormat, r.Format.Tags["title"]; format != "yuv420p" ||
				title != "The title" {
				t.Errorf("got %q, %q", format, title)
			}
		})
	}
}

// The film is encoded, not the cover picture in front of it.
func TestBuild_CoverArt(t *testing.T) {
	roots, dir := openRoots(t)
	cover := filepath.Join(dir, "cover.png")
	makeFile(t, "-f", "lavfi", "-i", "color=red:size=320x180", "-frames:v", "1", cover)
	pattern := []string{"-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10", "-t", "2"}
	for name, args := range map[string][]string{
		"film.mp4": append(append([]string{"-i", cover}, pattern...), "-map", "0", "-map", "1",
			"-c:v:0", "copy", "-disposition:v:0", "attached_pic", "-c:v:1", "libx264"),
		"film.mkv": append(pattern, "-attach", cover, "-metadata:s:t", "mimetype=image/png"),
	} {
		makeFile(t, append(args, filepath.Join(dir, name))...)
		p := build(t, roots, "360p", `{"input":"`+name+`","output":"out-`+name+`","preset":"ultrafast"}`)
		encode(t, p)
		if n := frames(t, p.Work.Path()); n != 20 {
			t.Errorf("%s: got %d frames, want 20", name, n)
		}
	}
}

// makeFile runs ffmpeg to make an input.
func makeFile(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ffmpeg", append([]string{"-v", "error", "-y"},
		args...)...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func frames(t *testing.T, path string) int {
	t.Helper()
	report, err := ffprobe.Run(t.Context(), path, "-count_frames")
	must(t, err)
	n, err := strconv.Atoi(report.First("video").Frames)
	must(t, err)
	return n
}

// A playlist or script inside the roots must not lead out of them.
func TestBuild_Playlists(t *testing.T) {
	roots, dir := openRoots(t)
	secret := filepath.Join(t.TempDir(), "secret.ts")
	must(t, exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=64x64:rate=10", "-t", "0.3",
		secret).Run())
	for name, content := range map[string]string{
		"list.m3u8":   "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://" + secret + "\n#EXT-X-ENDLIST\n",
		"list.ffcat":  "ffconcat version 1.0\nfile 'file:" + secret + "'\n",
		"remote.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
		p := build(t, roots, "360p", `{"input":"`+name+`","output_mode":"null"}`)
		cmd := exec.Command("ffmpeg", p.Args...)
		in, err := media.Open(*p.Input)
		must(t, err)
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		must(t, err)
		cmd.ExtraFiles = []*os.File{null, in}
		out, err := cmd.CombinedOutput()
		if err == nil || strings.Contains(string(out), "Video: ") {
			t.Errorf("%s was read: %s", name, out)
		}
		in.Close()
		null.Close()
	}
}
