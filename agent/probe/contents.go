package probe

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// contents is what ffprobe says of a file.
type contents struct {
	Streams []stream `json:"streams"`
	Format  struct {
		Start    string `json:"start_time"`
		Duration string `json:"duration"`
	} `json:"format"`
}

type stream struct {
	Type        string `json:"codec_type"`
	Codec       string `json:"codec_name"`
	Width       int    `json:"width"`
	Height      int    `json:"height"`
	AverageRate string `json:"avg_frame_rate"`
	BaseRate    string `json:"r_frame_rate"`
	Start       string `json:"start_time"`
	Duration    string `json:"duration"`
	Tags        struct {
		Duration string `json:"DURATION"` // Matroska's, of this stream
	} `json:"tags"`
}

// ffprobe's times: for a file's head and index, and for all of a large one.
const (
	lookTimeout = 2 * time.Minute
	scanTimeout = time.Hour
)

// look reads an output's head and index.
func look(ctx context.Context, ffprobe string, file *os.File) (*contents, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	out, err := inspect(ctx, ffprobe, file, "-of", "json", "-show_entries",
		"stream=codec_type,codec_name,width,height,avg_frame_rate,r_frame_rate,start_time,duration:stream_tags=DURATION:format=start_time,duration")
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, failure.Errorf(ffrtmp.RuntimeError, "the output cannot be read: %w", err)
	}
	m := &contents{}
	if err := json.Unmarshal(out, m); err != nil {
		return nil, failure.Errorf(ffrtmp.PlatformError, "ffprobe: %w", err)
	}
	return m, nil
}

// inspect has ffprobe read an open file as ffmpeg reads an input: it names no
// further files, whatever it holds.
func inspect(ctx context.Context, ffprobe string, file *os.File, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, ffprobe, append([]string{"-v", "error", "-protocol_whitelist", "file", "-format_whitelist", recipe.InputFormats}, args...)...)
	cmd.Args = append(cmd.Args, "file:/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{file}
	return finish(ctx, cmd)
}

func (m *contents) first(kind string) *stream {
	for i := range m.Streams {
		if m.Streams[i].Type == kind {
			return &m.Streams[i]
		}
	}
	return &stream{}
}

// videoEnd returns when the video ends, in seconds from the file's start, where
// the container tells.
func (m *contents) videoEnd() (float64, bool) {
	video := m.first("video")
	if end, ok := clock(video.Tags.Duration); ok {
		return end, true
	}
	length, ok := seconds(video.Duration)
	if !ok {
		return 0, false
	}
	from, _ := seconds(m.Format.Start) // what has no start starts at 0
	start, _ := seconds(video.Start)
	return length + max(0, start-from), true
}

// lastFrame returns from when to when the last frame of the first video stream is
// shown, in seconds from the file's start. It reads the whole file.
func lastFrame(ctx context.Context, ffprobe string, file *os.File) (start, end float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	out, err := inspect(ctx, ffprobe, file, "-of", "csv", "-select_streams", "v:0", "-show_entries", "packet=pts_time,duration_time:format=start_time")
	if err != nil {
		return 0, 0, err
	}
	var from float64
	for scanner := bufio.NewScanner(bytes.NewReader(out)); scanner.Scan(); {
		fields := append(strings.Split(scanner.Text(), ","), "", "")
		at, ok := seconds(fields[1])
		switch {
		case fields[0] == "format":
			from = at
		case ok:
			length, _ := seconds(fields[2]) // unknown is 0
			start, end = max(start, at), max(end, at+length)
		}
	}
	return start - from, end - from, nil
}

// seconds reads a number of ffprobe's, which is N/A where there is none.
func seconds(s string) (float64, bool) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	return f, err == nil
}

// clock reads a time of the form 01:02:03.456.
func clock(s string) (total float64, ok bool) {
	for part := range strings.SplitSeq(s, ":") {
		f, ok := seconds(part)
		if !ok {
			return 0, false
		}
		total = 60*total + f
	}
	return total, true
}

// rate reads a fraction, which is 0/0 where it is not known.
func rate(s string) (float64, bool) {
	over, under, _ := strings.Cut(s, "/")
	a, ok := seconds(over)
	b, okToo := seconds(under)
	if !ok || !okToo || a <= 0 || b <= 0 {
		return 0, false
	}
	return a / b, true
}
