package probe

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/agent/media"
	"github.com/ffrtmp/ffrtmp/agent/proxy"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// File describes an input file. Where its container says nothing reliable about its length, it reads all packets.
func File(ctx context.Context, program string, input recipe.File) (*recipe.Source, error) {
	file, err := media.Open(input)
	if err != nil {
		return nil, failure.Errorf(ffrtmp.InputError, "input: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() == 0 {
		return nil, failure.Errorf(ffrtmp.UserError, "input: %s is empty", input.Path())
	}
	look, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	out, err := inspect(look, program, file, "-of", "json", "-show_entries", ffprobe.Entries)
	s, err := described(ctx, out, err)
	if err != nil || !slices.Contains(looseContainers, s.Format.Name) {
		return s, err
	}
	length, err := lengthOf(ctx, program, input)
	if err != nil {
		return nil, unreadable(ctx, err)
	}
	s.VideoEnd, s.AudioEnds = length.video, length.audios
	return s, nil
}

// URL describes an input on an HTTP server.
func URL(ctx context.Context, program, url string) (*recipe.Source, error) {
	e, err := proxy.Open(url, false) //nolint:contextcheck // ends with Close
	if err != nil {
		return nil, err
	}
	defer e.Close()
	look, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	args := append([]string{"-v", "error", "-of", "json", "-show_entries", ffprobe.Entries}, recipe.HTTPOptions()...)
	out, err := finish(look, exec.CommandContext(look, program, append(args, e.Address())...))
	if err != nil && e.Err() != nil && ctx.Err() == nil {
		return nil, e.Err()
	}
	return described(ctx, out, err)
}

// described reads ffprobe's output.
func described(ctx context.Context, out []byte, err error) (*recipe.Source, error) {
	if err != nil {
		return nil, unreadable(ctx, err)
	}
	report, err := ffprobe.Parse(out)
	if err != nil {
		return nil, failure.Errorf(ffrtmp.PlatformError, "%w", err)
	}
	return &recipe.Source{Report: report}, nil
}

// unreadable explains why ffprobe could not read an input.
func unreadable(ctx context.Context, err error) error {
	var failed *programError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return failure.Errorf(ffrtmp.InputError, "input: its header could not be read within %s", lookTimeout)
	case !errors.As(err, &failed):
		return failure.Errorf(ffrtmp.PlatformError, "%w", err)
	}
	reason, says := failure.FromLog(strings.Split(strings.TrimSpace(failed.stderr), "\n"))
	if says == "" {
		says = failed.Error()
	}
	return failure.Errorf(reason, "%s", says)
}
