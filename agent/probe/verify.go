package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ffrtmp/agent/failure"
	"ffrtmp/agent/recipe"
	"ffrtmp/agent/supervisor"
	"ffrtmp/job"
)

// verifyTimeout is for a file that is slow to read; ffprobe reads its head and index.
const verifyTimeout = 2 * time.Minute

// contents is what ffprobe says of a file.
type contents struct {
	Streams []stream `json:"streams"`
	Format  struct {
		Duration string `json:"duration"`
	} `json:"format"`
}

type stream struct {
	Type   string `json:"codec_type"`
	Codec  string `json:"codec_name"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// Verify returns nil when the file is what the plan wanted, given what ffmpeg said
// of its source. Its error says what differs; the reason is an input error where
// the source has ended too early, else a runtime error.
func Verify(ctx context.Context, ffprobe, path string, want recipe.Want, source supervisor.Source) error {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	out, err := run(ctx, ffprobe, "-v", "error", "-protocol_whitelist", "file", "-of", "json",
		"-show_entries", "stream=codec_type,codec_name,width,height:format=duration", "file:"+path)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return failure.Errorf(job.RuntimeError, "the output cannot be read: %w", err)
	}
	var m contents
	if err := json.Unmarshal(out, &m); err != nil {
		return failure.Errorf(job.PlatformError, "ffprobe: %w", err)
	}
	if err := m.verifyVideo(want); err != nil {
		return err
	}
	if want.Audio != "" && (want.Pattern || source.Audio) {
		if got := m.first("audio").Codec; got != want.Audio {
			return failure.Errorf(job.RuntimeError, "the output's sound is %q, not %s", got, want.Audio)
		}
	}
	return m.verifyDuration(want, source)
}

func (m *contents) first(kind string) stream {
	for _, s := range m.Streams {
		if s.Type == kind {
			return s
		}
	}
	return stream{}
}

func (m *contents) verifyVideo(want recipe.Want) error {
	video := m.first("video")
	switch {
	case video.Type == "":
		return failure.Errorf(job.RuntimeError, "the output has no video")
	case video.Codec != want.Codec:
		return failure.Errorf(job.RuntimeError, "the output's video is %s, not %s", video.Codec, want.Codec)
	case video.Height != want.Height || want.Width > 0 && video.Width != want.Width:
		size := strconv.Itoa(want.Height) + " lines high"
		if want.Width > 0 {
			size = fmt.Sprintf("%dx%d", want.Width, want.Height)
		}
		return failure.Errorf(job.RuntimeError, "the output is %dx%d, not %s", video.Width, video.Height, size)
	}
	return nil
}

// Tolerances of the duration: a container counts from the first frame to the
// last, sound ends on a block of its own, and a source's header is rounded.
const (
	durationSlack = 1.0  // seconds
	durationShare = 0.02 // of the whole
)

func (m *contents) verifyDuration(want recipe.Want, source supervisor.Source) error {
	// Some containers give none; an output of nothing has failed above.
	got, err := strconv.ParseFloat(strings.TrimSpace(m.Format.Duration), 64)
	if err != nil {
		return nil
	}
	expected, ofSource := want.Seconds, false
	if !want.Pattern && source.Seconds > 0 && (expected == 0 || source.Seconds < expected) {
		expected, ofSource = source.Seconds, true
	}
	switch {
	case got <= 0:
		return failure.Errorf(job.RuntimeError, "the output is empty")
	case expected == 0 || !want.Pattern && (source.Seconds == 0 || source.Estimated):
		return nil
	}
	share := durationShare * expected
	if got > expected+max(durationSlack, share) {
		return failure.Errorf(job.RuntimeError, "the output is %.2f s long, not %.2f s", got, expected)
	}
	if got < expected-max(min(durationSlack, expected/2), share) {
		reason := job.RuntimeError
		if ofSource {
			reason = job.InputError
		}
		return failure.Errorf(reason, "the output is %.2f s long, not %.2f s", got, expected)
	}
	return nil
}
