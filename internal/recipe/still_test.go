package recipe_test

import (
	"encoding/json"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	agentprobe "github.com/ffrtmp/ffrtmp/agent/probe"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// pictureOf describes a picture below the roots.
func pictureOf(t *testing.T, roots *media.Roots, name string) *recipe.Source {
	t.Helper()
	file, err := roots.Input("picture", name)
	must(t, err)
	s, err := agentprobe.Picture(t.Context(), "ffprobe", "picture", file)
	must(t, err)
	return s
}

// buildStill builds a plan with pictures, as an agent does.
func buildStill(t *testing.T, roots *media.Roots, scenario, parameters string) (recipe.Plan, error) {
	t.Helper()
	params, err := ffrtmp.ParseParameters(json.RawMessage(parameters))
	must(t, err)
	e, err := ffrtmp.Resolve(scenario, params)
	must(t, err)
	var s *recipe.Source
	if e.Still {
		s = pictureOf(t, roots, e.Input)
	} else if s = sourceOf(t, roots, e.Input); e.Picture != "" {
		s.Picture = pictureOf(t, roots, e.Picture).Video()
	}
	return recipe.Build(e, run, roots, recipe.Machine{}, s)
}

// A picture as input is shown for the duration, in its colors and shape; one with sound as long as that.
func TestBuild_Still(t *testing.T) {
	roots, dir := openRoots(t)
	makePictures(t, dir)
	makeFile(t, "-f", "lavfi", "-i", "sine=duration=1.5", "-c:a", "libmp3lame", filepath.Join(dir, "song.mp3"))
	makeFile(t, "-i", filepath.Join(dir, "song.mp3"), "-i", filepath.Join(dir, "logo.jpg"), "-map", "0", "-map", "1",
		"-c", "copy", filepath.Join(dir, "covered.mp3"))
	for name, c := range map[string]struct {
		parameters string
		size       string
		frames     int
		sound      string
	}{
		"picture":        {`"input":"logo.png","duration":0.5`, "720x360", 15, ""},
		"jpeg, 10 fps":   {`"input":"logo.jpg","duration":1,"fps":10`, "720x360", 10, ""},
		"portrait":       {`"input":"tall.png","duration":0.2`, "360x7200", 6, ""},
		"padded":         {`"input":"logo.webp","duration":0.2,"resolution":"320x320","fit":"pad"`, "320x320", 6, ""},
		"cropped":        {`"input":"logo.bmp","duration":0.2,"crop_rect":"40:40:0:0"`, "360x360", 6, ""},
		"with watermark": {`"input":"logo.bmp","duration":0.2,"watermark":{"image":"logo.png"}`, "720x360", 6, ""},
		"with sound":     {`"input":"song.mp3","picture":"logo.png"`, "720x360", 45, "aac"},
		"cover replaced": {`"input":"covered.mp3","picture":"logo.png","fps":10`, "720x360", 15, "aac"},
		"part of sound":  {`"input":"song.mp3","picture":"logo.png","start":0.5,"duration":0.5`, "720x360", 15, "aac"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := buildStill(t, roots, "360p", `{"preset":"ultrafast","crf":10,`+c.parameters+`}`)
			must(t, err)
			encode(t, p)
			r, err := ffprobe.Run(t.Context(), p.Work.Path(), "-count_frames")
			must(t, err)
			v, sound := r.First("video"), r.First("audio").Codec
			n, err := strconv.Atoi(v.Frames)
			must(t, err)
			if v.Size() != c.size || n < c.frames-1 || n > c.frames+3 || sound != c.sound {
				t.Errorf("got %s, %d frames, sound %q, want %s, %d, %q; command: %s", v.Size(), n, sound, c.size,
					c.frames, c.sound, strings.Join(p.Args, " "))
			}
			if got := pixel(t, p.Work.Path(), 100, 180); !near(got, logoColor) && c.size == "720x360" {
				t.Errorf("got color %v, want %v", got, logoColor)
			}
			source := supervisor.Source{Audio: c.sound != ""}
			_, err = agentprobe.Verify(t.Context(), "ffprobe", *p.Work, p.Want, source, p.Input)
			must(t, err)
		})
	}
}

// Sound without video needs a picture, and says so; video takes none.
func TestBuild_StillRefused(t *testing.T) {
	roots, dir := openRoots(t)
	makePictures(t, dir)
	makeFile(t, "-f", "lavfi", "-i", "sine=duration=0.5", filepath.Join(dir, "song.mp3"))
	makeFile(t, "-f", "lavfi", "-i", "testsrc2=size=64x36:duration=0.5", filepath.Join(dir, "film.mkv"))
	for parameters, says := range map[string]string{
		`{"input":"song.mp3"}`:                      "set picture to show one with it",
		`{"input":"film.mkv","picture":"logo.png"}`: "the input has video of its own",
	} {
		if _, err := buildStill(t, roots, "360p", parameters); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %s", parameters, err, says)
		}
	}
}
