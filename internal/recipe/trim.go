package recipe

import (
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// indexedFormats are the demuxers, by the first of ffprobe's names, that find the key frame before a position. Others
// land anywhere near it and lose what depends on the frames before, or cannot seek.
var indexedFormats = []string{"mov", "matroska", "avi", "asf", "flv", "nut", "mxf", "wav", "w64"}

// indexed reports whether ffmpeg can begin in the middle of the source. A source that nobody has looked at is.
func (s *Source) indexed() bool {
	if s == nil {
		return true
	}
	first, _, _ := strings.Cut(s.Format.Name, ",")
	return slices.Contains(indexedFormats, first)
}

// seek adds where to begin in the input, unless all of it is decoded up to there. A stream may begin elsewhere later.
func (p *Plan) seek(e ffrtmp.Encoding, s *Source) {
	again := e.Mode == ffrtmp.ToRTMP && e.Reconnect != 0
	if e.Start == 0 && !again || e.Input == "" || e.Still || live(e) || !s.indexed() {
		return
	}
	p.add("-ss", number(e.Start))
	p.SeekAt = len(p.Args) - 1
}

// trim returns where the output begins, if that is not where the input does, and how long it is.
func trim(e ffrtmp.Encoding, s *Source) []string {
	var args []string
	if e.Start > 0 && !s.indexed() {
		args = append(args, "-ss", number(e.Start))
	}
	if e.Duration > 0 {
		args = append(args, "-t", number(e.Duration))
	}
	return args
}

// skipped is the end of a graph that makes a test pattern: the pattern begins at start. The prefix is that of filters
// for sound.
func skipped(prefix string, start float64) string {
	if start == 0 {
		return ""
	}
	return "," + prefix + "trim=start=" + number(start) + "," + prefix + "setpts=PTS-STARTPTS"
}

// checkStart returns a user error unless the source reaches beyond the start of the encoding.
func (s *Source) checkStart(e *ffrtmp.Encoding, chosen []track) error {
	if e.Start == 0 || s == nil || e.Copy {
		return nil
	}
	end := s.seconds(e, chosen)
	if v := s.Video(); v != nil && !e.Audio() {
		end = s.end(v, s.VideoEnd)
	}
	switch {
	case end > 0 && e.Start >= end:
		return failure.Errorf(ffrtmp.UserError, "start: %s s is beyond the input's end, at %.2f s", number(e.Start),
			end)
	case e.Mode == ffrtmp.ToRTMP && !s.indexed():
		return failure.Errorf(ffrtmp.UserError,
			"start: a %s file is read from its beginning, in real time for a stream; remux it to .mkv first",
			s.Format.Name)
	}
	return nil
}

// Missed reports whether a run that ended well found nothing to encode after the start: it made no frame, or no sound.
func (w *Want) Missed(frames int64, seconds float64) bool {
	if w.Codec != "" {
		return w.Start > 0 && frames == 0
	}
	return w.Start > 0 && seconds == 0
}
