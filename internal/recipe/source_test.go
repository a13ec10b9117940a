package recipe_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// bars is a lavfi input of a few frames.
func bars(size string) []string {
	return []string{"-f", "lavfi", "-i", "testsrc2=size=" + size + ":rate=10", "-t", "0.2"}
}

// tagged returns filters that make ten-bit video with color tags.
func tagged(transfer string) []string {
	return []string{
		"-vf",
		"format=yuv420p10le,setparams=range=tv:color_primaries=bt2020:color_trc=" + transfer +
			":colorspace=bt2020nc",
		"-c:v", "ffv1",
	}
}

func join(parts ...[]string) []string {
	var all []string
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// picture describes an output's video in one line.
func picture(t *testing.T, path string) string {
	t.Helper()
	report, err := ffprobe.Run(t.Context(), path)
	must(t, err)
	v := report.First("video")
	return strings.Join([]string{v.Size(), v.Aspect, v.PixelFormat, v.Range, v.Primaries, v.Transfer, v.Matrix}, " ")
}

// Whatever a source's shape and colors, the output has square pixels, the wanted size and true color tags.
func TestBuild_Pictures(t *testing.T) {
	roots, dir := openRoots(t)
	wide := join(bars("128x72"), []string{"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"})
	makeFile(t, append(wide, filepath.Join(dir, "wide.mp4"))...)
	for name, args := range map[string][]string{
		"turned.mp4":     {"-i", filepath.Join(dir, "wide.mp4"), "-c", "copy", "-metadata:s:v", "rotate=90"},
		"anamorphic.mkv": append(wide[:len(wide):len(wide)], "-vf", "scale=96:72,setsar=4/3"),
		"pq.mkv":         join(bars("128x72"), tagged("smpte2084")),
		"pqbare.mkv": join(bars("128x72"), []string{
			"-vf", "format=yuv420p10le,setparams=color_trc=smpte2084", "-c:v", "ffv1",
		}),
		"hlgbare.mkv": join(bars("128x72"), []string{
			"-vf", "format=yuv420p10le,setparams=color_trc=arib-std-b67", "-c:v", "ffv1",
		}),
		"upside.mp4":  {"-i", filepath.Join(dir, "wide.mp4"), "-c", "copy", "-metadata:s:v", "rotate=180"},
		"left.mp4":    {"-i", filepath.Join(dir, "wide.mp4"), "-c", "copy", "-metadata:s:v", "rotate=270"},
		"sar16-11.ts": join(bars("88x72"), []string{"-vf", "setsar=16/11", "-c:v", "mpeg2video", "-q:v", "4"}),
		"hlg.mkv":     join(bars("128x72"), tagged("arib-std-b67")),
		"wideco.mkv":  join(bars("128x72"), tagged("bt2020-10")),
		"full.avi":    join(bars("128x72"), []string{"-pix_fmt", "yuvj420p", "-c:v", "mjpeg"}),
		"red.mkv": {
			"-f", "lavfi", "-i", "color=red:size=128x72:rate=10", "-t", "0.3", "-pix_fmt", "gbrp", "-c:v", "ffv1",
		},
	} {
		makeFile(t, append(args, filepath.Join(dir, name))...)
	}
	const (
		sd  = " 1:1 yuv420p tv smpte170m smpte170m smpte170m"
		hd  = " 1:1 yuv420p tv bt709 bt709 bt709"
		x64 = `,"preset":"ultrafast"`
	)
	for _, c := range []struct{ input, scenario, parameters, want string }{
		{"wide.mp4", "360p", x64, "640x360" + sd},
		{"turned.mp4", "360p", x64, "360x640" + sd},
		{"anamorphic.mkv", "360p", x64, "640x360" + sd},
		{"upside.mp4", "360p", x64, "640x360" + sd},
		{"left.mp4", "360p", x64, "360x640" + sd},
		{"sar16-11.ts", "360p", x64, "640x360" + sd},
		{"pqbare.mkv", "360p", x64, "640x360" + hd},
		{"hlgbare.mkv", "360p", x64, "640x360" + hd},
		{"hlgbare.mkv", "360p-hevc", x64 + `,"hdr":"keep"`, "640x360 1:1 yuv420p10le tv bt2020 arib-std-b67 bt2020nc"},
		{"turned.mp4", "360p", x64 + `,"resolution":"160x80"`, "46x80" + sd},
		{"wide.mp4", "360p", x64 + `,"resolution":"80x80","fit":"inside"`, "80x46" + sd},
		{"wide.mp4", "360p", x64 + `,"resolution":"80x80","fit":"pad","pad_color":"#102030"`, "80x80" + sd},
		{"wide.mp4", "360p", x64 + `,"resolution":"80x80","fit":"crop"`, "80x80" + sd},
		{"turned.mp4", "360p", x64 + `,"fit":"pad"`, "640x360" + sd},
		{"anamorphic.mkv", "360p", x64 + `,"resolution":"80x80","fit":"stretch"`, "80x80" + sd},
		{"wide.mp4", "360p", x64 + `,"crop_rect":"64:36:10:10"`, "640x360" + sd},
		{"turned.mp4", "360p", x64 + `,"crop_rect":"72:72:0:56"`, "360x360" + sd},
		{"full.avi", "360p", x64, "640x360 1:1 yuv420p tv bt470bg smpte170m bt470bg"},
		{"red.mkv", "360p", x64, "640x360" + hd},
		{"wideco.mkv", "360p", x64, "640x360" + hd},
		{"pq.mkv", "360p", x64, "640x360" + hd},
		{"hlg.mkv", "360p", x64, "640x360" + hd},
		{"pq.mkv", "360p-hevc", x64 + `,"hdr":"keep"`, "640x360 1:1 yuv420p10le tv bt2020 smpte2084 bt2020nc"},
		{"hlg.mkv", "360p-vp9", `,"hdr":"keep"`, "640x360 1:1 yuv420p10le tv bt2020 arib-std-b67 bt2020nc"},
	} {
		p := build(t, roots, c.scenario, `{"input":"`+c.input+`","output":"out.mp4"`+c.parameters+`}`)
		encode(t, p)
		if got := picture(t, p.Work.Path()); got != c.want {
			t.Errorf("%s %s: got %s, want %s", c.input, c.parameters, got, c.want)
		}
		if c.input == "red.mkv" {
			checkRed(t, p.Work.Path())
		}
	}
}

// checkRed compares a pixel with pure red.
func checkRed(t *testing.T, path string) {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-v", "error", "-i", path, "-vf", "format=rgb24", "-frames:v", "1", "-f",
		"rawvideo",
		"-").Output()
	must(t, err)
	if out[0] < 245 || out[1] > 10 || out[2] > 10 {
		t.Errorf("got pixel %v, want red", out[:3])
	}
}

// brightness returns the mean luma of a file's first frame.
func brightness(t *testing.T, path string) int {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-v", "error", "-i", path, "-vf", "scale=1:1:flags=area,format=gray",
		"-frames:v", "1",
		"-f", "rawvideo", "-").Output()
	must(t, err)
	return int(out[0])
}

// Without zscale HDR is mapped by tables, to about the same picture.
func TestBuild_ToneMapWithoutZscale(t *testing.T) {
	roots, dir := openRoots(t)
	for _, transfer := range []string{"smpte2084", "arib-std-b67"} {
		name := transfer + ".mkv"
		ramp := []string{"-f", "lavfi", "-i", "gradients=s=128x72:c0=black:c1=white:x0=0:y0=0:x1=127:y1=0", "-t", "0.1"}
		makeFile(t, append(join(ramp, tagged(transfer)), filepath.Join(dir, name))...)
		params, err := ffrtmp.ParseParameters(json.RawMessage(`{"input":"` + name + `","preset":"ultrafast"}`))
		must(t, err)
		e, err := ffrtmp.Resolve("360p", params)
		must(t, err)
		var mean [2]int
		for i, m := range []recipe.Machine{{}, {NoZscale: true}} {
			p, err := recipe.Build(e, run, roots, m, sourceOf(t, roots, name))
			must(t, err)
			encode(t, p)
			mean[i] = brightness(t, p.Work.Path())
		}
		if diff := mean[0] - mean[1]; diff < -20 || diff > 20 {
			t.Errorf("%s: got mean luma %d with zscale, %d without", transfer, mean[0], mean[1])
		}
	}
}

var fields = regexp.MustCompile(`Multi frame detection: TFF:\s*(\d+) BFF:\s*(\d+) Progressive:\s*(\d+)`)

// Frames that are flagged as interlaced are deinterlaced before scaling; progressive ones are left alone.
func TestBuild_Interlaced(t *testing.T) {
	roots, dir := openRoots(t)
	makeFile(t, "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=50", "-t", "1", "-vf", "tinterlace=interleave_top",
		"-c:v",
		"mpeg2video", "-q:v", "2", "-flags", "+ilme+ildct", "-top", "1", filepath.Join(dir, "tff.ts"))
	p := build(t, roots, "360p", `{"input":"tff.ts","resolution":"320x240","preset":"ultrafast","bitrate":"4M"}`)
	encode(t, p)
	out, err := exec.Command("ffmpeg", "-hide_banner", "-i", p.Work.Path(), "-vf", "idet", "-f", "null",
		"-").CombinedOutput()
	must(t, err)
	m := fields.FindStringSubmatch(string(out))
	if m == nil || len(m[1]) != 1 || len(m[2]) != 1 || len(m[3]) != 2 { // the source has 25 frames, all TFF
		t.Errorf("got %q, want hardly any frame but progressive ones", m)
	}
}

// Every channel layout comes out as one that players know.
func TestBuild_Layouts(t *testing.T) {
	roots, dir := openRoots(t)
	for layout, want := range map[string]struct{ opus, aac string }{
		"FL": {"mono", "mono"}, "FC+LFE": {"stereo", "stereo"}, "2.1": {"stereo", "stereo"},
		"3.0":       {"stereo", "stereo"},
		"5.1(side)": {"5.1", "5.1"}, "5.0(side)": {"5.1", "5.1"}, "quad": {"5.1", "5.1"}, "6.1": {"7.1", "7.1"},
		"7.1(wide)": {"5.1", "5.1"}, "hexadecagonal": {"stereo", "stereo"},
	} {
		makeFile(t, "-f", "lavfi", "-i", "sine=d=0.1", "-af", "pan="+layout+"|c0=c0", filepath.Join(dir, "in.caf"))
		for _, c := range []struct{ scenario, want string }{{"audio-opus", want.opus}, {"audio-aac", want.aac}} {
			p := build(t, roots, c.scenario, `{"input":"in.caf"}`)
			encode(t, p)
			report, err := ffprobe.Run(t.Context(), p.Work.Path())
			must(t, err)
			if got := report.First("audio").Layout; got != c.want {
				t.Errorf("%s to %s: got %s, want %s", layout, c.scenario, got, c.want)
			}
		}
	}
}

// Audio scenarios and remux write every format that the table lists for them.
func TestBuild_WithoutEncodingVideo(t *testing.T) {
	roots, dir := openRoots(t)
	makeFile(t, append(bars("64x36"), "-f", "lavfi", "-i", "sine", "-t", "0.3", "-map", "0", "-map", "1", "-c:v",
		"libx264",
		"-preset", "ultrafast", "-metadata:s:v", "BPS-eng=7", filepath.Join(dir, "in.mkv"))...)
	for _, c := range []struct{ scenario, output, video, audio string }{
		{"audio-aac", "", "", "aac"},
		{"audio-mp3", "", "", "mp3"},
		{"audio-flac", "", "", "flac"},
		{"audio-opus", "o.webm", "", "opus"},
		{"audio-pcm", "o.wav", "", "pcm_s16le"},
		{"audio-flac", "o.ogg", "", "flac"},
		{"remux", "o.mp4", "h264", "vorbis"},
		{"remux", "o.mkv", "h264", "vorbis"},
	} {
		input := "in.mkv"
		params := `{"input":"` + input + `","output":"` + c.output + `"}`
		if c.output == "o.mp4" {
			checkRefused(t, roots, c.scenario, params, "cannot hold the input's sound (vorbis)")
			continue
		}
		p := build(t, roots, c.scenario, params)
		encode(t, p)
		report, err := ffprobe.Run(t.Context(), p.Work.Path(), "-show_entries", "stream_tags=BPS-eng")
		must(t, err)
		if v, a := report.First("video").Codec, report.First("audio").Codec; v != c.video || a != c.audio {
			t.Errorf("%s to %s: got %q and %q, want %q and %q", c.scenario, c.output, v, a, c.video, c.audio)
		}
	}
}

func checkRefused(t *testing.T, roots recipe.Roots, scenario, parameters, says string) {
	t.Helper()
	params, err := ffrtmp.ParseParameters(json.RawMessage(parameters))
	must(t, err)
	e, err := ffrtmp.Resolve(scenario, params)
	must(t, err)
	_, err = recipe.Build(e, run, roots, recipe.Machine{}, nil)
	must(t, err)
	file, err := roots.Input("input", e.Input)
	must(t, err)
	report, err := ffprobe.Run(t.Context(), file.Path())
	must(t, err)
	_, err = recipe.Build(e, run, roots, recipe.Machine{}, &recipe.Source{Report: report})
	if failure.Reason(err) != ffrtmp.UserError || !strings.Contains(err.Error(), says) {
		t.Errorf("%s %s: got %v, want a user error with %q", scenario, parameters, err, says)
	}
}

// HDR10 whose transfer has no tag is recognized by its mastering display; SDR has none.
func TestBuild_HDRWithoutTags(t *testing.T) {
	roots, _ := openRoots(t)
	for _, c := range []struct {
		report string
		mapped bool
	}{
		{`"color_transfer":"unknown","side_data_list":[{"side_data_type":"Mastering display metadata"}]`, true},
		{`"side_data_list":[{"side_data_type":"Content light level metadata"}]`, true},
		{`"color_transfer":"bt709","side_data_list":[{"side_data_type":"Mastering display metadata"}]`, false},
		{`"side_data_list":[{"side_data_type":"Display Matrix","rotation":90}]`, false},
	} {
		report, err := ffprobe.Parse([]byte(`{"streams":[{"codec_type":"video","width":64,"height":36,` +
			`"codec_name":"hevc","pix_fmt":"yuv420p10le",` + c.report + `}]}`))
		must(t, err)
		e := ffrtmp.Encoding{Mode: ffrtmp.ToNull, Input: "http://h/a.mkv", Encoder: "libx264", Height: 360, Width: 640}
		p, err := recipe.Build(e, run, roots, recipe.Machine{}, &recipe.Source{Report: report})
		must(t, err)
		if args := strings.Join(p.Args, " "); strings.Contains(args, "tonemap") != c.mapped {
			t.Errorf("%s: got %s, want tone mapping: %t", c.report, args, c.mapped)
		}
	}
}

// A cover picture in whatever file of sound is no film, and no obstacle to the sound.
func TestBuild_SongsWithCovers(t *testing.T) {
	roots, dir := openRoots(t)
	cover := filepath.Join(dir, "cover.png")
	makeFile(t, "-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1", cover)
	song := []string{"-f", "lavfi", "-t", "0.5", "-i", "sine", "-i", cover, "-map", "0", "-map", "1", "-c:v", "copy"}
	for name, options := range map[string][]string{
		"song.mp3": {"-disposition:v", "attached_pic"}, "song.flac": {"-disposition:v", "attached_pic"},
		"song.m4a": {"-disposition:v", "attached_pic"},
		"song.mka": {"-map", "-1:v", "-attach", cover, "-metadata:s:t", "mimetype=image/png"},
	} {
		makeFile(t, append(append(song[:len(song):len(song)], options...), filepath.Join(dir, name))...)
		checkRefused(t, roots, "360p", `{"input":"`+name+`"}`, "no video, only sound")
		p := build(t, roots, "audio-opus", `{"input":"`+name+`","output":"o.opus"}`)
		encode(t, p)
		report, err := ffprobe.Run(t.Context(), p.Work.Path())
		must(t, err)
		if len(report.Streams) != 1 || report.Streams[0].Codec != "opus" {
			t.Errorf("%s: got %+v, want sound alone", name, report.Streams)
		}
	}
}

// An input without what the scenario needs is refused once, in words that help.
func TestBuild_UnfitSources(t *testing.T) {
	roots, dir := openRoots(t)
	cover := filepath.Join(dir, "cover.png")
	makeFile(t, "-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1", cover)
	makeFile(t, "-f", "lavfi", "-i", "sine", "-i", cover, "-t", "0.3", "-map", "0", "-map", "1", "-c:v", "copy",
		"-disposition:v", "attached_pic", filepath.Join(dir, "song.mp3"))
	makeFile(t, append(bars("64x36"), "-c:v", "libx264", filepath.Join(dir, "silent.mp4"))...)
	for _, c := range []struct{ scenario, parameters, says string }{
		{
			"360p", `{"input":"song.mp3"}`,
			"no video, only sound (mp3) and a cover picture; set picture to show one with it, or use scenario audio",
		},
		{"audio-aac", `{"input":"silent.mp4"}`, "has no sound"},
		{"360p", `{"input":"silent.mp4","crop_rect":"64:36:2:0"}`, "64:36:2:0 is not inside the source's 64x36"},
		{"remux", `{"input":"silent.mp4","output":"x.webm"}`, "cannot hold the input's video (h264)"},
		{"remux", `{"input":"silent.mp4","output":"x.mp3"}`, "a .mp3 file holds no video"},
	} {
		checkRefused(t, roots, c.scenario, c.parameters, c.says)
	}
}
