package recipe

import (
	"slices"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
)

// layouts are the channel layouts that players know, as a list for aformat, which takes the nearest.
func layouts(e ffrtmp.Encoding) string {
	switch {
	case e.Mode == ffrtmp.ToRTMP:
		return "stereo"
	case e.AudioEncoder == "libmp3lame":
		return "stereo|mono"
	case e.AudioEncoder == "ac3":
		return "5.1|stereo|mono"
	}
	return "7.1|5.1|stereo|mono"
}

// sound adds the audio stream.
func (p *Plan) sound(e ffrtmp.Encoding, s *Source) {
	switch {
	case p.Want.Audio == "":
		p.add("-an")
		return
	case e.Input == "" && e.Audio():
		p.add("-map", "0:a:0")
	case e.Input == "":
		p.add("-map", "1:a:0")
	default:
		p.add("-map", "0:a:0?")
	}
	p.add("-c:a", e.AudioEncoder)
	if e.Copy {
		return
	}
	p.add("-af", soundFilter(s.audio(), layouts(e)))
	p.normalizes(0, e.Loudness, s.audio(), layouts(e))
	if e.AudioBitrate != "" {
		p.add("-b:a", audioRate(e.AudioEncoder, e.AudioBitrate, s.audio()))
	}
	if e.Mode == ffrtmp.ToRTMP {
		p.add("-ar", "44100") // flv allows mp3 only at 44.1 kHz and its fractions
	}
}

// soundFilter normalizes the channel layout. Layouts that name odd places for one or two channels, or have more than
// eight, cannot be mixed; their first channels are taken.
func soundFilter(a *ffprobe.Stream, layouts string) string {
	normal := "aformat=channel_layouts=" + layouts
	switch {
	case a == nil:
		return normal
	case a.Channels == 1:
		return "pan=mono|c0=c0," + normal
	case a.Channels == 2 && !slices.Contains([]string{"stereo", "downmix"}, a.Layout), a.Channels > 8:
		return "pan=stereo|c0=c0|c1=c1," + normal
	}
	return normal
}

// sampleRate returns the rate of a source's samples, or a usual one.
func sampleRate(a *ffprobe.Stream) string {
	if a == nil || a.SampleRate == "" {
		return "48000"
	}
	return a.SampleRate
}

// opusRate is the highest bit rate of a channel that libopus encodes.
const opusRate = 256_000

// audioRate returns a bit rate that the encoder takes.
func audioRate(encoder, rate string, a *ffprobe.Stream) string {
	if encoder != "libopus" {
		return rate
	}
	channels := 1 // of a test pattern
	if a != nil {
		channels = max(1, a.Channels)
	}
	if limit := float64(opusRate * channels); ffrtmp.BitsPerSecond(rate) > limit {
		return number(limit)
	}
	return rate
}
