package recipe

import (
	"slices"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// Source is what is known of an input before it is encoded. A nil source is one that nobody has looked at: a test
// pattern or a live stream.
type Source struct {
	ffprobe.Report
	// Ends of the streams by their packets, where the container's header cannot be trusted; else 0.
	VideoEnd  float64
	AudioEnds []float64
	Picture   *ffprobe.Stream // of the picture that is shown with the source's sound; else nil
}

func (s *Source) video() *ffprobe.Stream {
	switch {
	case s == nil:
		return nil
	case s.Picture != nil:
		return s.Picture
	}
	return s.Video()
}

func (s *Source) audio() *ffprobe.Stream {
	if s == nil {
		return nil
	}
	return s.Audio()
}

// seconds returns the length of the streams that an encoding takes, or 0 when it is unknown.
func (s *Source) seconds(e *ffrtmp.Encoding, sound []track) float64 {
	if s == nil {
		return 0
	}
	var length float64
	if v := s.Video(); v != nil && !e.Audio() {
		length = s.end(v, s.VideoEnd)
	}
	for _, t := range sound {
		length = max(length, s.soundEnd(t))
	}
	return length
}

// soundEnd returns when an audio track ends.
func (s *Source) soundEnd(t track) float64 {
	var scanned float64
	if t.index < len(s.AudioEnds) {
		scanned = s.AudioEnds[t.index]
	}
	return s.end(t.stream, scanned)
}

func (s *Source) end(stream *ffprobe.Stream, scanned float64) float64 {
	if scanned > 0 {
		return scanned
	}
	whole, _ := ffprobe.Seconds(s.Format.Duration) // unknown is 0
	if end, ok := s.End(stream); ok && (whole == 0 || end <= whole+1) {
		return end // tags of an edited Matroska file may say more than there is
	}
	return whole
}

// check returns a user error unless the source has what the encoding needs.
func (s *Source) check(e *ffrtmp.Encoding) error {
	switch {
	case s == nil:
		return nil
	case e.Picture != "" && s.Video() != nil:
		return failure.Errorf(ffrtmp.UserError, "picture: the input has video of its own; leave picture out")
	case (e.Audio() || e.Picture != "") && s.Audio() == nil:
		return failure.Errorf(ffrtmp.UserError, "input: it has no sound")
	case !e.Audio() && s.Video() == nil && s.Audio() == nil:
		return failure.Errorf(ffrtmp.UserError, "input: it has neither video nor sound")
	case !e.Audio() && !e.Copy && s.video() == nil:
		return failure.Errorf(ffrtmp.UserError,
			"input: it has no video, only sound (%s)%s; set picture to show one with it, or use scenario "+
				"audio-aac, audio-opus, audio-mp3, audio-flac or audio-pcm", s.Audio().Codec, s.cover())
	case e.Copy:
		return s.checkCopy(e)
	case e.Crop != nil:
		return s.checkCrop(e.Crop)
	}
	return nil
}

func (s *Source) cover() string {
	if s.First("video").Type != "" {
		return " and a cover picture"
	}
	return ""
}

func (s *Source) checkCrop(r *ffrtmp.Rect) error {
	width, height := s.displayed()
	if r.X+r.Width > width || r.Y+r.Height > height {
		return failure.Errorf(ffrtmp.UserError, "crop_rect: %d:%d:%d:%d is not inside the source's %dx%d", r.Width,
			r.Height,
			r.X, r.Y, width, height)
	}
	return nil
}

// displayed returns the source's size in its own pixels after rotation.
func (s *Source) displayed() (width, height int) {
	v := s.video()
	for _, data := range v.SideData {
		if int(data.Rotation)%180 != 0 {
			return v.Height, v.Width
		}
	}
	return v.Width, v.Height
}

// checkCopy returns a user error that names the formats that hold the source's codecs, unless the output does.
func (s *Source) checkCopy(e *ffrtmp.Encoding) error {
	c := e.Container()
	if v := s.Video(); v != nil && !holds(c, c.Video, v.Codec) {
		return unfit(c, "video", v.Codec, c.Video)
	}
	if a := s.Audio(); a != nil && e.AudioEncoder != "" && len(e.AudioTracks) == 0 && !holds(c, c.Audio, a.Codec) {
		return unfit(c, "sound", a.Codec, c.Audio)
	}
	return nil
}

// holds reports whether a container takes a codec. Matroska takes all.
func holds(c ffrtmp.Container, held []string, codec string) bool {
	return c.Muxer == "matroska" || slices.Contains(held, codec)
}

func unfit(c ffrtmp.Container, what, codec string, held []string) error {
	if len(held) == 0 {
		return failure.Errorf(ffrtmp.UserError, "output: a %s file holds no %s, and the input's (%s) would be copied; "+
			"use .mkv, or an audio scenario", c.Extension, what, codec)
	}
	return failure.Errorf(ffrtmp.UserError,
		"output: a %s file cannot hold the input's %s (%s), only %v; use .mkv, or a "+
			"scenario that encodes", c.Extension, what, codec, held)
}
