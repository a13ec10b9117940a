package probe

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/ffrtmp/ffrtmp"
	"github.com/ffrtmp/ffrtmp/internal/failure"
	"github.com/ffrtmp/ffrtmp/internal/ffprobe"
	"github.com/ffrtmp/ffrtmp/internal/recipe"
)

// Timeouts of ffprobe: for a file's header and index, and for all of a large file.
const (
	lookTimeout = 10 * time.Minute // a starved machine starts ffprobe late
	scanTimeout = time.Hour
)

// look reads an output's header and index.
func look(ctx context.Context, program string, file *os.File) (ffprobe.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	out, err := inspect(ctx, program, file, "-of", "json", "-show_entries", ffprobe.Entries)
	if err != nil {
		if ctx.Err() != nil {
			return ffprobe.Report{}, ctx.Err()
		}
		return ffprobe.Report{}, failure.Errorf(ffrtmp.RuntimeError, "read the output: %w", err)
	}
	report, err := ffprobe.Parse(out)
	if err != nil {
		return ffprobe.Report{}, failure.Errorf(ffrtmp.PlatformError, "%w", err)
	}
	return report, nil
}

// inspect makes ffprobe read an open file under the restrictions of an input: the file
// cannot name further files.
func inspect(ctx context.Context, program string, file *os.File, args ...string) ([]byte, error) {
	return inspectAs(ctx, program, file, recipe.InputFormats, args...)
}

// inspectAs is inspect with other demuxers.
func inspectAs(ctx context.Context, program string, file *os.File, formats string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, append([]string{
		"-v", "error", "-protocol_whitelist", "file", "-format_whitelist", formats,
	}, args...)...)
	cmd.Args = append(cmd.Args, "file:/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{file}
	return finish(ctx, cmd)
}

// lastFrame returns start and end of the last frame of the first video stream, in
// seconds from the file's start. It reads the whole file.
func lastFrame(ctx context.Context, program string, file *os.File) (start, end float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, scanTimeout)
	defer cancel()
	out, err := inspect(ctx, program, file, "-of", "csv", "-select_streams", "V:0", "-show_entries",
		"packet=pts_time,duration_time:format=start_time")
	if err != nil {
		return 0, 0, err
	}
	var from float64
	for scanner := bufio.NewScanner(bytes.NewReader(out)); scanner.Scan(); {
		fields := append(strings.Split(scanner.Text(), ","), "", "")
		at, ok := ffprobe.Seconds(fields[1])
		switch {
		case fields[0] == "format":
			from = at
		case ok:
			length, _ := ffprobe.Seconds(fields[2]) // unknown is 0
			start, end = max(start, at), max(end, at+length)
		}
	}
	return start - from, end - from, nil
}
