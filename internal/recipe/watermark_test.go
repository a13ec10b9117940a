package recipe_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	agentprobe "github.com/ffrtmp/ffrtmp/agent/probe"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// pixel returns red, green and blue of one pixel of a video's first frame.
func pixel(t *testing.T, path string, x, y int) [3]int {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-v", "error", "-i", path, "-frames:v", "1", "-vf",
		fmt.Sprintf("format=rgb24,crop=2:2:%d:%d", x, y), "-f", "rawvideo", "-").Output()
	must(t, err)
	if len(out) < 3 {
		t.Fatalf("got %d bytes, want a pixel", len(out))
	}
	return [3]int{int(out[0]), int(out[1]), int(out[2])}
}

// near reports whether two colors differ by what encoding changes.
func near(a, b [3]int) bool {
	for i := range a {
		if d := a[i] - b[i]; d < -14 || d > 14 {
			return false
		}
	}
	return true
}

// makePictures makes pictures of each format, twice as wide as high, in one color.
func makePictures(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"logo.png", "logo.jpg", "logo.webp", "logo.bmp"} {
		makeFile(t, "-f", "lavfi", "-i", "color=0xc81e28:size=80x40", "-frames:v", "1", filepath.Join(dir, name))
	}
	makeFile(t, "-f", "lavfi", "-i", "color=0xc81e28@0:size=80x40,format=rgba", "-frames:v", "1",
		filepath.Join(dir, "clear.png"))
	makeFile(t, "-f", "lavfi", "-i", "color=0xc81e28:size=20x400", "-frames:v", "1", filepath.Join(dir, "tall.png"))
}

var (
	logoColor = [3]int{200, 30, 40}
	filmColor = [3]int{20, 60, 200}
	mixed     = [3]int{110, 45, 120}
)

// The image is where, as large and as opaque as the job says, in its own colors, with every kind of output.
func TestBuild_Watermark(t *testing.T) {
	roots, dir := openRoots(t)
	makePictures(t, dir)
	makeFile(t, "-f", "lavfi", "-i", "color=0x143cc8:size=1280x720:rate=10", "-t", "0.3", "-vf",
		"scale=out_color_matrix=bt709:out_range=tv,format=yuv420p", "-colorspace", "bt709", "-color_primaries", "bt709",
		"-color_trc", "bt709", "-c:v", "ffv1", filepath.Join(dir, "blue.mkv"))
	const quick = `"input":"blue.mkv","preset":"ultrafast","crf":10,"resolution":"640x360"`
	mark := func(watermark string) string { return quick + `,"watermark":{"image":` + watermark + `}` }
	for name, c := range map[string]struct {
		parameters string
		x, y       int // of a pixel
		want       [3]int
	}{
		"default corner":      {mark(`"logo.png"`), 600, 330, logoColor},
		"default size":        {mark(`"logo.png"`), 520, 330, filmColor},
		"margin":              {mark(`"logo.png"`), 634, 330, filmColor},
		"top left":            {mark(`"logo.jpg","position":"top-left","margin":0`), 4, 4, logoColor},
		"top right":           {mark(`"logo.webp","position":"top-right"`), 600, 30, logoColor},
		"bottom left":         {mark(`"logo.bmp","position":"bottom-left"`), 30, 330, logoColor},
		"center, half opaque": {mark(`"logo.png","position":"center","opacity":50`), 320, 180, mixed},
		"transparent":         {mark(`"clear.png","position":"center"`), 320, 180, filmColor},
		"never too high":      {mark(`"tall.png","width":100,"position":"center"`), 300, 180, filmColor},
		"tall":                {mark(`"tall.png","width":100,"position":"center"`), 318, 20, logoColor},
		"10 bit":              {mark(`"logo.png"`) + `,"pix_fmt":"yuv420p10le"`, 600, 330, logoColor},
		"two passes": {
			`"input":"blue.mkv","preset":"ultrafast","bitrate":"2M","resolution":"640x360","two_pass":true,` +
				`"watermark":{"image":"logo.png"}`, 600, 330, logoColor,
		},
		"over the bars": {
			`"input":"blue.mkv","preset":"ultrafast","crf":10,"resolution":"640x640","fit":"pad",` +
				`"watermark":{"image":"logo.png"}`, 600, 610, logoColor,
		},
		"a pattern": {
			`"duration":0.2,"preset":"ultrafast","crf":10,"watermark":{"image":"logo.png"}`, 600, 330, logoColor,
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := build(t, roots, "360p", `{`+c.parameters+`}`)
			if len(p.First) > 0 {
				logs := t.TempDir()
				runPass(t, p.Pass(true), logs)
				runPass(t, p.Pass(false), logs)
			} else {
				encode(t, p)
			}
			if got := pixel(t, p.Work.Path(), c.x, c.y); !near(got, c.want) {
				t.Errorf("got color %v at %d, %d, want %v", got, c.x, c.y, c.want)
			}
		})
	}
}

// The watermark stays when the source changes its size in the middle.
func TestBuild_WatermarkSizeChange(t *testing.T) {
	roots, dir := openRoots(t)
	makePictures(t, dir)
	var joined bytes.Buffer
	for _, size := range []string{"320x180", "640x360"} {
		part := filepath.Join(dir, "part.ts")
		makeFile(t, "-y", "-f", "lavfi", "-i", "color=0x143cc8:size="+size+":rate=10", "-t", "1", "-c:v", "libx264",
			"-preset", "ultrafast", part)
		data, err := os.ReadFile(part)
		must(t, err)
		joined.Write(data)
	}
	must(t, os.WriteFile(filepath.Join(dir, "joined.ts"), joined.Bytes(), 0o600))
	p := build(t, roots, "360p", `{"input":"joined.ts","preset":"ultrafast","crf":10,"watermark":{"image":"logo.png"}}`)
	encode(t, p)
	last := filepath.Join(dir, "last.mkv")
	makeFile(t, "-y", "-sseof", "-0.35", "-i", p.Work.Path(), "-c:v", "ffv1", last)
	if got := pixel(t, last, 600, 330); !near(got, logoColor) {
		t.Errorf("got color %v in the last frame, want %v", got, logoColor)
	}
}

// What is no picture, or another kind than its name says, is the user's error; so is an image outside the media roots.
func TestPicture_Refused(t *testing.T) {
	roots, dir := openRoots(t)
	makePictures(t, dir)
	logo, err := os.ReadFile(filepath.Join(dir, "logo.png"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "text.png"), []byte("no picture at all"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "empty.png"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "cut.png"), logo[:40], 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "other.jpg"), logo, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "list.png"), []byte("#EXTM3U\nfile:/etc/passwd\n"), 0o600))
	for name, good := range map[string]bool{
		"logo.png": true, "logo.jpg": true, "logo.webp": true, "logo.bmp": true, "clear.png": true,
		"text.png": false, "empty.png": false, "cut.png": false, "other.jpg": false, "list.png": false,
	} {
		file, err := roots.Input("watermark.image", name)
		must(t, err)
		_, err = agentprobe.Picture(t.Context(), "ffprobe", "watermark.image", file)
		if (err == nil) != good || err != nil && failure.Reason(err) != ffrtmp.UserError {
			t.Errorf("%s: got %v (%s), want accepted: %t", name, err, failure.Reason(err), good)
		}
	}
	p, err := ffrtmp.ParseParameters([]byte(`{"watermark":{"image":"/etc/logo.png"}}`))
	must(t, err)
	e, err := ffrtmp.Resolve("360p", p)
	must(t, err)
	_, err = recipe.Build(e, run, roots, recipe.Machine{}, nil)
	if failure.Reason(err) != ffrtmp.UserError || !failure.Unseen(err) {
		t.Errorf("outside the roots: got %v, want an unseen user error", err)
	}
}
