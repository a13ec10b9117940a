package probe

import (
	"context"
	"os"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Tolerances of durations: containers count from the first frame to the last, sound
// ends on a block boundary, and headers are rounded.
const (
	durationSlack = 1.0  // seconds
	durationShare = 0.02 // of the whole
)

func verifyDuration(m ffprobe.Report, want recipe.Want, source supervisor.Source) error {
	// Some containers state none; an empty output has failed before.
	got, ok := ffprobe.Seconds(m.Format.Duration)
	if !ok {
		return nil
	}
	expected, ofSource := want.Seconds, false
	if !want.Pattern && source.Seconds > 0 && (expected == 0 || source.Seconds < expected) {
		expected, ofSource = source.Seconds, true
	}
	switch {
	case got <= 0:
		return failure.Errorf(ffrtmp.RuntimeError, "the output is empty")
	case expected == 0 || !want.Pattern && (source.Seconds == 0 || source.Estimated):
		return nil
	}
	if got > expected+max(durationSlack, durationShare*expected) {
		return failure.Errorf(ffrtmp.RuntimeError, "the output is %.2f s long, not %.2f s", got, expected)
	}
	if short(got, expected) {
		reason := ffrtmp.RuntimeError
		if ofSource {
			reason = ffrtmp.InputError
		}
		return failure.Errorf(reason, "the output is %.2f s long, not %.2f s", got, expected)
	}
	return nil
}

func short(got, expected float64) bool {
	return got < expected-max(min(durationSlack, expected/2), durationShare*expected)
}

// verifyVideoEnd notices video that ends under sound that goes on. Where the
// source's does so as well, that is as it should be; its last frame tells, since
// a header's duration may count how long that is shown.
func verifyVideoEnd(ctx context.Context, program string, m ffprobe.Report, output *os.File, want recipe.Want, input *recipe.File) error {
	end, told := m.VideoEnd()
	if !told {
		var err error
		if _, end, err = lastFrame(ctx, program, output); err != nil {
			return failure.Errorf(ffrtmp.RuntimeError, "the output cannot be read: %w", err)
		}
	}
	expected, _ := ffprobe.Seconds(m.Format.Duration) // unknown is 0, than which nothing is shorter
	if want.Pattern {
		expected = want.Seconds
	}
	if !short(end, expected) {
		return nil
	}
	if want.Pattern {
		return failure.Errorf(ffrtmp.RuntimeError, "the output's video ends at %.2f s, not %.2f s", end, expected)
	}
	if input == nil {
		return nil // a server's stream cannot be looked at again
	}
	source, err := media.Open(*input)
	if err != nil {
		return failure.Errorf(ffrtmp.InputError, "input: %w", err)
	}
	defer source.Close()
	last, _, err := lastFrame(ctx, program, source)
	if err != nil {
		return failure.Errorf(ffrtmp.InputError, "the input cannot be read again: %w", err)
	}
	if last = min(last, expected); short(end, last) {
		return failure.Errorf(ffrtmp.InputError, "the output's video ends at %.2f s, its source's at %.2f s", end, last)
	}
	return nil
}
