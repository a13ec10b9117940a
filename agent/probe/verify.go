package probe

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/agent/supervisor"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Verify describes a file, without an error when it is what the plan wanted, given what ffmpeg said
// of its source and, where that is a file, the source itself. Its error says what
// differs; the reason is an input error where the source has ended too early or
// could not be decoded to its end, else a runtime error.
func Verify(
	ctx context.Context, program string, output recipe.File, want recipe.Want, source supervisor.Source,
	input *recipe.File,
) (ffprobe.Report, error) {
	o, err := open(ctx, program, output)
	if err != nil {
		return ffprobe.Report{}, err
	}
	defer o.file.Close()
	return o.report, o.verify(ctx, want, source, input)
}

// opened is an output and what ffprobe reports of it.
type opened struct {
	program string // ffprobe
	file    *os.File
	report  ffprobe.Report
}

// open returns an output whose file the caller closes.
func open(ctx context.Context, program string, output recipe.File) (opened, error) {
	file, err := media.Open(output)
	if err != nil {
		return opened{}, failure.Errorf(ffrtmp.RuntimeError, "read the output: %w", err)
	}
	report, err := look(ctx, program, file)
	if err != nil {
		return opened{}, errors.Join(err, file.Close())
	}
	return opened{program, file, report}, nil
}

func (o opened) verify(ctx context.Context, want recipe.Want, source supervisor.Source, input *recipe.File) error {
	if err := verifyVideo(o.report, want); err != nil {
		return err
	}
	if err := verifyTracks(o.report, want, want.Pattern || source.Audio); err != nil {
		return err
	}
	if want.Audio != "" && (want.Pattern || source.Audio) {
		if got := o.report.First("audio").Codec; got != want.Audio {
			return failure.Errorf(ffrtmp.RuntimeError, "the output's sound is %q, not %s", got, want.Audio)
		}
	}
	if err := o.verifyDuration(ctx, want, source, input); err != nil {
		return err
	}
	if err := o.verifySounds(ctx, want, input); err != nil || want.Codec == "" {
		return err
	}
	return o.verifyVideoEnd(ctx, want, input)
}

func verifyVideo(m ffprobe.Report, want recipe.Want) error {
	video := m.First("video")
	switch {
	case want.Codec == "" && video.Type == "":
		return nil
	case want.Codec == "":
		return failure.Errorf(ffrtmp.RuntimeError, "the output has video, want sound only")
	case video.Type == "":
		return failure.Errorf(ffrtmp.RuntimeError, "the output has no video")
	case video.Disposition.Picture != 0:
		return failure.Errorf(ffrtmp.RuntimeError, "the output's video is a still picture")
	case video.Codec != want.Codec:
		return failure.Errorf(ffrtmp.RuntimeError, "the output's video is %s, not %s", video.Codec, want.Codec)
	}
	if err := verifySize(video.Width, video.Height, want); err != nil {
		return err
	}
	return verifyRate(video, want)
}

func verifySize(width, height int, want recipe.Want) error {
	size := fmt.Sprintf("%dx%d", want.Width, want.Height)
	var ok bool
	switch want.Fit {
	case recipe.Exact:
		ok = width == want.Width && height == want.Height
	case recipe.Inside:
		size = "inside " + size
		ok = width <= want.Width && height <= want.Height && (width == want.Width || height == want.Height)
	case recipe.ShorterSide:
		size = fmt.Sprintf("%d on the shorter side", want.Height)
		ok = min(width, height) == want.Height
	default:
		ok = true
	}
	if !ok {
		return failure.Errorf(ffrtmp.RuntimeError, "the output is %dx%d, not %s", width, height, size)
	}
	return nil
}

// rateShare is by how much a rate may be off: less than any two usual rates differ,
// but for 24 and 23.976 and their like, which are taken for the same.
const rateShare = 0.02

// verifyRate compares the frame rate with one that was asked for. Containers
// without a fixed rate have ffprobe guess: either of its guesses will do, and none
// is no fault.
func verifyRate(s ffprobe.Stream, want recipe.Want) error {
	if want.FPS == 0 {
		return nil
	}
	var said string
	for _, form := range []string{s.AverageRate, s.BaseRate} {
		got, ok := ffprobe.Rate(form)
		if ok && math.Abs(got-want.FPS) <= rateShare*want.FPS {
			return nil
		}
		if ok && said == "" {
			said = strconv.FormatFloat(got, 'f', -1, 64)
		}
	}
	if said == "" {
		return nil
	}
	return failure.Errorf(ffrtmp.RuntimeError, "the output has %s frames a second, not %g", said, want.FPS)
}
