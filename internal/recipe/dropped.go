package recipe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp"
)

// chapterMuxers write the source's chapters.
var chapterMuxers = []string{"mp4", "mov", "ipod", "matroska", "webm", "mp3", "ogg", "opus"}

// dropped returns a warning of what the source has and the output has not, or "".
func (s *Source) dropped(e *ffrtmp.Encoding, chosen *selected) string {
	if s == nil || e.Mode == ffrtmp.ToNull {
		return ""
	}
	var list []string
	if e.AudioEncoder != "" {
		list = chosen.left(s.tracks("audio"), chosen.from, "audio track")
	}
	if !e.Audio() {
		list = append(list, chosen.left(s.tracks("subtitle"), chosen.shown(), "subtitle track")...)
		list = append(list, s.otherPictures()...)
	}
	list = append(list, s.otherStreams()...)
	if n := len(s.Chapters); n > 0 && !slices.Contains(chapterMuxers, e.Container().Muxer) {
		list = append(list, counted(n, "chapter"))
	}
	if len(list) == 0 {
		return ""
	}
	return "not in the output: " + strings.Join(list, ", ")
}

// left names the tracks that are not taken.
func (c *selected) left(tracks, taken []track, kind string) []string {
	var list []string
	for _, t := range tracks {
		if !slices.ContainsFunc(taken, func(other track) bool { return other.index == t.index }) {
			list = append(list, kind+" "+t.String())
		}
	}
	return list
}

// shown are the subtitles that are taken.
func (c *selected) shown() []track {
	var list []track
	for _, t := range c.subtitles {
		list = append(list, t.track)
	}
	for _, t := range c.extracted {
		list = append(list, t.track)
	}
	if c.burnt != nil {
		list = append(list, c.burnt.track)
	}
	return list
}

// otherPictures counts video streams beside the film's, and cover pictures.
func (s *Source) otherPictures() []string {
	films, covers := 0, 0
	for _, stream := range s.Streams {
		switch {
		case stream.Type == "video" && stream.Disposition.Picture != 0:
			covers++
		case stream.Type == "video":
			films++
		}
	}
	return slices.Concat(some(films-1, "video track"), some(covers, "cover picture"))
}

// otherStreams counts what is neither picture, sound nor text. The text of chapters is a stream of MP4 and MOV, too.
func (s *Source) otherStreams() []string {
	attachments, data := 0, 0
	for _, stream := range s.Streams {
		switch {
		case stream.Type == "attachment":
			attachments++
		case stream.Type == "data" && (stream.Codec != "bin_data" || len(s.Chapters) == 0):
			data++
		}
	}
	return slices.Concat(some(attachments, "attachment"), some(data, "data stream"))
}

func some(n int, what string) []string {
	if n <= 0 {
		return nil
	}
	return []string{counted(n, what)}
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
