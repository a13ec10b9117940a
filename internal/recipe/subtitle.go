package recipe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// textSubtitles are the codecs of text by ffprobe's names; they can be converted. pictureSubtitles cannot.
var (
	textSubtitles = []string{
		"subrip", "ass", "ssa", "mov_text", "webvtt", "text", "microdvd", "subviewer", "subviewer1", "sami", "realtext",
		"jacosub", "mpl2", "pjs", "stl", "vplayer", "eia_608",
	}
	pictureSubtitles = []string{"hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub"}
)

// subtitleTrack is a subtitle track that a job has chosen.
type subtitleTrack struct {
	ffrtmp.SubtitleTrack
	track

	encoder string // ffmpeg's name, or copy
	codec   string // of the output, by ffprobe's name; "": unknown
}

// chooseSubtitles finds the subtitles that an encoding lists.
func (c *selected) chooseSubtitles(e *ffrtmp.Encoding, s *Source) error {
	for i, t := range e.Subtitles {
		field := fmt.Sprintf("subtitles[%d]", i)
		tracks, warning, err := s.choose(choice{field, "subtitle", t.Language, t.Index, t.All, t.Optional})
		if err != nil {
			return err
		}
		c.warn(warning)
		for _, from := range tracks {
			chosen := subtitleTrack{SubtitleTrack: t, track: from}
			if err := chosen.resolve(field, e); err != nil {
				return err
			}
			t.Default = false // of all of them, the first
			switch t.Mode {
			case ffrtmp.SubtitleBurn:
				c.burnt = &chosen
				continue
			case ffrtmp.SubtitleExtract:
				c.extracted = append(c.extracted, chosen)
				continue
			}
			c.subtitles = append(c.subtitles, chosen)
		}
	}
	return nil
}

// resolve sets the encoder. Pictures cannot become text.
func (t *subtitleTrack) resolve(field string, e *ffrtmp.Encoding) error {
	held := e.Container().Subtitles
	if e.Mode == ffrtmp.ToNull {
		held = textSubtitles
	}
	var has string
	if t.stream != nil {
		has = t.stream.Codec
	}
	picture := slices.Contains(pictureSubtitles, has)
	switch {
	case t.stream != nil && !picture && !slices.Contains(textSubtitles, has):
		return failure.Errorf(ffrtmp.UserError, "%s: the input's track %s has an unsupported format", field, t)
	case t.Mode == ffrtmp.SubtitleBurn:
		return t.checkBurnt(field, e, picture)
	case t.Mode == ffrtmp.SubtitleExtract && picture:
		return failure.Errorf(ffrtmp.UserError, "%s: the input's track %s is pictures, which cannot become text; "+
			"keep it in .mkv, or use mode burn", field, t)
	case t.Mode == ffrtmp.SubtitleExtract:
		if t.encoder, t.codec = t.SidecarCodec(), t.SidecarCodec(); t.codec == has {
			t.encoder = "copy"
		}
	case t.Mode == ffrtmp.SubtitleKeep && slices.Contains(held, has):
		t.encoder, t.codec = "copy", has
	case picture:
		return failure.Errorf(ffrtmp.UserError, "%s: the input's track %s is pictures, which a %s file cannot hold "+
			"and which cannot become text; keep it in .mkv, or use mode burn", field, t, e.Container().Extension)
	default:
		t.codec = held[0]
		if t.Format != "" {
			t.codec = ffrtmp.SubtitleCodec(t.Format)
		}
		t.encoder = t.codec
	}
	return nil
}

// checkBurnt returns a user error for text of a server's file: the filter that draws it opens the file itself.
func (t *subtitleTrack) checkBurnt(field string, e *ffrtmp.Encoding, picture bool) error {
	if picture || !strings.Contains(e.Input, "://") {
		return nil
	}
	return failure.Errorf(ffrtmp.UserError, "%s: text can be burnt in from a file only, not from a URL", field)
}

// wantSubtitles adds what the output's subtitles must be.
func (c *selected) wantSubtitles(w *Want) {
	for _, t := range c.subtitles {
		w.Tracks = append(w.Tracks, Track{Type: "subtitle", Codec: t.codec, Source: t.index})
	}
}

// paced returns the output's frame rate if it has subtitles, and its video lasts as long as its sound; else 0.
func (s *Source) paced(e *ffrtmp.Encoding, c *selected) float64 {
	v := s.video()
	if len(c.subtitles)+len(c.extracted) == 0 || v == nil || e.Audio() || s.end(v, s.VideoEnd) < s.seconds(e, c.from) {
		return 0
	}
	rate, _ := ffprobe.Rate(v.AverageRate) // unknown is 0
	if e.FPS > 0 && !e.Copy {
		rate = e.FPS
	}
	return rate
}

// subtitles adds the subtitle tracks.
func (p *Plan) subtitles(e ffrtmp.Encoding, c *selected) {
	marked := slices.ContainsFunc(c.subtitles, func(t subtitleTrack) bool { return t.Default })
	for i, t := range c.subtitles {
		n := strconv.Itoa(i)
		p.add("-map", t.from, "-c:s:"+n, t.encoder)
		p.tag(e, "s:"+n, t.Title)
		flags := "-default"
		if t.Default || !marked && t.stream != nil && t.stream.Disposition.Default != 0 {
			flags = "+default"
		}
		if t.Forced {
			flags += "+forced"
		}
		p.add("-disposition:s:"+n, flags)
	}
}

// burnText returns the filter that draws a text track at the end of the others, or nothing. It reads the input on
// its own, with times from the start of the file.
func (c *selected) burnText(e *ffrtmp.Encoding, s *Source) []string {
	if c.burnt == nil || c.burntPictures() {
		return nil
	}
	draw := fmt.Sprintf("subtitles=filename=/proc/self/fd/%d:stream_index=%d", InputFD, max(0, c.burnt.index))
	if e.Start == 0 || !s.indexed() {
		return []string{draw}
	}
	start := number(e.Start) // where the frames' times begin
	return []string{"setpts=PTS+" + start + "/TB", draw, "setpts=PTS-" + start + "/TB"}
}

// burntPictures reports whether the track that is burnt in is one of pictures.
func (c *selected) burntPictures() bool {
	return c.burnt != nil && c.burnt.stream != nil && slices.Contains(pictureSubtitles, c.burnt.stream.Codec)
}

// overlay returns a graph that draws pictures over the source's video, scaled to it, before the other filters.
func (c *selected) overlay(s *Source, filters string) string {
	width, height := s.displayed()
	return fmt.Sprintf("[%s]scale=%d:%d[subtitles];[0:V:0][subtitles]overlay=eof_action=pass:format=auto,%s[picture]",
		c.burnt.from, width, height, filters)
}
