package ffrtmp

import (
	"math"
	"slices"
	"strings"
)

// Media is what an attempt read and wrote, and how fast it went. It has neither paths, URLs nor tags.
type Media struct {
	Input  *MediaFile `json:"input,omitempty"` // as ffprobe describes it
	Output *MediaFile `json:"output,omitempty"`
	Series *Series    `json:"series,omitempty"`
}

// MediaFile describes a file or stream. What its container does not state is "" or 0.
type MediaFile struct {
	Format          string        `json:"format"` // ffmpeg's names
	DurationSeconds float64       `json:"duration_seconds,omitempty"`
	SizeBytes       int64         `json:"size_bytes,omitempty"`
	Streams         []MediaStream `json:"streams"`
}

// MediaStream describes a stream of a file.
type MediaStream struct {
	Type        string  `json:"type"` // video, audio, subtitle …
	Codec       string  `json:"codec"`
	Width       int     `json:"width,omitempty"`
	Height      int     `json:"height,omitempty"`
	FPS         float64 `json:"fps,omitempty"`
	PixelFormat string  `json:"pixel_format,omitempty"`
	PixelAspect string  `json:"pixel_aspect,omitempty"`   // as 4:3
	Transfer    string  `json:"color_transfer,omitempty"` // such as smpte2084, which is HDR
	Primaries   string  `json:"color_primaries,omitempty"`
	Rotation    float64 `json:"rotation,omitempty"` // degrees
	Channels    int     `json:"channels,omitempty"`
	Layout      string  `json:"channel_layout,omitempty"`
}

// Series is how an encoding went. Its lists have the same length, at most MaxPoints; each point is about the time since
// the one before.
type Series struct {
	Seconds  []int     `json:"seconds"` // since ffmpeg started
	FPS      []float64 `json:"fps"`
	Speed    []float64 `json:"speed"`             // multiple of real time
	Kilobits []float64 `json:"kilobits_a_second"` // of the output; 0: unknown
}

// Bounds of what is stored of Media: about ten kilobytes.
const (
	MaxPoints       = 300 // of a Series
	maxStreams      = 16
	maxMediaWord    = 64
	maxMediaFigures = 1e12
)

// Bounded returns as much of m as is stored; nil if that is nothing.
func (m *Media) Bounded() *Media {
	if m == nil {
		return nil
	}
	b := &Media{Input: m.Input.bounded(), Output: m.Output.bounded(), Series: m.Series.bounded()}
	if *b == (Media{}) {
		return nil
	}
	return b
}

func (f *MediaFile) bounded() *MediaFile {
	if f == nil {
		return nil
	}
	b := *f
	b.Format, b.DurationSeconds = mediaWord(b.Format), figure(b.DurationSeconds)
	b.SizeBytes = max(0, b.SizeBytes)
	b.Streams = slices.Clone(b.Streams[:min(len(b.Streams), maxStreams)])
	for i := range b.Streams {
		s := &b.Streams[i]
		for _, text := range []*string{
			&s.Type, &s.Codec, &s.PixelFormat, &s.PixelAspect, &s.Transfer, &s.Primaries, &s.Layout,
		} {
			*text = mediaWord(*text)
		}
		s.FPS, s.Rotation = figure(s.FPS), math.Copysign(figure(math.Abs(s.Rotation)), s.Rotation)
		s.Width, s.Height, s.Channels = max(0, s.Width), max(0, s.Height), max(0, s.Channels)
	}
	if b.Streams == nil {
		b.Streams = []MediaStream{}
	}
	return &b
}

func (s *Series) bounded() *Series {
	if s == nil {
		return nil
	}
	n := min(len(s.Seconds), len(s.FPS), len(s.Speed), len(s.Kilobits), MaxPoints)
	if n == 0 {
		return nil
	}
	b := &Series{Seconds: slices.Clone(s.Seconds[:n])}
	for i := range b.Seconds {
		b.Seconds[i] = max(0, b.Seconds[i])
	}
	for _, list := range []struct {
		to   *[]float64
		from []float64
	}{{&b.FPS, s.FPS}, {&b.Speed, s.Speed}, {&b.Kilobits, s.Kilobits}} {
		*list.to = slices.Clone(list.from[:n])
		for i, f := range *list.to {
			(*list.to)[i] = figure(f)
		}
	}
	return b
}

// figure returns a number that JSON can hold, to two digits behind the point.
func figure(f float64) float64 {
	if math.IsNaN(f) || f < 0 {
		return 0
	}
	return math.Round(min(f, maxMediaFigures)*100) / 100
}

// mediaWord returns the beginning of a word, without what is not text.
func mediaWord(s string) string {
	return strings.ToValidUTF8(s[:min(len(s), maxMediaWord)], "")
}

// JobMedia is the response of GET /jobs/{id}/media.
type JobMedia struct {
	JobID   string `json:"job_id"`
	Attempt int    `json:"attempt"` // whose it is; 0: none has started
	Media
}
