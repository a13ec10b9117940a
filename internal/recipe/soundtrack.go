package recipe

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
)

// soundTrack is an audio track of the output, and the source's that it is made of.
type soundTrack struct {
	ffrtmp.AudioTrack
	track
}

// selected are the source's tracks that a job has chosen.
type selected struct {
	from     []track // the audio tracks that are taken, also where the job has no list
	sound    []soundTrack
	warnings []string

	subtitles []subtitleTrack
	extracted []subtitleTrack
	burnt     *subtitleTrack
}

// choose finds the tracks of an encoding that lists them.
func choose(e *ffrtmp.Encoding, s *Source) (selected, error) {
	var chosen selected
	if s != nil && len(e.AudioTracks) == 0 && e.AudioEncoder != "" {
		chosen.from = s.tracks("audio")
		chosen.from = chosen.from[:min(1, len(chosen.from))]
	}
	for i, t := range e.AudioTracks {
		tracks, warning, err := s.choose(choice{
			fmt.Sprintf("audio[%d]", i), "audio", t.Language, t.Index, t.All, t.Optional,
		})
		if err != nil {
			return selected{}, err
		}
		chosen.warn(warning)
		for _, from := range tracks {
			if err := checkCopied(e.Container(), i, t, from); err != nil {
				return selected{}, err
			}
			chosen.from = append(chosen.from, from)
			chosen.sound = append(chosen.sound, soundTrack{t, from})
			t.Default = false // of all of them, the first
		}
	}
	if e.Audio() && len(e.AudioTracks) > 0 && len(chosen.sound) == 0 {
		return selected{}, failure.Errorf(ffrtmp.UserError, "audio: the input has none of the tracks, nothing is left")
	}
	return chosen, chosen.chooseSubtitles(e, s)
}

func (c *selected) warn(text string) {
	if text != "" {
		c.warnings = append(c.warnings, text)
	}
}

// checkCopied returns a user error unless the output's container holds a track that is copied.
func checkCopied(c ffrtmp.Container, i int, t ffrtmp.AudioTrack, from track) error {
	if t.Encoder != "copy" || from.stream == nil || holds(c, c.Audio, from.stream.Codec) {
		return nil
	}
	return failure.Errorf(ffrtmp.UserError, "audio[%d].codec: a %s file cannot hold a copy of the input's "+
		"audio track %s, only %s; encode it, or use .mkv", i, c.Extension, from, strings.Join(c.Audio, ", "))
}

// want adds what the output's audio tracks must be.
func (c *selected) want(w *Want) {
	w.Audio = ""
	for i, t := range c.sound {
		codec := ffrtmp.CodecOf(t.Encoder)
		if t.Encoder == "copy" && t.stream != nil {
			codec = t.stream.Codec
		}
		if t.Encoder == "copy" && t.stream == nil {
			codec = "" // a dry run, or a server's stream
		}
		if i == 0 {
			w.Audio = codec
		}
		w.Tracks = append(w.Tracks, Track{Type: "audio", Codec: codec, Source: t.index})
	}
}

// soundTracks adds the audio tracks.
func (p *Plan) soundTracks(e ffrtmp.Encoding, c *selected) {
	if len(c.sound) == 0 {
		p.add("-an")
		return
	}
	marked := slices.ContainsFunc(c.sound, func(t soundTrack) bool { return t.Default })
	for i, t := range c.sound {
		n := strconv.Itoa(i)
		from := t.from
		if e.Input == "" && !e.Audio() {
			from = "1:a:0"
		}
		p.add("-map", from, "-c:a:"+n, t.Encoder)
		if t.Encoder != "copy" {
			p.soundEncoder(e, i, t)
		}
		p.tag(e, "a:"+n, t.Title)
		flag := "-default"
		if t.Default || i == 0 && !marked {
			flag = "+default"
		}
		p.add("-disposition:a:"+n, flag)
	}
}

// soundEncoder adds the options of a track that is encoded.
func (p *Plan) soundEncoder(e ffrtmp.Encoding, i int, t soundTrack) {
	n := strconv.Itoa(i)
	e.AudioEncoder = t.Encoder
	p.add("-filter:a:"+n, soundFilter(t.stream, trackLayouts(e, t.Channels)))
	p.normalizes(i, t.Normal, t.stream, trackLayouts(e, t.Channels))
	if t.Bitrate != "" {
		p.add("-b:a:"+n, audioRate(t.Encoder, t.Bitrate, t.stream))
	}
	if e.Mode == ffrtmp.ToRTMP {
		p.add("-ar:a:"+n, "44100") // flv allows mp3 only at 44.1 kHz and its fractions
	}
}

// tag adds the title of a track. MP4 and MOV show the handler's name.
func (p *Plan) tag(e ffrtmp.Encoding, track, title string) {
	if title == "" {
		return
	}
	p.add("-metadata:s:"+track, "title="+title)
	if c := e.Container(); c.Muxer == "mp4" || c.Muxer == "mov" || c.Muxer == "ipod" {
		p.add("-metadata:s:"+track, "handler_name="+title)
	}
}

// channelsOf are the channels of the layouts.
var channelsOf = map[string]int{"7.1": 8, "5.1": 6, "stereo": 2, "mono": 1}

// trackLayouts are the encoder's layouts with at most so many channels.
func trackLayouts(e ffrtmp.Encoding, limit *int) string {
	list := strings.Split(layouts(e), "|")
	if limit != nil {
		list = slices.DeleteFunc(list, func(layout string) bool { return channelsOf[layout] > *limit })
	}
	if len(list) == 0 { // mono RTMP
		return "mono"
	}
	return strings.Join(list, "|")
}
