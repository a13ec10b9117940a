package probe

import (
	"context"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// verifySounds rejects an audio track that ends before the source's from which it was made. The file's length says
// nothing of that if another track is longer. Headers of a source may be wrong: its packets decide.
func (o opened) verifySounds(ctx context.Context, want recipe.Want, input *recipe.File) error {
	if input == nil {
		return nil // a server's stream cannot be read again
	}
	ends, err := o.soundEnds(ctx)
	if err != nil {
		return err
	}
	for i, got := range ends {
		if i >= len(want.Sounds) || want.Sounds[i] == 0 || !short(got, want.Rest(want.Sounds[i])) {
			continue
		}
		source, err := lengthOf(ctx, o.program, *input)
		if err != nil {
			return failure.Errorf(ffrtmp.InputError, "read the input again: %w", err)
		}
		if expected := want.Rest(source.audio(want.Sound(i))); short(got, expected) {
			return failure.Errorf(ffrtmp.UserError,
				"the output's audio track %d is %.2f s long, not %.2f s: the input is damaged", i, got, expected)
		}
	}
	return nil
}

// soundEnds returns when the output's audio tracks end.
func (o opened) soundEnds(ctx context.Context) ([]float64, error) {
	var ends []float64
	for i := range o.report.Streams {
		s := &o.report.Streams[i]
		if s.Type != "audio" {
			continue
		}
		end, told := o.report.End(s)
		if !told {
			length, err := scanFile(ctx, o.program, o.file)
			if err != nil {
				return nil, failure.Errorf(ffrtmp.RuntimeError, "read the output: %w", err)
			}
			return length.audios, nil
		}
		ends = append(ends, end)
	}
	return ends, nil
}
