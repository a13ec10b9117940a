package ffrtmp

import (
	"regexp"
	"slices"
)

// sequenceForm is the number in the names of a sequence of pictures, as ffmpeg writes it.
var sequenceForm = regexp.MustCompile(`%\d*d`)

// resolvePictures applies an input that is a picture, and picture.
func resolvePictures(e *Encoding, p Parameters) error {
	e.Still = schemeOf(p.Input) == "" && PictureFormat(p.Input) != ""
	if !e.Still && p.Picture == "" {
		return nil
	}
	e.Picture = p.Picture
	if e.FPS == 0 {
		e.FPS = PatternFPS
	}
	for _, c := range []struct {
		name, why string
		given     bool
	}{
		{
			"input", "a numbered sequence of pictures is not supported; make a video of it first",
			e.Still && sequenceForm.MatchString(p.Input),
		},
		{"picture", "excludes an input that is a picture", e.Still && p.Picture != ""},
		{"picture", "requires an input that is sound", p.Input == ""},
		{"duration", "is required for an input that is a picture", e.Still && e.Duration == 0},
		{"start", "a picture has no beginning; set duration", e.Still && e.Start > 0},
		{"audio", "a picture has no sound", e.Still && p.Audio != nil},
		{"subtitles", "a picture has no subtitles", e.Still && p.Subtitles != nil},
		{"subtitles", "cannot be burnt into a picture", slices.ContainsFunc(p.Subtitles, isBurnt)},
		{"two_pass", "does not apply to a still picture; use crf", p.TwoPass},
		{"deinterlace", "does not apply to a still picture", e.Deinterlace == DeinterlaceOn},
		{"hdr", "does not apply to a still picture", p.HDR == "keep"},
	} {
		if c.given {
			return FieldErrorf("parameters."+c.name, "%s", c.why)
		}
	}
	if e.Still {
		e.AudioEncoder = ""
		return nil
	}
	return checkPicture("parameters.picture", p.Picture)
}

func isBurnt(t SubtitleTrack) bool { return t.Mode == SubtitleBurn }
