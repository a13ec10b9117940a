package probe

import (
	"context"

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

// verifyDuration compares the output's length with what was requested, else with what
// the source's header says and, where that is longer, with the source's packets.
func (o opened) verifyDuration(
	ctx context.Context, want recipe.Want, source supervisor.Source, input *recipe.File,
) error {
	if want.SourceSeconds > 0 {
		source.Seconds, source.Estimated = want.SourceSeconds, false
	}
	if !source.Audio {
		want.Audio = "" // nothing was made of it
	}
	// Some containers state none; an empty output has failed before.
	got, ok := ffprobe.Seconds(o.report.Format.Duration)
	switch {
	case !ok:
		return nil
	case got <= 0:
		return failure.Errorf(ffrtmp.RuntimeError, "the output is empty")
	case want.Seconds > 0 && got > want.Seconds+max(durationSlack, durationShare*want.Seconds),
		want.Pattern && short(got, want.Seconds):
		return wrongLength(ffrtmp.RuntimeError, got, want.Seconds)
	case want.Pattern || source.Seconds == 0 || source.Estimated || !short(got, want.Rest(source.Seconds)):
		return nil
	case input == nil: // a server's stream cannot be read again
		return tooShort(got, source.Seconds, want)
	}
	length, err := lengthOf(ctx, o.program, *input)
	if err != nil {
		return failure.Errorf(ffrtmp.InputError, "read the input again: %w", err)
	}
	if !length.loose && short(length.whole, source.Seconds) {
		return failure.Errorf(ffrtmp.UserError,
			"the input is truncated: its header says %.2f s, its data ends at %.2f s",
			source.Seconds, length.whole)
	}
	if mapped := length.mapped(want); short(got, want.Rest(mapped)) {
		return tooShort(got, mapped, want)
	}
	return nil
}

// tooShort names the source as the cause, unless it is longer than the job wants.
func tooShort(got, source float64, want recipe.Want) error {
	reason := ffrtmp.UserError // another attempt could not decode it, either
	if want.Seconds > 0 && want.Start+want.Seconds <= source {
		reason = ffrtmp.RuntimeError
	}
	return wrongLength(reason, got, want.Rest(source))
}

func wrongLength(reason ffrtmp.FailureReason, got, want float64) error {
	return failure.Errorf(reason, "the output is %.2f s long, not %.2f s", got, want)
}

func short(got, expected float64) bool {
	return got < expected-max(min(durationSlack, expected/2), durationShare*expected)
}

// verifyVideoEnd rejects video that ends before its sound, unless the source's does,
// too. The source's last frame counts: a header's duration may include how long that
// frame is shown.
func (o opened) verifyVideoEnd(ctx context.Context, want recipe.Want, input *recipe.File) error {
	end, told := o.report.VideoEnd()
	if !told {
		var err error
		if _, end, err = lastFrame(ctx, o.program, o.file); err != nil {
			return failure.Errorf(ffrtmp.RuntimeError, "read the output: %w", err)
		}
	}
	expected, _ := ffprobe.Seconds(o.report.Format.Duration) // unknown is 0
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
		return nil // a server's stream cannot be read again
	}
	source, err := media.Open(*input)
	if err != nil {
		return failure.Errorf(ffrtmp.InputError, "input: %w", err)
	}
	defer source.Close()
	last, _, err := lastFrame(ctx, o.program, source)
	if err != nil {
		return failure.Errorf(ffrtmp.InputError, "read the input again: %w", err)
	}
	if last = min(last-want.Start, expected); short(end, last) {
		return failure.Errorf(ffrtmp.UserError,
			"the output's video ends at %.2f s, its source's at %.2f s: the input is "+
				"damaged", end, last)
	}
	return nil
}
