package probe

import (
	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Describe returns what a result says of an input or output; nil of one that nobody has looked at. It leaves out names
// and tags, which may have secrets.
func Describe(s *recipe.Source) *ffrtmp.MediaFile {
	if s == nil {
		return nil
	}
	f := &ffrtmp.MediaFile{Format: s.Format.Name, Streams: []ffrtmp.MediaStream{}}
	f.DurationSeconds, _ = ffprobe.Seconds(s.Format.Duration) // unknown is 0
	for i := range s.Streams {
		f.Streams = append(f.Streams, describeStream(&s.Streams[i]))
	}
	return f
}

func describeStream(s *ffprobe.Stream) ffrtmp.MediaStream {
	m := ffrtmp.MediaStream{
		Type: s.Type, Codec: s.Codec, Width: s.Width, Height: s.Height, PixelFormat: s.PixelFormat,
		PixelAspect: s.Aspect, Transfer: s.Transfer, Primaries: s.Primaries, Channels: s.Channels, Layout: s.Layout,
	}
	if s.Type == "video" {
		m.FPS, _ = ffprobe.Rate(s.AverageRate) // unknown is 0
	}
	for _, d := range s.SideData {
		if d.Rotation != 0 {
			m.Rotation = d.Rotation
		}
	}
	return m
}
