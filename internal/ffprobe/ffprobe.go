// Package ffprobe runs ffprobe and reads its JSON.
package ffprobe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// Report is ffprobe's description of a file or stream. Numbers that ffprobe writes as text stay text: Seconds and Rate
// parse them. What a container does not state is "" or 0.
type Report struct {
	Streams []Stream `json:"streams"`
	Format  Format   `json:"format"`

	Chapters []struct{} `json:"chapters"`
}

// Format describes the container.
type Format struct {
	Name     string            `json:"format_name"`
	Start    string            `json:"start_time"` // seconds
	Duration string            `json:"duration"`   // seconds
	Tags     map[string]string `json:"tags"`
}

// Stream describes one stream of it.
type Stream struct {
	Index       int    `json:"index"`
	Type        string `json:"codec_type"` // video, audio, …
	Codec       string `json:"codec_name"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	PixelFormat string `json:"pix_fmt"`
	AverageRate string `json:"avg_frame_rate"`      // frames a second, as a fraction
	BaseRate    string `json:"r_frame_rate"`        // the same, guessed otherwise
	Start       string `json:"start_time"`          // seconds
	Duration    string `json:"duration"`            // seconds
	Frames      string `json:"nb_read_frames"`      // with -count_frames
	Aspect      string `json:"sample_aspect_ratio"` // of a pixel, as 4:3
	Matrix      string `json:"color_space"`
	Transfer    string `json:"color_transfer"`
	Primaries   string `json:"color_primaries"`
	Range       string `json:"color_range"` // tv or pc
	Channels    int    `json:"channels"`
	Layout      string `json:"channel_layout"`
	SampleRate  string `json:"sample_rate"` // Hz
	Disposition struct {
		Picture int `json:"attached_pic"` // 1: a cover picture
		Default int `json:"default"`
		Forced  int `json:"forced"`
	} `json:"disposition"`
	Tags struct {
		Duration string `json:"DURATION"` // Matroska's, of this stream: 01:02:03.456
		Language string `json:"language"` // ISO 639, or a longer code
		Title    string `json:"title"`
	} `json:"tags"`
	SideData []struct {
		Type     string  `json:"side_data_type"`
		Rotation float64 `json:"rotation"` // degrees, of how the picture is displayed
	} `json:"side_data_list"`
}

// Entries are the names of all that Report holds, for -show_entries.
const Entries = "stream=index,codec_type,codec_name,width,height,pix_fmt,avg_frame_rate,r_frame_rate,start_time," +
	"duration,nb_read_frames,sample_aspect_ratio,color_space,color_transfer,color_primaries,color_range," +
	"channels,channel_layout,sample_rate" +
	":stream_disposition=attached_pic,default,forced:stream_tags=DURATION,language,title" +
	":stream_side_data=side_data_type,rotation" +
	":format=format_name,start_time,duration:format_tags:chapter=id"

// Run describes what input names, a path or a URL, with the ffprobe in PATH. Options precede the input.
func Run(ctx context.Context, input string, options ...string) (Report, error) {
	args := append([]string{"-v", "error", "-of", "json", "-show_entries", Entries}, options...)
	out, err := exec.CommandContext(ctx, "ffprobe", append(args, input)...).Output()
	if err != nil {
		return Report{}, fmt.Errorf("ffprobe %s: %w", input, withStderr(err))
	}
	return Parse(out)
}

func withStderr(err error) error {
	var failed *exec.ExitError
	if errors.As(err, &failed) && len(failed.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(failed.Stderr)))
	}
	return err
}

// Parse reads the output of ffprobe -of json.
func Parse(out []byte) (Report, error) {
	var r Report
	if err := json.Unmarshal(out, &r); err != nil {
		return Report{}, fmt.Errorf("ffprobe: %w", err)
	}
	return r, nil
}

// First returns the first stream of a type, an empty one where there is none.
func (r Report) First(kind string) Stream {
	for _, s := range r.Streams {
		if s.Type == kind {
			return s
		}
	}
	return Stream{}
}

// Video returns the first video stream that is no cover picture, or nil.
func (r Report) Video() *Stream { return r.find("video") }

// Audio returns the first audio stream, or nil.
func (r Report) Audio() *Stream { return r.find("audio") }

func (r Report) find(kind string) *Stream {
	for i, s := range r.Streams {
		if s.Type == kind && s.Disposition.Picture == 0 {
			return &r.Streams[i]
		}
	}
	return nil
}

// End returns when a stream ends, in seconds from the start of the file, where the container states it.
func (r Report) End(s *Stream) (end float64, ok bool) {
	if end, ok := Clock(s.Tags.Duration); ok {
		return end, true
	}
	length, ok := Seconds(s.Duration)
	if !ok {
		return 0, false
	}
	from, _ := Seconds(r.Format.Start) // without one it is 0
	start, _ := Seconds(s.Start)
	return length + max(0, start-from), true
}

// Size returns width and height in the form 1280x720.
func (s Stream) Size() string { return fmt.Sprintf("%dx%d", s.Width, s.Height) }

// VideoEnd returns the End of the first video stream.
func (r Report) VideoEnd() (end float64, ok bool) {
	video := r.First("video")
	return r.End(&video)
}

// Seconds reads a number, which is N/A where ffprobe does not know it.
func Seconds(s string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return f, err == nil
}

// Clock reads a time of the form 01:02:03.456, in seconds.
func Clock(s string) (total float64, ok bool) {
	for part := range strings.SplitSeq(s, ":") {
		f, ok := Seconds(part)
		if !ok {
			return 0, false
		}
		total = 60*total + f
	}
	return total, true
}

// Rate reads a fraction, which is 0/0 where ffprobe does not know it.
func Rate(s string) (float64, bool) {
	over, under, _ := strings.Cut(s, "/")
	a, ok := Seconds(over)
	b, okToo := Seconds(under)
	if !ok || !okToo || a <= 0 || b <= 0 {
		return 0, false
	}
	return a / b, true
}
