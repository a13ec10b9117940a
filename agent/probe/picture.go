package probe

import (
	"context"
	"errors"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// maxPictureSide bounds the pictures that jobs may name: ffmpeg holds a whole one, of four bytes a pixel.
const maxPictureSide = 16384

// Picture describes a picture file that a field of a job names. One that ffmpeg cannot decode as what its name says is
// a user error.
func Picture(ctx context.Context, program, field string, picture recipe.File) (*recipe.Source, error) {
	file, err := media.Open(picture)
	if err != nil {
		return nil, failure.Errorf(ffrtmp.InputError, "%s: %w", field, err)
	}
	defer file.Close()
	look, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	format := ffrtmp.PictureFormat(picture.Name)
	kind := strings.TrimSuffix(format, "_pipe")
	out, err := inspectAs(look, program, file, format, "-f", format, "-count_frames", "-of", "json", "-show_entries",
		ffprobe.Entries)
	if _, bad := errors.AsType[*programError](err); bad && ctx.Err() == nil {
		return nil, failure.Errorf(ffrtmp.UserError, "%s: %s is no %s picture", field, picture.Path(), kind)
	}
	s, err := described(ctx, out, err)
	if err != nil {
		return nil, err
	}
	v := s.Video()
	switch {
	case v == nil || v.Frames == "" || v.Frames == "0" || v.Width == 0:
		return nil, failure.Errorf(ffrtmp.UserError, "%s: %s is no %s picture", field, picture.Path(), kind)
	case max(v.Width, v.Height) > maxPictureSide:
		return nil, failure.Errorf(ffrtmp.UserError, "%s: %s is %s, larger than %d pixels", field, picture.Path(),
			v.Size(), maxPictureSide)
	}
	return s, nil
}
